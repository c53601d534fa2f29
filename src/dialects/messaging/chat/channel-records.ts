/**
 * Channels and members as they are kept. Every change of a channel, its members or their rights puts the channel's record
 * at the version that it was read at, so that the second of two changes builds on the first.
 */
import type { RecordChange, Records, StoredRecord } from "../../../core/engine.ts";
import type { Hub } from "../../../core/hub.ts";
import { storedJson } from "../../../core/json-text.ts";
import { Refusal } from "../errors.ts";
import {
  messageChannel,
  type Access,
  type ChannelView,
  type Member,
  type Membership,
} from "./contract.ts";
import { isChannelId } from "./ids.ts";
import { channelKey, memberKey, ownChannelsKey } from "./keys.ts";

export interface StoredChannel {
  readonly name: string;
  readonly attributes: string;
  readonly access: Access;
  readonly inviteToken: string;
  readonly members: number;
  readonly administrators: number;
  readonly bans: number;
  /** How many ever joined: the order of its members. */
  readonly joins: number;
  readonly revision: number;
}

export interface StoredMember extends Omit<Member, "subscriber"> {
  readonly order: number;
}

/** A record's value at one version; 0: there is no record. */
export interface Loaded<Value> {
  readonly value: Value;
  readonly version: number;
}

export interface LoadedChannel extends Loaded<StoredChannel> {
  readonly id: string;
}

export interface LoadedMember extends Loaded<StoredMember> {
  readonly subscriber: string;
}

export type ChannelRecords = ReturnType<typeof createChannelRecords>;

export function createChannelRecords({
  records,
  hub,
}: {
  readonly records: Pick<Records, "get">;
  readonly hub: Pick<Hub, "history">;
}) {
  async function channel(id: string): Promise<LoadedChannel | undefined> {
    const record = isChannelId(id) ? await records.get(channelKey(id)) : undefined;
    return record && { id, ...loaded<StoredChannel>(record) };
  }

  async function member(id: string, subscriber: string): Promise<LoadedMember | undefined> {
    const record = isChannelId(id) ? await records.get(memberKey(id, subscriber)) : undefined;
    return record && { subscriber, ...loaded<StoredMember>(record) };
  }

  /** §9: to those that are not in it the channel does not exist. */
  async function requireMember(caller: string, id: string) {
    const [found, own] = await Promise.all([channel(id), member(id, caller)]);
    if (found === undefined || own === undefined) throw noChannel();
    return { channel: found, member: own };
  }

  async function lastSequence(id: string): Promise<number> {
    return (await hub.history(messageChannel(id), { limit: 0 })).position.offset;
  }

  return {
    channel,
    member,
    requireMember,
    lastSequence,

    async requireAdministrator(caller: string, id: string) {
      const found = await requireMember(caller, id);
      if (!found.member.value.administrator) {
        throw new Refusal("not-administrator", "Only administrators of the channel may do this");
      }
      return found;
    },

    async ownChannels(subscriber: string): Promise<Loaded<readonly string[]>> {
      const record = await records.get(ownChannelsKey(subscriber));
      return record === undefined ? { value: [], version: 0 } : loaded(record);
    },

    async membership(found: LoadedChannel, own: LoadedMember): Promise<Membership> {
      return membershipOf(found, own, await lastSequence(found.id));
    },
  };
}

export function noChannel(): Refusal {
  return new Refusal("not-found", "There is no such channel");
}

export function loaded<Value>({ value, version }: StoredRecord): Loaded<Value> {
  return { value: JSON.parse(value) as Value, version };
}

export function viewOf({ id, value }: Pick<LoadedChannel, "id" | "value">): ChannelView {
  const { name, access, inviteToken, members: subscribers, revision } = value;
  const attributes = storedJson(value.attributes);
  return { channelId: id, name, attributes, access, subscribers, inviteToken, revision };
}

export function memberOf({ subscriber, value }: Omit<LoadedMember, "version">): Member {
  const { order: _, ...member } = value;
  return { subscriber, ...member };
}

export function membershipOf(
  channel: Pick<LoadedChannel, "id" | "value">,
  member: Omit<LoadedMember, "version">,
  lastSequence: number,
): Membership {
  return { ...viewOf(channel), member: memberOf(member), lastSequence };
}

/** The channel as it becomes, with the change that makes it so. */
export function changed(
  { id, value, version }: LoadedChannel,
  changes: Partial<StoredChannel>,
): { readonly channel: Pick<LoadedChannel, "id" | "value">; readonly put: RecordChange } {
  const next = { ...value, ...changes, revision: value.revision + 1 };
  return {
    channel: { id, value: next },
    put: { key: channelKey(id), put: JSON.stringify(next), ifVersion: version },
  };
}

export function putMember(
  channel: string,
  { subscriber, value, version }: LoadedMember,
): RecordChange {
  return { key: memberKey(channel, subscriber), put: JSON.stringify(value), ifVersion: version };
}

export function putOwnChannels(
  subscriber: string,
  { version }: Loaded<readonly string[]>,
  channels: readonly string[],
): RecordChange {
  const key = ownChannelsKey(subscriber);
  if (channels.length === 0) return { key, delete: true, ifVersion: version };
  return { key, put: JSON.stringify(channels), ifVersion: version };
}
