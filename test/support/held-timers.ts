/** Holds the timers of one delay back, so that a client library's long waits need no waiting. */

export interface HeldTimers extends Disposable {
  /** Runs the one that was set first; throws when none is waiting. */
  fire(): void;
  readonly waiting: number;
}

/** Replaces the global `setTimeout` until disposed; timers of any other delay run as ever. */
export function holdTimers(delayMs: number): HeldTimers {
  const { setTimeout: setReal, clearTimeout: clearReal } = globalThis;
  const held = new Map<object, () => void>();
  const set = (callback: (...given: unknown[]) => void, ms?: number, ...given: unknown[]) => {
    if (ms !== delayMs) return setReal(callback, ms, ...given);
    const handle = {};
    held.set(handle, () => callback(...given));
    return handle;
  };
  const clear = (handle: object | undefined): void => {
    if (handle !== undefined && held.delete(handle)) return;
    clearReal(handle as NodeJS.Timeout | undefined);
  };
  Object.assign(globalThis, { setTimeout: set, clearTimeout: clear });
  return {
    fire() {
      const [first] = held;
      if (first === undefined) throw new Error(`No timer of ${delayMs} ms is waiting`);
      held.delete(first[0]);
      first[1]();
    },
    get waiting() {
      return held.size;
    },
    [Symbol.dispose]() {
      Object.assign(globalThis, { setTimeout: setReal, clearTimeout: clearReal });
    },
  };
}
