/**
 * The group commit: everything that is asked for in one turn of the event loop is written by one transaction, then
 * handed out in the order of asking, then answered.
 *
 * All three happen in one synchronous block, and reads that must agree with the fan-out (`history`) are jobs too, run
 * behind it. So whoever awaits a page finds in it exactly what listeners were given so far. A listener that publishes
 * or reads from within the fan-out lands in the next turn's batch, behind what it has yet to be handed.
 */
import { HubError } from "../../core/errors.ts";
import type { Timers } from "../../core/runtime.ts";
import { isDamage } from "./data-file.ts";
import { isRefusal, type Store } from "./store.ts";

/** The steps of one call, in this order; every job of the batch does one step before any does the next. */
export interface Job<Result> {
  /** Whether `write` is needed. May read the store. */
  writes(nowMs: number): boolean;
  /** Within the transaction. What it throws undoes the whole batch. */
  write(nowMs: number): void;
  /** Calls listeners. Not called when the transaction failed and this job writes. */
  deliver?(nowMs: number): void;
  /** The call's answer. May read the store. */
  result(nowMs: number): Result;
}

export interface CommitQueueOptions {
  readonly store: Store;
  readonly timers: Pick<Timers, "soon">;
  /** What a listener threw, while the others were served all the same; and errors of our own making in a write. */
  readonly onBug: (error: unknown) => void;
}

interface Entry {
  readonly job: Job<unknown>;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  writes: boolean;
  failure: HubError | undefined;
}

export class CommitQueue {
  readonly #options: CommitQueueOptions;
  #entries: Entry[] = [];
  #closed = false;
  #failure: HubError | undefined;
  #damaged = false;

  constructor(options: CommitQueueOptions) {
    this.#options = options;
  }

  /** Why the database was last refused; undefined once a transaction got through. */
  get failure(): HubError | undefined {
    return this.#failure;
  }

  /** Something was read that is not what was written. It stays. */
  get damaged(): boolean {
    return this.#damaged;
  }

  /** Rejects with HubError `unavailable` when the transaction failed or the queue is closed. */
  submit<Result>(job: Job<Result>): Promise<Result> {
    if (this.#closed) return Promise.reject(closedError());
    const { promise, resolve, reject } = Promise.withResolvers<Result>();
    const settle = resolve as (result: unknown) => void;
    this.#entries.push({ job, resolve: settle, reject, writes: false, failure: undefined });
    if (this.#entries.length === 1) this.#options.timers.soon(() => this.#flush());
    return promise;
  }

  /** At once, for what need not agree with the fan-out. Throws HubError `unavailable`. */
  read<Result>(look: (store: Store) => Result): Result {
    this.requireOpen();
    try {
      return look(this.#options.store);
    } catch (error) {
      throw this.#refused("Cannot read from the database", error);
    }
  }

  /** Throws HubError `unavailable` after `close`: for calls that need no job. */
  requireOpen(): void {
    if (this.#closed) throw closedError();
  }

  /** Flushes what was asked for so far and refuses the rest. */
  close(): void {
    this.#closed = true;
    this.#flush();
  }

  #flush(): void {
    const entries = this.#entries;
    if (entries.length === 0) return;
    this.#entries = [];
    const nowMs = this.#options.store.database.nowMs();
    this.#commit(entries, nowMs);
    for (const { job, failure } of entries) {
      if (failure !== undefined) continue;
      try {
        job.deliver?.(nowMs);
      } catch (error) {
        this.#options.onBug(error);
      }
    }
    for (const entry of entries) {
      if (entry.failure !== undefined) entry.reject(entry.failure);
      else this.#answer(entry, nowMs);
    }
  }

  #commit(entries: readonly Entry[], nowMs: number): void {
    let writing = 0;
    for (const entry of entries) {
      try {
        entry.writes = entry.job.writes(nowMs);
        if (entry.writes) writing += 1;
      } catch (error) {
        entry.failure = this.#refused("Cannot read from the database", error);
      }
    }
    if (writing === 0) return;
    const { store } = this.#options;
    try {
      store.transaction(() => {
        // Each write adds one row at the most, so twice as many keeps the expired from piling up between sweeps.
        store.expirePublications(nowMs, 2 * writing);
        for (const { job, writes } of entries) if (writes) job.write(nowMs);
      });
      this.#failure = undefined;
    } catch (error) {
      const failure = this.#refused("Cannot write to the database", error);
      for (const entry of entries) if (entry.writes) entry.failure = failure;
    }
  }

  #answer({ job, resolve, reject }: Entry, nowMs: number): void {
    let result: unknown;
    try {
      result = job.result(nowMs);
    } catch (error) {
      reject(this.#refused("Cannot read from the database", error));
      return;
    }
    resolve(result);
  }

  #refused(message: string, cause: unknown): HubError {
    if (!isRefusal(cause)) this.#options.onBug(cause);
    this.#damaged ||= isDamage(cause);
    this.#failure = new HubError("unavailable", message, { cause });
    return this.#failure;
  }
}

/** The moment at which something ends; finite, since the database keeps whole numbers. */
export function expiryMs(nowMs: number, ttlMs: number): number {
  return Math.min(Math.ceil(nowMs + ttlMs), Number.MAX_SAFE_INTEGER);
}

export function closedError(): HubError {
  return new HubError("unavailable", "The engine is closed");
}
