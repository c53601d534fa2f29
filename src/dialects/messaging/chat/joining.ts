/** Channels are made and joined (messaging.md §7.2). */
import type { RecordChange } from "../../../core/engine.ts";
import { Refusal } from "../errors.ts";
import { NO_ATTRIBUTES, requireSmall } from "./attributes.ts";
import {
  changed,
  membershipOf,
  noChannel,
  putMember,
  putOwnChannels,
  type Loaded,
  type LoadedChannel,
  type StoredChannel,
} from "./channel-records.ts";
import type { ChatContext } from "./context.ts";
import type { Channels, Joined } from "./contract.ts";
import { newChannelId, newInviteToken } from "./ids.ts";
import {
  banKey,
  channelKey,
  invitationKey,
  invitedSubscriberKey,
  inviteTokenKey,
  openKey,
} from "./keys.ts";

export function createJoining(context: ChatContext): Pick<Channels, "create" | "join"> {
  const { records, runtime, settings, change, channelRecords } = context;

  /** Throws when the subscriber is in as many channels as it may be. Channels that are gone do not count. */
  async function roomFor(subscriber: string): Promise<Loaded<readonly string[]>> {
    const own = await channelRecords.ownChannels(subscriber);
    const { channel_limit: limit } = settings;
    if (own.value.length < limit) return own;
    const found = await Promise.all(own.value.map((id) => channelRecords.channel(id)));
    const value = found.flatMap((channel) => channel?.id ?? []);
    if (value.length < limit) return { value, version: own.version };
    throw new Refusal("limit-reached", `A subscriber may be in ${limit} channels`);
  }

  /** By any of them (§7.2): an invitation, the channel's token, or that it is open. A ban is above all. */
  async function admission(caller: string, { id, value }: LoadedChannel, token?: string) {
    const [invitation, ban] = await Promise.all([
      records.get(invitationKey(caller, id)),
      records.get(banKey(id, caller)),
    ]);
    const admitted = invitation !== undefined || isTokenOf(value, token) || value.access === "open";
    if (ban !== undefined || !admitted) throw noChannel();
    return invitation;
  }

  async function channelOf(token: string | undefined): Promise<string | undefined> {
    if (token === undefined) return undefined;
    return (await records.get(inviteTokenKey(token)))?.value;
  }

  return {
    async create(
      caller,
      { name = "", inviteToken, attributes = NO_ATTRIBUTES, access = "invite" },
    ) {
      requireSmall(attributes, settings);
      requireToken(inviteToken);
      return change(`own/${caller}`, async () => {
        const id = newChannelId(runtime);
        const token = inviteToken ?? newInviteToken(runtime);
        const [own, used] = await Promise.all([
          roomFor(caller),
          records.get(inviteTokenKey(token)),
        ]);
        if (used !== undefined) throw tokenInUse();
        const counts = { members: 1, administrators: 1, bans: 0, joins: 1, revision: 1 };
        const value: StoredChannel = { name, attributes, access, inviteToken: token, ...counts };
        const first = {
          subscriber: caller,
          version: 0,
          value: {
            administrator: true,
            joinedMs: runtime.clock.epochMs(),
            order: 1,
            joinSequence: 0,
            readSequence: 0,
            deliveredSequence: 0,
          },
        };
        return {
          changes: [
            { key: channelKey(id), put: JSON.stringify(value), ifVersion: 0 },
            { key: inviteTokenKey(token), put: id, ifVersion: 0 },
            putMember(id, first),
            putOwnChannels(caller, own, [...own.value, id]),
            ...(access === "open" ? [{ key: openKey(id), put: "" }] : []),
          ],
          result: membershipOf({ id, value }, first, 0),
        };
      });
    },

    async join(caller, { channelId, inviteToken }) {
      const id = channelId ?? (await channelOf(inviteToken)) ?? "";
      return change<Joined>(`channel/${id}`, async () => {
        const [channel, member] = await Promise.all([
          channelRecords.channel(id),
          channelRecords.member(id, caller),
        ]);
        if (channel === undefined) throw noChannel();
        if (member !== undefined) {
          const membership = await channelRecords.membership(channel, member);
          return { changes: [], result: { membership, changed: false } };
        }
        const invitation = await admission(caller, channel, inviteToken);
        const { member_limit: limit } = settings;
        if (channel.value.members >= limit) {
          throw new Refusal("limit-reached", `A channel may have ${limit} members`);
        }
        // Read before the change: the member also sees messages that are sent meanwhile, so none is missing.
        const [own, top] = await Promise.all([roomFor(caller), channelRecords.lastSequence(id)]);
        const { members, joins } = channel.value;
        const next = changed(channel, { members: members + 1, joins: joins + 1 });
        const joined = {
          subscriber: caller,
          version: 0,
          value: {
            administrator: false,
            joinedMs: runtime.clock.epochMs(),
            order: joins + 1,
            joinSequence: top,
            readSequence: top,
            deliveredSequence: top,
          },
        };
        const changes: RecordChange[] = [
          next.put,
          putMember(id, joined),
          putOwnChannels(caller, own, [...own.value, id]),
          // Compared: one that was cancelled meanwhile admits nobody.
          ...(invitation === undefined
            ? []
            : [{ key: invitation.key, delete: true as const, ifVersion: invitation.version }]),
          { key: invitedSubscriberKey(id, caller), delete: true },
        ];
        const membership = membershipOf(next.channel, joined, top);
        return { changes, result: { membership, changed: true } };
      });
    },
  };
}

/** By their hashes, so that how long it takes says nothing of the channel's. */
function isTokenOf({ inviteToken }: StoredChannel, token: string | undefined): boolean {
  return token !== undefined && inviteTokenKey(token) === inviteTokenKey(inviteToken);
}

/** §7.2. Throws `Refusal`. */
export function requireToken(token: string | undefined): void {
  if (token === undefined || token.isWellFormed()) return;
  // Stored it would be another's: no store has half a surrogate pair.
  const reason = "An invite-token holds half a surrogate pair";
  throw new Refusal("invalid-field", reason, { field: "invite-token" });
}

export function tokenInUse(): Refusal {
  const reason = "Another channel of the domain has this invite-token";
  return new Refusal("token-in-use", reason, { field: "invite-token" });
}
