/** How long to wait until a worker that died is started again: a fault that stays must not cost a core. */

const FIRST_MS = 100;
const MAX_MS = 10_000;
/** A worker that lived so long had no fault in its start: the next one begins with the first delay. */
const HEALTHY_MS = 30_000;

export interface RestartDelay {
  /** Milliseconds to wait after a life of this length. */
  after(livedMs: number): number;
}

export function createRestartDelay(): RestartDelay {
  let nextMs = FIRST_MS;
  return {
    after(livedMs) {
      const delayMs = livedMs >= HEALTHY_MS ? FIRST_MS : nextMs;
      nextMs = Math.min(MAX_MS, delayMs * 2);
      return delayMs;
    },
  };
}
