/** The machine's own clock, timers and chance. */
import type { Runtime, Timer } from "./core/runtime.ts";

/** `setTimeout` fires at once beyond this. */
const TIMEOUT_MS_MAX = 2 ** 31 - 1;

export const systemRuntime: Runtime = {
  clock: { epochMs: () => Date.now(), monotonicMs: () => performance.now() },
  timers: {
    after,
    soon: (callback) => void setImmediate(callback),
  },
  random: { uuid: () => crypto.randomUUID(), fraction: () => Math.random() },
};

function after(delayMs: number, callback: () => void): Timer {
  const dueMs = performance.now() + delayMs;
  let handle = setTimeout(check, timeoutMs(delayMs));
  return { cancel: () => clearTimeout(handle) };

  // `setTimeout` counts whole milliseconds and may be early by a part of one, which `Timers` rules out.
  function check() {
    const leftMs = dueMs - performance.now();
    if (leftMs <= 0) callback();
    else handle = setTimeout(check, timeoutMs(leftMs));
  }
}

function timeoutMs(leftMs: number): number {
  return Math.min(Math.max(0, Math.ceil(leftMs)), TIMEOUT_MS_MAX);
}
