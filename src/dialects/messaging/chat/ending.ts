/**
 * The end of a channel (messaging.md §7.2). In one step it is gone for everybody: its record, which every right is read from, and its
 * token. The records of a thousand members and their invitations are removed after it, and a note of its own says that
 * this is to be done, so that a kill in between leaves it to the next start.
 */
import type { RecordChange } from "../../../core/engine.ts";
import { optionsOf } from "../../../core/namespaces.ts";
import { CHANNELS } from "../../../core/types.ts";
import { putOwnChannels, type LoadedChannel } from "./channel-records.ts";
import type { ChatContext } from "./context.ts";
import { messageChannel } from "./contract.ts";
import {
  bansKey,
  channelKey,
  ENDING,
  endingKey,
  invitationKey,
  invitedKey,
  inviteTokenKey,
  lastPart,
  membersKey,
  openKey,
  overlaysKey,
} from "./keys.ts";

export interface Ending {
  /** To be made in one step with the changes that belong to them. */
  changes(channel: LoadedChannel): readonly RecordChange[];
  /** What fails is told to `onError` and done at the next start: the channel is gone already. */
  finish(channelId: string): Promise<void>;
  /** Goes on with ends that were interrupted. */
  finishAll(): Promise<void>;
}

/** Records removed at a time, two for each where they lie in two places. */
const SLICE = 100;

export function createEnding(context: ChatContext): Ending {
  const { records, hub, change, channelRecords, onError } = context;

  /** Empties a list, slice by slice. */
  async function empty(
    prefix: string,
    remove: (keys: readonly string[]) => Promise<unknown> = async () => {},
  ): Promise<void> {
    for (;;) {
      const found = await records.list(prefix, { limit: SLICE });
      const keys = found.map(({ key }) => key);
      if (keys.length === 0) return;
      await remove(keys);
      await records.change(keys.map((key) => ({ key, delete: true })));
    }
  }

  function leaveOwn(subscriber: string, channel: string): Promise<void> {
    return change(`own/${subscriber}`, async () => {
      const own = await channelRecords.ownChannels(subscriber);
      if (!own.value.includes(channel)) return { changes: [], result: undefined };
      const rest = own.value.filter((id) => id !== channel);
      return { changes: [putOwnChannels(subscriber, own, rest)], result: undefined };
    });
  }

  /** In this order: a member's own record is the way to the member's list of channels. */
  async function remove(channelId: string): Promise<void> {
    const channel = messageChannel(channelId);
    await empty(membersKey(channelId), (keys) =>
      Promise.all(keys.map((key) => leaveOwn(lastPart(key), channelId))),
    );
    await empty(invitedKey(channelId), (keys) =>
      records.change(
        keys.map((key) => ({ key: invitationKey(lastPart(key), channelId), delete: true })),
      ),
    );
    await empty(bansKey(channelId));
    await empty(overlaysKey(channel));
    await hub.removeHistory(channel);
    // The history that an open channel showed to the other dialects.
    const { history } = optionsOf(hub.namespaces, channelId) ?? {};
    if (history !== undefined) await hub.removeHistory({ space: CHANNELS, name: channelId });
    await records.delete(endingKey(channelId));
  }

  return {
    changes({ id, value, version }) {
      return [
        { key: channelKey(id), delete: true, ifVersion: version },
        { key: inviteTokenKey(value.inviteToken), delete: true },
        { key: openKey(id), delete: true },
        { key: endingKey(id), put: "" },
      ];
    },

    async finish(channelId) {
      await remove(channelId).catch(onError);
    },

    async finishAll() {
      for (let after = ENDING; ;) {
        const found = await records.list(ENDING, { after, limit: SLICE });
        for (const { key } of found) await remove(lastPart(key)).catch(onError);
        const last = found.at(-1);
        if (last === undefined) return;
        after = last.key;
      }
    },
  };
}
