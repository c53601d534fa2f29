/** A runtime whose time moves only when a test says so, and whose chance replays from a seed. */
import type { Runtime, Timer } from "../../src/core/runtime.ts";

export interface TestRuntime extends Runtime {
  /** Name it in a failure's message, and the same chance comes again. */
  readonly seed: number;
  /** Moves both clocks, runs what falls due in order, and lets promises and `soon` callbacks settle around each timer. */
  advance(ms: number): Promise<void>;
  /** The wall clock alone is set: ahead, or back when `ms` is negative. */
  setClock(ms: number): void;
  /** Resolves once no `soon` callback is waiting; time stands still. */
  settle(): Promise<void>;
  /** Timers that would still run, so that a test can show that a close left none. */
  readonly pendingTimers: number;
}

const START_EPOCH_MS = Date.UTC(2026, 10, 1);
/** A callback that always asks for another turn is a bug in the code under test: it would hang the test. */
const TURNS_MAX = 100_000;

/** `soon` callbacks run in a turn of the real event loop, so they need no `advance`. */
export function createTestRuntime(seed = 1): TestRuntime {
  const timers = new Set<{ readonly dueMs: number; readonly callback: () => void }>();
  let elapsedMs = 0;
  let setMs = 0;
  let soonPending = 0;

  const fraction = mulberry32(seed);

  async function settle(): Promise<void> {
    let turns = 0;
    do {
      if ((turns += 1) > TURNS_MAX) throw new Error("Test runtime does not come to rest");
      await nextTurn();
    } while (soonPending > 0);
  }

  /** A set keeps insertion order, so among timers due at once the first one set is found first. */
  function nextDue(limitMs: number) {
    let next: { readonly dueMs: number; readonly callback: () => void } | undefined;
    for (const timer of timers) {
      if (timer.dueMs <= limitMs && (next === undefined || timer.dueMs < next.dueMs)) next = timer;
    }
    return next;
  }

  return {
    seed,
    clock: { epochMs: () => START_EPOCH_MS + setMs + elapsedMs, monotonicMs: () => elapsedMs },
    timers: {
      after(delayMs, callback): Timer {
        const timer = { dueMs: elapsedMs + Math.max(0, delayMs), callback };
        timers.add(timer);
        return { cancel: () => void timers.delete(timer) };
      },
      soon(callback) {
        soonPending += 1;
        setImmediate(() => {
          soonPending -= 1;
          callback();
        });
      },
    },
    random: { fraction, uuid: () => uuidFrom(fraction) },
    async advance(ms) {
      const targetMs = elapsedMs + ms;
      await settle();
      for (let timer = nextDue(targetMs); timer !== undefined; timer = nextDue(targetMs)) {
        elapsedMs = Math.max(elapsedMs, timer.dueMs);
        timers.delete(timer);
        timer.callback();
        await settle();
      }
      elapsedMs = targetMs;
      await settle();
    },
    setClock: (ms) => void (setMs += ms),
    settle,
    get pendingTimers() {
      return timers.size;
    },
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => {
    setImmediate(resolve);
  });
}

/** Small, fast and good enough for tests; public domain, by Tommy Ettinger. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

function uuidFrom(fraction: () => number): string {
  return "xxxxxxxx-xxxx-4xxx-yxxx-xxxxxxxxxxxx".replaceAll(/[xy]/g, (letter) => {
    const digit = Math.floor(fraction() * 16);
    return (letter === "x" ? digit : (digit & 0x3) | 0x8).toString(16);
  });
}
