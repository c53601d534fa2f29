/** Members as they are listed, and their role (messaging.md §7.2, §7.3). */
import { Refusal } from "../errors.ts";
import {
  changed,
  loaded,
  memberOf,
  putMember,
  viewOf,
  type StoredMember,
} from "./channel-records.ts";
import type { ChatContext } from "./context.ts";
import type { Members } from "./contract.ts";
import { lastPart, memberKey, membersKey } from "./keys.ts";
import { LIST_PAGE } from "./settings.ts";

export function createMembers(context: ChatContext): Pick<Members, "list" | "setAdministrator"> {
  const { records, change, channelRecords } = context;
  return {
    async list(caller, channelId, { after, limit = LIST_PAGE }) {
      await channelRecords.requireMember(caller, channelId);
      const found = await records.list(membersKey(channelId), {
        ...(after === undefined ? {} : { after: memberKey(channelId, after) }),
        limit: limit + 1,
      });
      const items = found
        .slice(0, limit)
        .map(({ key, ...record }) =>
          memberOf({ subscriber: lastPart(key), ...loaded<StoredMember>({ key, ...record }) }),
        );
      return { items, more: found.length > limit };
    },

    async setAdministrator(caller, channelId, { subscriber, administrator }) {
      return change(`channel/${channelId}`, async () => {
        const { channel } = await channelRecords.requireAdministrator(caller, channelId);
        const member = await channelRecords.member(channelId, subscriber);
        if (member === undefined) {
          const details = { field: "subscriber" };
          throw new Refusal("not-found", "The channel has no such subscriber", details);
        }
        if (member.value.administrator === administrator) {
          const result = { channel: viewOf(channel), member: memberOf(member), changed: false };
          return { changes: [], result };
        }
        const administrators = channel.value.administrators + (administrator ? 1 : -1);
        if (administrators === 0) {
          throw new Refusal("last-administrator", "The channel would be without administrator");
        }
        const next = changed(channel, { administrators });
        const changedMember = { ...member, value: { ...member.value, administrator } };
        return {
          changes: [next.put, putMember(channelId, changedMember)],
          result: {
            channel: viewOf(next.channel),
            member: memberOf(changedMember),
            changed: true,
          },
        };
      });
    },
  };
}
