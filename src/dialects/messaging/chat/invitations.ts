/**
 * Invitations (messaging.md §7.3): they lie with the invited, and the channel has a list of theirs. All end by themselves after
 * `INVITATION_TTL_MS`. Those of one channel change with its record, so that none outlives it and none is in it twice.
 */
import type { RecordChange, StoredRecord } from "../../../core/engine.ts";
import { storedJson } from "../../../core/json-text.ts";
import { updateRecord } from "../../../core/update-record.ts";
import { Refusal } from "../errors.ts";
import { changed, noChannel, type LoadedChannel } from "./channel-records.ts";
import type { ChatContext } from "./context.ts";
import type { Invitation, Invitations } from "./contract.ts";
import {
  banKey,
  channelKey,
  invitationKey,
  invitationsKey,
  invitedKey,
  invitedSubscriberKey,
  lastPart,
} from "./keys.ts";
import {
  CHANNEL_INVITATIONS_MAX,
  INVITATION_TTL_MS,
  SUBSCRIBER_INVITATIONS_MAX,
} from "./settings.ts";

interface StoredInvitation extends Pick<Invitation, "from" | "note" | "timeMs"> {
  /** It was written to a connection of the invited. */
  readonly told: boolean;
}

export interface PendingInvitation extends Invitation {
  readonly told: boolean;
}

export type Pending = (subscriber: string) => Promise<readonly PendingInvitation[]>;

export function createInvitations(
  context: ChatContext,
): Invitations & { readonly pending: Pending } {
  const { records, runtime, subscribers, change, channelRecords } = context;
  const { clock } = runtime;

  /** Whether it is a new one: a member is not invited, undefined. */
  async function prepare(channel: LoadedChannel, subscriber: string) {
    const [member, invitation, ban] = await Promise.all([
      channelRecords.member(channel.id, subscriber),
      records.get(invitationKey(subscriber, channel.id)),
      records.get(banKey(channel.id, subscriber)),
    ]);
    if (member !== undefined) return undefined;
    if (invitation === undefined) await requireRoomAt(subscriber);
    return { subscriber, isNew: invitation === undefined, ban };
  }

  async function requireRoomAt(subscriber: string): Promise<void> {
    const limit = SUBSCRIBER_INVITATIONS_MAX;
    const waiting = await records.list(invitationsKey(subscriber), { limit });
    if (waiting.length < limit) return;
    const reason = `The subscriber has ${limit} invitations that wait for an answer`;
    throw new Refusal("limit-reached", reason, { field: subscriber });
  }

  async function requireRoomIn({ id }: LoadedChannel, count: number): Promise<void> {
    const limit = CHANNEL_INVITATIONS_MAX;
    if (count === 0) return;
    const waiting = await records.list(invitedKey(id), { limit });
    if (waiting.length + count <= limit) return;
    throw new Refusal("limit-reached", `A channel may have ${limit} invitations that wait`);
  }

  async function requireActive(ids: readonly string[]): Promise<void> {
    const found = await Promise.all(ids.map((id) => subscribers.find(id)));
    const missing = ids.find((_, index) => found[index]?.active !== true);
    if (missing === undefined) return;
    throw new Refusal("not-found", "There is no such subscriber", { field: missing });
  }

  function shown(channel: LoadedChannel, subscriber: string, record: StoredRecord) {
    const { name, attributes } = channel.value;
    const stored = JSON.parse(record.value) as StoredInvitation;
    return {
      ...stored,
      channelId: channel.id,
      subscriber,
      name,
      attributes: storedJson(attributes),
    } satisfies PendingInvitation;
  }

  function ends(channelId: string, subscriber: string, { key, version }: StoredRecord) {
    return [
      { key, delete: true, ifVersion: version },
      { key: invitedSubscriberKey(channelId, subscriber), delete: true },
    ] satisfies RecordChange[];
  }

  const pending: Pending = async (subscriber) => {
    const prefix = invitationsKey(subscriber);
    const found = await records.list(prefix, { limit: 2 * SUBSCRIBER_INVITATIONS_MAX });
    const invitations = await Promise.all(
      found.map(async (record) => {
        const channel = await channelRecords.channel(lastPart(record.key));
        return channel && shown(channel, subscriber, record);
      }),
    );
    return invitations
      .filter((invitation) => invitation !== undefined)
      .sort((a, b) => a.timeMs - b.timeMs);
  };

  return {
    pending,

    async invite(caller, channelId, { subscribers: invited, note }) {
      await channelRecords.requireAdministrator(caller, channelId);
      const ids = [...new Set(invited)];
      await requireActive(ids);
      return change(`channel/${channelId}`, async () => {
        const { channel } = await channelRecords.requireAdministrator(caller, channelId);
        const prepared = await Promise.all(ids.map((id) => prepare(channel, id)));
        const wanted = prepared.filter((each) => each !== undefined);
        await requireRoomIn(channel, wanted.filter(({ isNew }) => isNew).length);
        if (wanted.length === 0) return { changes: [], result: [] };
        const timeMs = clock.epochMs();
        const invitation = { from: caller, ...(note === undefined ? {} : { note }), timeMs };
        const stored = JSON.stringify({ ...invitation, told: false } satisfies StoredInvitation);
        const lifted = wanted.flatMap(({ ban }) => ban ?? []);
        const next = changed(channel, { bans: channel.value.bans - lifted.length });
        const ttlMs = INVITATION_TTL_MS;
        const { name, attributes } = channel.value;
        return {
          changes: [
            next.put,
            ...lifted.map(({ key, version }) => ({
              key,
              delete: true as const,
              ifVersion: version,
            })),
            ...wanted.flatMap(({ subscriber }) => [
              { key: invitationKey(subscriber, channelId), put: stored, ttlMs },
              { key: invitedSubscriberKey(channelId, subscriber), put: "", ttlMs },
            ]),
          ],
          result: wanted.map(({ subscriber }) => ({
            ...invitation,
            channelId,
            subscriber,
            name,
            attributes: storedJson(attributes),
          })),
        };
      });
    },

    async decline(caller, channelId) {
      return change(`channel/${channelId}`, async () => {
        const channel = await channelRecords.channel(channelId);
        if (channel === undefined) throw noChannel();
        const record = await records.get(invitationKey(caller, channelId));
        if (record === undefined) throw noInvitation();
        const result: Invitation = shown(channel, caller, record);
        return { changes: ends(channelId, caller, record), result };
      });
    },

    async cancel(caller, channelId, subscriber) {
      return change(`channel/${channelId}`, async () => {
        const { channel, member } = await channelRecords.requireMember(caller, channelId);
        const record = await records.get(invitationKey(subscriber, channelId));
        const result = record && shown(channel, subscriber, record);
        // Members that may not cancel it learn nothing of whether it is there.
        if (!member.value.administrator && result?.from !== caller) {
          const reason =
            "Only administrators of the channel and the inviter may cancel an invitation";
          throw new Refusal("not-administrator", reason);
        }
        if (record === undefined || result === undefined) throw noInvitation();
        return {
          // The right to it may have been taken away meanwhile.
          changes: [
            { key: channelKey(channelId), ifVersion: channel.version },
            ...ends(channelId, subscriber, record),
          ],
          result: result as Invitation,
        };
      });
    },

    list: pending,

    async told(invitations) {
      await Promise.all(
        invitations.map(({ channelId, subscriber, timeMs }) =>
          updateRecord(records, invitationKey(subscriber, channelId), (record) => {
            const stored = record && (JSON.parse(record.value) as StoredInvitation);
            const ttlMs = timeMs + INVITATION_TTL_MS - clock.epochMs();
            // A refreshed one is to be told again.
            if (stored?.timeMs !== timeMs || stored.told || ttlMs <= 0) {
              return { result: undefined };
            }
            return { put: JSON.stringify({ ...stored, told: true }), ttlMs, result: undefined };
          }),
        ),
      );
    },
  };
}

function noInvitation(): Refusal {
  return new Refusal("not-found", "There is no such invitation");
}
