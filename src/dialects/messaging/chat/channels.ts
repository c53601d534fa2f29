/** Channels as their members list and change them (messaging.md §7.2). */
import type { RecordChange } from "../../../core/engine.ts";
import { mergeAttributes, requireSmall } from "./attributes.ts";
import { changed, viewOf, type StoredChannel } from "./channel-records.ts";
import { storedJson } from "../../../core/json-text.ts";
import type { ChatContext } from "./context.ts";
import type { Channels, Membership } from "./contract.ts";
import type { Ending } from "./ending.ts";
import { newInviteToken } from "./ids.ts";
import { requireToken, tokenInUse } from "./joining.ts";
import { inviteTokenKey, lastPart, OPEN, openKey } from "./keys.ts";
import { LIST_PAGE } from "./settings.ts";

export function createChannels(
  context: ChatContext,
  ending: Ending,
): Pick<Channels, "update" | "delete" | "ids" | "list" | "find" | "discover"> {
  const { records, runtime, settings, change, channelRecords } = context;

  async function find(caller: string, channelId: string): Promise<Membership | undefined> {
    const [channel, member] = await Promise.all([
      channelRecords.channel(channelId),
      channelRecords.member(channelId, caller),
    ]);
    return channel && member && channelRecords.membership(channel, member);
  }

  /** The change of the token's own record. One that is taken is somebody else's by then. */
  async function moveToken(
    id: string,
    { inviteToken: present }: StoredChannel,
    inviteToken: string,
  ): Promise<readonly RecordChange[]> {
    if (inviteToken === present) return [];
    if ((await records.get(inviteTokenKey(inviteToken))) !== undefined) throw tokenInUse();
    return [
      { key: inviteTokenKey(present), delete: true },
      { key: inviteTokenKey(inviteToken), put: id, ifVersion: 0 },
    ];
  }

  return {
    find,

    async update(caller, channelId, { name, inviteToken, attributes, access }) {
      requireToken(inviteToken);
      return change(`channel/${channelId}`, async () => {
        const { channel, member } = await channelRecords.requireAdministrator(caller, channelId);
        const { value } = channel;
        const merged =
          attributes === undefined
            ? undefined
            : mergeAttributes(storedJson(value.attributes), attributes);
        if (merged !== undefined) requireSmall(merged, settings);
        const token = inviteToken === "" ? newInviteToken(runtime) : inviteToken;
        const next = changed(channel, {
          name: name ?? value.name,
          attributes: merged ?? value.attributes,
          access: access ?? value.access,
          inviteToken: token ?? value.inviteToken,
        });
        const open: RecordChange = { key: openKey(channelId), put: "" };
        const closed: RecordChange = { key: openKey(channelId), delete: true };
        return {
          changes: [
            next.put,
            ...(token === undefined ? [] : await moveToken(channelId, value, token)),
            ...(access === undefined ? [] : [access === "open" ? open : closed]),
          ],
          result: await channelRecords.membership({ ...channel, ...next.channel }, member),
        };
      });
    },

    async delete(caller, channelId) {
      const view = await change(`channel/${channelId}`, async () => {
        const { channel } = await channelRecords.requireAdministrator(caller, channelId);
        return { changes: ending.changes(channel), result: viewOf(channel) };
      });
      await ending.finish(channelId);
      return view;
    },

    ids: async (caller) => (await channelRecords.ownChannels(caller)).value,

    async list(caller) {
      const { value: ids } = await channelRecords.ownChannels(caller);
      const found = await Promise.all(ids.map((id) => find(caller, id)));
      return found
        .filter((membership) => membership !== undefined)
        .sort((a, b) => (a.channelId < b.channelId ? -1 : 1));
    },

    async discover(caller, { after = "", limit = LIST_PAGE }) {
      const found = await records.list(OPEN, { after: OPEN + after, limit: limit + 1 });
      const items = await Promise.all(
        found.slice(0, limit).map(async ({ key }) => {
          const channel = await channelRecords.channel(lastPart(key));
          if (channel === undefined) return undefined;
          const membership = await find(caller, channel.id);
          return { ...viewOf(channel), ...(membership === undefined ? {} : { membership }) };
        }),
      );
      const more = found.length > limit;
      return { items: items.filter((item) => item !== undefined), more };
    },
  };
}
