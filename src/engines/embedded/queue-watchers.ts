/** Who on this node wants to know that a queue of one app may have something due, and the timers that find out. */
import type { Timer, Timers } from "../../core/runtime.ts";
import { isRefusal, type Store } from "./store.ts";

export interface QueueWatchersOptions {
  readonly app: string;
  readonly store: Store;
  readonly timers: Pick<Timers, "after">;
  /** What a watcher threw, while the others were called all the same. */
  readonly onBug: (error: unknown) => void;
}

interface Watcher {
  readonly onDue: () => void;
}

interface Watched {
  readonly watchers: Set<Watcher>;
  /** Whatever was due up to this moment was called out. */
  checkedMs: number;
  timer: Timer | undefined;
}

/** The clock may jump forward, and a timer does not see that. */
const TIMER_MS_MAX = 60_000;

export class QueueWatchers {
  readonly #options: QueueWatchersOptions;
  readonly #queues = new Map<string, Watched>();
  /** Changed since the last look, and whether something is due by that. */
  readonly #changed = new Map<string, boolean>();

  constructor(options: QueueWatchersOptions) {
    this.#options = options;
  }

  /** The answer ends it. */
  watch(queue: string, onDue: () => void): () => void {
    const watcher: Watcher = { onDue };
    const known = this.#queues.get(queue);
    if (known === undefined) {
      const checkedMs = this.#options.store.database.nowMs();
      const watched: Watched = { watchers: new Set([watcher]), checkedMs, timer: undefined };
      this.#queues.set(queue, watched);
      this.#check(queue, false);
    } else known.watchers.add(watcher);
    return () => this.#unwatch(queue, watcher);
  }

  /** Something was committed. Calls come once for all that one transaction changed, behind it. */
  changed(queue: string, due: boolean): void {
    if (!this.#queues.has(queue)) return;
    if (this.#changed.size === 0) queueMicrotask(() => this.#checkChanged());
    this.#changed.set(queue, due || this.#changed.get(queue) === true);
  }

  close(): void {
    for (const { timer } of this.#queues.values()) timer?.cancel();
    this.#queues.clear();
  }

  #unwatch(queue: string, watcher: Watcher): void {
    const watched = this.#queues.get(queue);
    if (!watched?.watchers.delete(watcher) || watched.watchers.size > 0) return;
    watched.timer?.cancel();
    this.#queues.delete(queue);
  }

  #checkChanged(): void {
    const changed = [...this.#changed];
    this.#changed.clear();
    for (const [queue, due] of changed) this.#check(queue, due);
  }

  /** Sets the timer for what is next, and calls out what became due since the last check. */
  #check(queue: string, due: boolean): void {
    const watched = this.#queues.get(queue);
    if (watched === undefined) return;
    const { store, timers } = this.#options;
    const nowMs = store.database.nowMs();
    const missedMs = this.#nextDueMs(queue, watched.checkedMs);
    const becameDue = missedMs <= nowMs;
    const nextMs = becameDue ? this.#nextDueMs(queue, nowMs) : missedMs;
    watched.checkedMs = nowMs;
    watched.timer?.cancel();
    watched.timer =
      nextMs === Infinity
        ? undefined
        : timers.after(Math.min(nextMs - nowMs, TIMER_MS_MAX), () => this.#check(queue, false));
    if (due || becameDue) this.#call(watched);
  }

  /** A database that cannot be read now is asked again later. */
  #nextDueMs(queue: string, afterMs: number): number {
    const { app, store } = this.#options;
    try {
      const row = store.queues.queue(app, queue);
      return row === undefined ? Infinity : store.queues.nextDueMs(row.id, afterMs);
    } catch (error) {
      if (!isRefusal(error)) this.#options.onBug(error);
      return afterMs + TIMER_MS_MAX;
    }
  }

  #call({ watchers }: Watched): void {
    for (const watcher of [...watchers]) {
      // One that was called may have ended another's watch.
      if (!watchers.has(watcher)) continue;
      try {
        watcher.onDue();
      } catch (error) {
        this.#options.onBug(error);
      }
    }
  }
}
