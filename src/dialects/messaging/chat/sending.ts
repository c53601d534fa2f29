/** Messages are published (messaging.md §7.4, §11.1), each once, also when it is sent again. */
import { IDEMPOTENCY_TTL_MS, type HistoryLimits, type RecordChange } from "../../../core/engine.ts";
import { HubError } from "../../../core/errors.ts";
import type { Channel, StreamPosition } from "../../../core/types.ts";
import { RECORD_ATTEMPTS_MAX } from "../../../core/update-record.ts";
import type { ChatContext } from "./context.ts";
import type { Sent } from "./contract.ts";
import { dedupeId, dedupeKey } from "./keys.ts";
import { dedupeOf, messageOf, payloadOf, type Draft } from "./message-data.ts";
import { DEDUPE_TTL_MS, SEQUENCE_TTL_MS } from "./settings.ts";

export interface Published extends Sent {
  /** Of the stream, for pushes. */
  readonly epoch?: string;
  /** To be written after the message's other records: from then on a repetition does nothing at all. */
  readonly settle: readonly RecordChange[];
}

/** Of a `dedupe-key`, kept from before its message is published. */
interface Attempt {
  /** The message's. */
  readonly timeMs: number;
  /** Where the conversation stood: the message is behind it. */
  readonly since: number;
  /** The message's, once all that is kept of it is. */
  readonly sequence?: number;
}

export interface Repeatable {
  readonly dedupeKey?: string | undefined;
  /** The engine's own, of a push: that dialect's promise, and not a day's. */
  readonly idempotencyKey?: string | undefined;
}

export type Publish = (draft: Draft, repeatable: Repeatable) => Promise<Published>;

/** Messages read at a time in search of one. */
const SEARCH_PAGE = 50;

export function createPublish({ hub, records, runtime, settings }: ChatContext): Publish {
  const { clock } = runtime;
  const history: HistoryLimits = {
    size: settings.history_size,
    ttlMs: settings.history_ttl,
    metaTtlMs: SEQUENCE_TTL_MS,
  };

  async function publish(
    draft: Draft,
    {
      timeMs,
      dedupe,
      key,
    }: { readonly timeMs: number; readonly dedupe?: string; readonly key: string | undefined },
  ): Promise<StreamPosition> {
    const data = payloadOf(draft, { timeMs, dedupe });
    const options = key === undefined ? { history } : { history, idempotencyKey: key };
    const { channel, connectionId } = draft;
    const except = connectionId === undefined ? {} : { exceptConnectionId: connectionId };
    const position = await hub.publish(channel, { data, ...except }, options);
    if (position === undefined) throw new Error("A message took no sequence number");
    return position;
  }

  /** The sequence number of the message of an earlier attempt; undefined: it was not published. */
  async function find(channel: Channel, since: number, dedupe: string) {
    for (let offset = since; ;) {
      const options = { limit: SEARCH_PAGE, since: { epoch: "", offset } };
      const { publications } = await hub.history(channel, options);
      const found = publications.find((publication) => dedupeOf(publication) === dedupe);
      if (found !== undefined) return found.position?.offset;
      const last = publications.at(-1)?.position?.offset;
      if (last === undefined) return undefined;
      offset = last;
    }
  }

  /**
   * The attempt that decides: this one's, or an earlier one's with the same key. It is kept before the message is published: after a
   * kill between the two, or one before it was settled, the next attempt takes the message's time from it, and publishes
   * under the engine's own key, which publishes once however many race; when the engine may have forgotten that key, the
   * message is looked for in the conversation.
   */
  async function attemptOf(
    channel: Channel,
    dedupe: string,
  ): Promise<{ readonly attempt: Attempt; readonly published?: number }> {
    const key = dedupeKey(dedupe);
    for (let tries = 0; tries < RECORD_ATTEMPTS_MAX; tries++) {
      const timeMs = clock.epochMs();
      const known = await records.get(key);
      const earlier = known && (JSON.parse(known.value) as Attempt);
      if (earlier?.sequence !== undefined) return { attempt: earlier };
      if (earlier !== undefined) {
        const age = Math.abs(timeMs - earlier.timeMs);
        if (age < IDEMPOTENCY_TTL_MS / 2) return { attempt: earlier };
        const published = await find(channel, earlier.since, dedupe);
        if (published !== undefined) return { attempt: earlier, published };
      }
      const since = (await hub.history(channel, { limit: 0 })).position.offset;
      const attempt: Attempt = { timeMs, since };
      const options = { ttlMs: DEDUPE_TTL_MS, ifVersion: known?.version ?? 0 };
      const put = await records.put(key, JSON.stringify(attempt), options);
      if (put !== undefined) return { attempt };
    }
    throw new HubError("unavailable", "Other callers send this message too often: try again");
  }

  return async (draft, { dedupeKey: chosen, idempotencyKey }) => {
    if (chosen === undefined) {
      const timeMs = clock.epochMs();
      const { offset, epoch } = await publish(draft, { timeMs, key: idempotencyKey });
      return { message: messageOf(draft, offset, timeMs), epoch, repeated: false, settle: [] };
    }
    const dedupe = dedupeId(draft.from, draft.channel, chosen);
    const { attempt, published } = await attemptOf(draft.channel, dedupe);
    const { timeMs } = attempt;
    if (attempt.sequence !== undefined) {
      return { message: messageOf(draft, attempt.sequence, timeMs), repeated: true, settle: [] };
    }
    const sequence = published ?? (await publish(draft, { timeMs, dedupe, key: dedupe })).offset;
    const settled: Attempt = { ...attempt, sequence };
    const put = { key: dedupeKey(dedupe), put: JSON.stringify(settled), ttlMs: DEDUPE_TTL_MS };
    return { message: messageOf(draft, sequence, timeMs), repeated: false, settle: [put] };
  };
}
