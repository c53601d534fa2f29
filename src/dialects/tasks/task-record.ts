/**
 * What is remembered of a task beside its messages: one record, changed by compare-and-set, that lives as long as a token, the
 * clock or a close needs it (task-tokens.md §5.3); and a record for each single-use token that was used.
 */
import type { Records } from "../../core/engine.ts";
import type { Clock } from "../../core/runtime.ts";
import { updateRecord } from "../../core/update-record.ts";
import type { TaskToken } from "./client-token.ts";
import { MINUTES_MAX } from "./limits.ts";

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
