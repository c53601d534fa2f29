/** Walks of the many: as fast as they go, but never for long in one turn of the event loop. */
import { CONTROL_DEADLINE_MS, SCAN_SLICE_MS } from "./limits.ts";
import type { Runtime } from "./runtime.ts";

/** Visits between two looks at the clock, which costs as much as a cheap visit does. */
const STRIDE_MAX = 16;
/** As long as so many visits take less, the next ones may be more. */
const STRIDE_MS = 0.1;

/**
 * Visits the items as they are while it walks: one that comes or goes meanwhile may or may not be visited. Gives up when
 * the deadline of whoever asks has passed.
 */
export async function scan<Item>(
  items: Iterable<Item>,
  { clock, timers }: Pick<Runtime, "clock" | "timers">,
  visit: (item: Item) => void,
): Promise<void> {
  const startMs = clock.monotonicMs();
  let sliceEndMs = startMs + SCAN_SLICE_MS;
  let lookedMs = startMs;
  let stride = 1;
  let left = stride;
  for (const item of items) {
    visit(item);
    if (--left > 0) continue;
    let nowMs = clock.monotonicMs();
    stride = nowMs - lookedMs < STRIDE_MS ? Math.min(stride * 2, STRIDE_MAX) : 1;
    left = stride;
    if (nowMs >= sliceEndMs) {
      // Many items or costly visits must not stall the connections meanwhile.
      await new Promise<void>((resolve) => timers.soon(resolve));
      nowMs = clock.monotonicMs();
      if (nowMs > startMs + CONTROL_DEADLINE_MS) return;
      sliceEndMs = nowMs + SCAN_SLICE_MS;
    }
    lookedMs = nowMs;
  }
}
