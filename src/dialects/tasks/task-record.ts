/**
 * What is kept of a task. Its messages are a channel of the dialect's own space (task-tokens.md §5.3, §5.8): the offset is the
 * sequence number, the history the last message, and joining it loses and doubles nothing. Beside them there is one record, changed
 * by compare-and-set, that lives as long as a token, the clock or a close needs it; and one for each single-use token that was used.
 */
import type { HistoryLimits, Records } from "../../core/engine.ts";
import type { Encoder, Hub, Subscribed } from "../../core/hub.ts";
import { jsonOf } from "../../core/json-text.ts";
import type { Clock } from "../../core/runtime.ts";
import type { Channel, NewPublication, Publication } from "../../core/types.ts";
import { updateRecord } from "../../core/update-record.ts";
import type { TaskToken } from "./client-token.ts";
import { MINUTES_MAX, SEQUENCE_KEPT_MS } from "./limits.ts";

/** A task clock as a task's record notes it. */
export interface ClockNote {
  /** It holds while this is the newest message's sequence number. */
  readonly afterSeq: number;
  /** Epoch milliseconds; null: there is none. */
  readonly deadlineMs: number | null;
}

export interface TaskRecord {
  /** Expiry of the token that lives longest; 0: none is known. */
  readonly tokensUntilMs: number;
  /** Likewise, of those with `send_offline_message`. */
  readonly offlineUntilMs: number;
  /** Tokens issued up to then are refused. */
  readonly revokedMs: number;
  /** Number of the newest connection. */
  readonly newest: number;
  /** A connection that stands alone was accepted: others are to be told of newer ones. */
  readonly displacing: boolean;
  /** Acceptances of the last minute. */
  readonly acceptedMs: readonly number[];
  readonly clock: ClockNote | null;
}

const NOTHING_KNOWN: TaskRecord = {
  tokensUntilMs: 0,
  offlineUntilMs: 0,
  revokedMs: 0,
  newest: 0,
  displacing: false,
  acceptedMs: [],
  clock: null,
};

const MINUTE_MS = 60_000;

export class TaskRecords {
  readonly #records: Records;
  readonly #clock: Clock;

  constructor(records: Records, clock: Clock) {
    this.#records = records;
    this.#clock = clock;
  }

  /** Undefined: nothing is known of the task. */
  async get(taskId: string): Promise<TaskRecord | undefined> {
    const stored = await this.#records.get(keyOf(taskId));
    return stored && parse(stored.value);
  }

  /** `change` is asked again when another change came first; undefined leaves the record as it is. What it throws is thrown. */
  async update(
    taskId: string,
    change: (record: TaskRecord) => TaskRecord | undefined,
  ): Promise<void> {
    await updateRecord(this.#records, keyOf(taskId), (stored) => {
      const changed = change(stored === undefined ? NOTHING_KNOWN : parse(stored.value));
      if (changed === undefined) return { result: undefined };
      return { put: JSON.stringify(changed), ttlMs: this.#lifeMs(changed), result: undefined };
    });
  }

  #lifeMs({ tokensUntilMs, revokedMs, acceptedMs, clock }: TaskRecord): number {
    const untilMs = Math.max(
      tokensUntilMs,
      clock?.deadlineMs ?? 0,
      // Tokens that the record does not know of, since the store was lost in between, live no longer.
      revokedMs === 0 ? 0 : revokedMs + MINUTES_MAX * MINUTE_MS,
      (acceptedMs.at(-1) ?? 0) + MINUTE_MS,
    );
    return Math.max(1, untilMs - this.#clock.epochMs());
  }

  async isUsed({ tokenId }: TaskToken): Promise<boolean> {
    return (await this.#records.get(useKey(tokenId))) !== undefined;
  }

  /** False: another connection was first. */
  async use({ tokenId, expiresMs }: TaskToken): Promise<boolean> {
    const ttlMs = Math.max(1, expiresMs - this.#clock.epochMs());
    return (await this.#records.put(useKey(tokenId), "", { ttlMs, ifVersion: 0 })) !== undefined;
  }

  /** It was not accepted after all. */
  async unuse({ tokenId }: TaskToken): Promise<void> {
    await this.#records.delete(useKey(tokenId));
  }
}

/** The record knows the token, also one that was issued before the store lost its data. */
export function withToken(
  record: TaskRecord,
  { expiresMs, sendOfflineMessage }: TaskToken,
): TaskRecord {
  const tokensUntilMs = Math.max(record.tokensUntilMs, expiresMs);
  const offlineUntilMs = sendOfflineMessage
    ? Math.max(record.offlineUntilMs, expiresMs)
    : record.offlineUntilMs;
  return { ...record, tokensUntilMs, offlineUntilMs };
}

function parse(value: string): TaskRecord {
  return JSON.parse(value) as TaskRecord;
}

function keyOf(taskId: string): string {
  return `tasks/task/${taskId}`;
}

function useKey(tokenId: string): string {
  return `tasks/used/${tokenId}`;
}

export interface TaskMessage {
  readonly seq: number;
  /** JSON text of a string: as `invoke_envoy` was given it. */
  readonly message: string;
  readonly sentMs: number;
  /** 0: the last message. */
  readonly newTimeoutMs: number;
  /** Until when later connections receive it; 0: they do not. */
  readonly keptUntilMs: number;
}

/** A task's stream at one moment. */
export interface TaskStream {
  /** Sequence number of the newest message; 0: none yet. */
  readonly top: number;
  /** The newest message, while the stream has it: also one that is not kept for connections. */
  readonly last?: TaskMessage;
}

/** What all connections of a task are sent alike; each puts its own frame around it. */
export const taskEncoder: Encoder = {
  name: "tasks",
  encode(push) {
    if (push.type !== "publication") return undefined;
    return "json" in push.publication.data ? push.publication.data.json : undefined;
  },
};

export function channelOf(taskId: string): Channel {
  return { space: "tasks", name: taskId };
}

/** The label of a task's connections, for signals. */
export function labelOf(taskId: string): string {
  return `task:${taskId}`;
}

export function toPublication(
  message: string,
  { newTimeoutMs, keptUntilMs }: Pick<TaskMessage, "newTimeoutMs" | "keptUntilMs">,
): NewPublication {
  return {
    data: { json: jsonOf(message) },
    tags: { new_timeout: `${newTimeoutMs}`, kept_until: `${keptUntilMs}` },
  };
}

/** The newest alone, for so long. */
export function limitsOf(ttlMs: number): HistoryLimits {
  return { size: 1, ttlMs, metaTtlMs: Math.max(ttlMs, SEQUENCE_KEPT_MS) };
}

export function messageOf({ data, tags = {}, timeMs, position }: Publication): TaskMessage {
  return {
    seq: position?.offset ?? 0,
    message: "json" in data ? data.json : '""',
    sentMs: timeMs,
    newTimeoutMs: Number(tags["new_timeout"]),
    keptUntilMs: Number(tags["kept_until"]),
  };
}

export function streamOf({ position, publications }: Subscribed): TaskStream {
  const newest = publications.at(-1);
  const top = position?.offset ?? 0;
  return newest === undefined ? { top } : { top, last: messageOf(newest) };
}

export async function readStream(hub: Hub, taskId: string): Promise<TaskStream> {
  return streamOf(await hub.history(channelOf(taskId), { limit: 1, reverse: true }));
}
