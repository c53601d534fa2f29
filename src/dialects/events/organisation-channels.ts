/** Which channels of an organisation may have a history: what deprovisioning removes (event-streaming.md §6.2, step 4). */
import type { Records } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Hub } from "../../core/hub.ts";
import type { Clock } from "../../core/runtime.ts";
import { CHANNELS } from "../../core/types.ts";
import type { Organisation } from "./organisations.ts";

/** Notes that this node need not make again yet; beyond it they are forgotten, and made again. */
export const NOTES_MAX = 100_000;
const PAGE = 1_000;

export interface OrganisationChannels {
  /** Once resolved the channel will be found, for as long as it keeps what is published now. */
  note(organisation: Organisation, channel: string, historyTtlMs: number): Promise<void>;
  /** Drops the history of every channel that was noted. May be repeated. */
  removeHistory(organisationId: string): Promise<void>;
}

export interface OrganisationChannelsOptions {
  readonly records: Records;
  readonly hub: Pick<Hub, "removeHistory">;
  readonly clock: Clock;
}

export function createOrganisationChannels({
  records,
  hub,
  clock,
}: OrganisationChannelsOptions): OrganisationChannels {
  /** Until when, epoch milliseconds, a note stands that was made here. */
  const noted = new Map<string, number>();

  return {
    async note({ id, generation }, channel, historyTtlMs) {
      const nowMs = clock.epochMs();
      const known = `${generation}/${channel}`;
      if ((noted.get(known) ?? 0) > nowMs) return;
      // It outlives the history of everything that is published before it is made again.
      await records.put(prefixOf(id) + channel, "", { ttlMs: 2 * historyTtlMs });
      if (noted.size >= NOTES_MAX) noted.clear();
      noted.set(known, nowMs + historyTtlMs);
    },

    async removeHistory(organisationId) {
      const prefix = prefixOf(organisationId);
      for (;;) {
        const found = await records.list(prefix, { limit: PAGE });
        for (const { key } of found) {
          await remove(hub, key.slice(prefix.length));
          await records.delete(key);
        }
        if (found.length < PAGE) return;
      }
    },
  };
}

function prefixOf(organisationId: string): string {
  return `events/channel/${organisationId}/`;
}

async function remove(hub: Pick<Hub, "removeHistory">, name: string): Promise<void> {
  try {
    await hub.removeHistory({ space: CHANNELS, name });
  } catch (error) {
    // The namespace keeps none any more.
    if (!(error instanceof HubError && error.code === "not_available")) throw error;
  }
}
