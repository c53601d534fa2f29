/** Work on the many: as fast as it goes, but never for long in one turn of the event loop. */
import { SLICE_MS } from "./limits.ts";
import type { Runtime } from "./runtime.ts";

export interface SlicesOptions {
  /** Milliseconds after which the rest is left undone, since nobody waits for it any more. Absent: it is all done. */
  readonly deadlineMs?: number;
}

/** One for each job, whose parts share its slices. */
export class Slices {
  readonly #runtime: Pick<Runtime, "clock" | "timers">;
  readonly #deadlineMs: number;
  /** The first slice is a turn of its own: what led to the job may have taken long already. */
  #endMs = -Infinity;

  constructor(runtime: Pick<Runtime, "clock" | "timers">, { deadlineMs }: SlicesOptions = {}) {
    this.#runtime = runtime;
    this.#deadlineMs = runtime.clock.monotonicMs() + (deadlineMs ?? Infinity);
  }

  /**
   * Visits the items as they are while it walks: one that comes or goes meanwhile may or may not be visited. `betweenLooks` at the clock:
   * how many visits, of which all take next to nothing; a look costs more than each of them.
   */
  async each<Item>(
    items: Iterable<Item>,
    visit: (item: Item) => void,
    { betweenLooks = 1 }: { readonly betweenLooks?: number } = {},
  ): Promise<void> {
    let visits = 0;
    for (const item of items) {
      if (visits++ % betweenLooks === 0 && this.isOver && !(await this.turn())) return;
      visit(item);
    }
  }

  /** Whether the next part of the job has to wait for its `turn`. */
  get isOver(): boolean {
    return this.#runtime.clock.monotonicMs() >= this.#endMs;
  }

  /** What comes next cannot be cut, and takes long: it waits for a turn of its own. */
  end(): void {
    this.#endMs = -Infinity;
  }

  /** Before a part of the job: at once within the slice, else in the next one. False: nobody waits for it any more. */
  async turn(): Promise<boolean> {
    if (!this.isOver) return true;
    const { clock, timers } = this.#runtime;
    await new Promise<void>((resolve) => timers.soon(resolve));
    const nowMs = clock.monotonicMs();
    this.#endMs = nowMs + SLICE_MS;
    return nowMs <= this.#deadlineMs;
  }

  /** Begins each item's run within its slice; they go on at the same time. The results come in the items' order. */
  async map<Item, Result>(
    items: Iterable<Item>,
    run: (item: Item) => Promise<Result>,
  ): Promise<Result[]> {
    const running: Promise<Result>[] = [];
    await this.each(items, (item) => {
      const result = run(item);
      // One that fails before the last has begun is told of below.
      result.catch(() => {});
      running.push(result);
    });
    return Promise.all(running);
  }
}
