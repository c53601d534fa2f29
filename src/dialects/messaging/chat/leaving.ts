/** Members leave, by themselves or by an administrator (messaging.md §7.2, §7.3): who follows the last administrator, and the end of a channel. */
import type { RecordChange } from "../../../core/engine.ts";
import { Refusal } from "../errors.ts";
import {
  changed,
  loaded,
  memberOf,
  putMember,
  putOwnChannels,
  viewOf,
  type LoadedChannel,
  type LoadedMember,
  type StoredMember,
} from "./channel-records.ts";
import type { Planned } from "./change.ts";
import type { ChatContext } from "./context.ts";
import type { Channels, Left, Members } from "./contract.ts";
import type { Ending } from "./ending.ts";
import { banKey, channelKey, lastPart, memberKey, membersKey } from "./keys.ts";
import { BANS_MAX } from "./settings.ts";

export function createLeaving(
  context: ChatContext,
  ending: Ending,
): Pick<Channels, "leave" | "leaveAll"> & Pick<Members, "remove"> {
  const { records, settings, change, channelRecords } = context;

  /** Changes of a member's leaving beside the channel's record. */
  async function withoutMember(id: string, member: LoadedMember): Promise<RecordChange[]> {
    const { subscriber, version } = member;
    const own = await channelRecords.ownChannels(subscriber);
    const rest = own.value.filter((channel) => channel !== id);
    return [
      { key: memberKey(id, subscriber), delete: true, ifVersion: version },
      putOwnChannels(subscriber, own, rest),
    ];
  }

  /** The longest-standing of the others; undefined: they left since the channel was read. */
  async function successorOf(
    { id }: LoadedChannel,
    leaving: string,
  ): Promise<LoadedMember | undefined> {
    const found = await records.list(membersKey(id), { limit: settings.member_limit + 1 });
    const others = found
      .map((record) => ({ subscriber: lastPart(record.key), ...loaded<StoredMember>(record) }))
      .filter(({ subscriber }) => subscriber !== leaving)
      .sort((a, b) => a.value.order - b.value.order);
    const [first] = others;
    return first && { ...first, value: { ...first.value, administrator: true } };
  }

  /** Fails by the channel's version, so that the change is planned again. */
  function again({ id, version }: LoadedChannel): Planned<never> {
    return {
      changes: [{ key: channelKey(id), ifVersion: version }],
      result: () => {
        throw new Error("A channel counts members that it does not have");
      },
    };
  }

  async function leave(caller: string, channelId: string): Promise<Left> {
    const left = await change(`channel/${channelId}`, async (): Promise<Planned<Left>> => {
      const { channel, member } = await channelRecords.requireMember(caller, channelId);
      const without = await withoutMember(channelId, member);
      const { members, administrators } = channel.value;
      if (members === 1) {
        // Later than all that its members were told of it.
        const gone = viewOf(changed(channel, { members: 0 }).channel);
        return { changes: [...ending.changes(channel), ...without], result: { channel: gone } };
      }
      const { administrator } = member.value;
      const last = administrator && administrators === 1;
      const successor = last ? await successorOf(channel, caller) : undefined;
      if (last && successor === undefined) return again(channel);
      const rest = administrators - Number(administrator && !last);
      const next = changed(channel, { members: members - 1, administrators: rest });
      return {
        changes: [
          next.put,
          ...without,
          ...(successor === undefined ? [] : [putMember(channelId, successor)]),
        ],
        result: {
          channel: viewOf(next.channel),
          ...(successor === undefined ? {} : { successor: memberOf(successor) }),
        },
      };
    });
    if (left.channel.subscribers === 0) await ending.finish(channelId);
    return left;
  }

  return {
    leave,

    async leaveAll(subscriber) {
      const left: Left[] = [];
      for (const id of (await channelRecords.ownChannels(subscriber)).value) {
        try {
          left.push(await leave(subscriber, id));
        } catch (error) {
          // It is gone, or the subscriber was removed meanwhile.
          if (!(error instanceof Refusal)) throw error;
        }
      }
      return left;
    },

    async remove(caller, channelId, { subscriber, ban = false }) {
      return change(`channel/${channelId}`, async () => {
        const { channel } = await channelRecords.requireAdministrator(caller, channelId);
        if (subscriber === caller) {
          const reason = "Leave the channel instead of removing yourself";
          throw new Refusal("invalid-field", reason, { field: "subscriber" });
        }
        const member = await channelRecords.member(channelId, subscriber);
        if (member === undefined) {
          const details = { field: "subscriber" };
          throw new Refusal("not-found", "The channel has no such subscriber", details);
        }
        const { members, administrators, bans } = channel.value;
        if (ban && bans >= BANS_MAX) {
          throw new Refusal("limit-reached", `A channel may ban ${BANS_MAX} subscribers`);
        }
        const next = changed(channel, {
          members: members - 1,
          administrators: administrators - Number(member.value.administrator),
          bans: bans + Number(ban),
        });
        const banning = { key: banKey(channelId, subscriber), put: "", ifVersion: 0 };
        return {
          changes: [
            next.put,
            ...(await withoutMember(channelId, member)),
            ...(ban ? [banning] : []),
          ],
          result: viewOf(next.channel),
        };
      });
    },
  };
}
