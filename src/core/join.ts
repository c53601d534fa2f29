/**
 * Joining a live channel at a known position: read the history while publications are buffered, merge the two, and
 * answer in the same synchronous step in which the subscription enters its group.
 */
import type { Broker, HistoryPage, HistoryQuery } from "./engine.ts";
import { HubError } from "./errors.ts";
import type { SubscribeOptions, Subscribed } from "./hub.ts";
import { JOIN_ATTEMPTS_MAX, RECOVERY_PUBLICATIONS_MAX } from "./limits.ts";
import type { LiveChannel } from "./live-channel.ts";
import type { Publication, StreamPosition } from "./types.ts";

interface Merged {
  readonly end: StreamPosition;
  /** What is replayed. Undefined: nothing was asked for, or recovery cannot be done. */
  readonly replayed?: readonly Publication[];
}

/**
 * Calls `complete` once, synchronously with the moment at which the channel's groups stand exactly at the position given;
 * not at all when `cancelled` says so first. Throws HubError `unavailable` when the engine never settles.
 */
export async function joinAtPosition(
  live: LiveChannel,
  broker: Broker,
  options: SubscribeOptions & { readonly metaTtlMs: number },
  cancelled: () => boolean,
  complete: (subscribed: Subscribed) => void,
): Promise<void> {
  const query = replayQuery(options);
  const buffer = live.openJoin();
  try {
    for (let attempt = 0; attempt < JOIN_ATTEMPTS_MAX; attempt++) {
      buffer.publications = [];
      const page = await broker.history(live.channel, query, options.metaTtlMs);
      for (;;) {
        if (cancelled()) return;
        const merged = merge(page, buffer.publications, options);
        const state = live.reached(merged.end);
        if (state === "yes") {
          const subscribed = subscribedAt(merged, options);
          if (options.requireRecovery === true && subscribed.recovered === false) {
            throw new HubError(
              "unrecoverable_position",
              "The missed publications are no longer kept",
            );
          }
          return complete(subscribed);
        }
        if (state === "behind") break;
        await live.advance();
        if (page.position.epoch !== (live.top ?? page.position).epoch) break;
      }
    }
    throw new HubError("unavailable", "Joining the channel did not settle");
  } finally {
    live.closeJoin(buffer);
  }
}

function replayQuery({ recoverSince, recoverMax, replayNewest }: SubscribeOptions): HistoryQuery {
  if (recoverSince !== undefined) {
    return { limit: recoverMax ?? RECOVERY_PUBLICATIONS_MAX, sinceOffset: recoverSince.offset };
  }
  return replayNewest === undefined ? { limit: 0 } : { limit: replayNewest, reverse: true };
}

function merge(
  page: HistoryPage,
  buffered: readonly Publication[],
  { recoverSince, replayNewest }: SubscribeOptions,
): Merged {
  const newest = replayNewest === undefined ? undefined : page.publications.toReversed();
  const replayed = recoverSince === undefined ? newest : recoverable(page, recoverSince);
  let end = page.position;
  for (const publication of buffered) {
    const position = publication.position;
    if (position === undefined || position.epoch !== end.epoch || position.offset <= end.offset) {
      continue;
    }
    // A hole: the end stays before it, the channel is found to be further on, and the history is read again.
    if (position.offset > end.offset + 1) break;
    end = position;
    replayed?.push(publication);
  }
  return replayed === undefined ? { end } : { end, replayed };
}

/** What was missed, if the page holds all of it (centrifugo-protocol.md §5.2, the rule for every dialect with positions). */
function recoverable(page: HistoryPage, since: StreamPosition): Publication[] | undefined {
  const { position, publications } = page;
  if (since.epoch !== "" && since.epoch !== position.epoch) return undefined;
  // Ascending, beyond `since` and up to the top: only a page without a hole has as many as the offsets between.
  return publications.length === position.offset - since.offset ? [...publications] : undefined;
}

function subscribedAt(
  { end: position, replayed }: Merged,
  { recoverSince, replayNewest = 0 }: SubscribeOptions,
): Subscribed {
  if (recoverSince !== undefined) {
    return { position, recovered: replayed !== undefined, publications: replayed ?? [] };
  }
  // What was published meanwhile is newer than what the history had.
  return { position, publications: replayNewest > 0 ? (replayed ?? []).slice(-replayNewest) : [] };
}
