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

  /** Visits the items as they are while it walks: one that comes or goes meanwhile may or may not be visited. */
  async each<Item>(items: Iterable<Item>, visit: (item: Item) => void): Promise<void> {
    const { clock, timers } = this.#runtime;
    for (const item of items) {
      if (clock.monotonicMs() >= this.#endMs) {
        await new Promise<void>((resolve) => timers.soon(resolve));
        const nowMs = clock.monotonicMs();
        if (nowMs > this.#deadlineMs) return;
        this.#endMs = nowMs + SLICE_MS;
      }
      visit(item);
    }
  }
}
