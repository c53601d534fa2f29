import { createTestRuntime } from "./runtime.ts";

/** A runtime whose turns of the event loop wait until the test lets them go on. */
export function createHeldRuntime() {
  const runtime = createTestRuntime();
  let held: (() => void)[] | undefined = [];
  const soon = (callback: () => void): void => {
    if (held === undefined) runtime.timers.soon(callback);
    else held.push(callback);
  };
  /** From here on the loop turns as ever. */
  const release = (): void => {
    const callbacks = held ?? [];
    held = undefined;
    for (const callback of callbacks) callback();
  };
  return { runtime: { ...runtime, timers: { ...runtime.timers, soon } }, release };
}
