/**
 * Deadlines of many connections on few timers: pings, pongs, expiries. Each entry has one deadline at a time,
 * rounded up to the schedule's tick, so that any number of connections costs one timer.
 */
import type { Runtime, Timer } from "./runtime.ts";

export interface Scheduled {
  /** Runs once the deadline has passed; the entry is then no longer scheduled. */
  due(nowMs: number): void;
  /** The schedule's own note of where the entry stands; starts as 0. */
  scheduledPlace: number;
}

export interface Schedule {
  /** Replaces the entry's deadline, monotonic milliseconds. */
  set(entry: Scheduled, deadlineMs: number): void;
  clear(entry: Scheduled): void;
  /** Entries with a deadline. */
  readonly size: number;
  close(): void;
}

/** How late a deadline may fire, milliseconds. */
const TICK_MS = 100;
/** Deadlines further off are looked at again after this many ticks, which bounds the number of buckets. */
const HORIZON_TICKS = 600;

/** Of one tick, with their true deadlines. By its note an entry is found without a map of them, which would take ten times the memory. */
interface Bucket {
  readonly entries: Scheduled[];
  readonly deadlinesMs: number[];
}

/** Entries of one tick are fewer: a process has no more sockets. */
const PLACES = 2 ** 20;

export function createSchedule({ clock, timers }: Runtime): Schedule {
  const buckets = new Map<number, Bucket>();
  let size = 0;
  let closed = false;
  let timer: Timer | undefined;
  let timerTick = Infinity;

  function set(entry: Scheduled, deadlineMs: number): void {
    clear(entry);
    if (closed) return;
    const now = Math.floor(clock.monotonicMs() / TICK_MS);
    const tick = Math.max(
      1,
      now + 1,
      Math.min(Math.ceil(deadlineMs / TICK_MS), now + HORIZON_TICKS),
    );
    let bucket = buckets.get(tick);
    if (bucket === undefined) buckets.set(tick, (bucket = { entries: [], deadlinesMs: [] }));
    entry.scheduledPlace = tick * PLACES + bucket.entries.length;
    bucket.entries.push(entry);
    bucket.deadlinesMs.push(deadlineMs);
    size++;
    if (tick < timerTick) arm(tick);
  }

  /** The last one of its tick comes into its place. */
  function clear(entry: Scheduled): void {
    const { scheduledPlace } = entry;
    entry.scheduledPlace = 0;
    const tick = Math.floor(scheduledPlace / PLACES);
    const bucket = buckets.get(tick);
    const last = bucket?.entries.pop();
    const lastMs = bucket?.deadlinesMs.pop();
    if (bucket === undefined || last === undefined || lastMs === undefined) return;
    if (last !== entry) {
      bucket.entries[scheduledPlace % PLACES] = last;
      bucket.deadlinesMs[scheduledPlace % PLACES] = lastMs;
      last.scheduledPlace = scheduledPlace;
    }
    size--;
    if (bucket.entries.length === 0) buckets.delete(tick);
  }

  function arm(tick: number): void {
    timer?.cancel();
    timerTick = tick;
    timer = timers.after(Math.max(0, tick * TICK_MS - clock.monotonicMs()), run);
  }

  function run(): void {
    timer = undefined;
    timerTick = Infinity;
    const nowMs = clock.monotonicMs();
    const now = Math.floor(nowMs / TICK_MS);
    const ripe = [...buckets.keys()].filter((tick) => tick <= now).sort((a, b) => a - b);
    for (const tick of ripe) {
      const bucket = buckets.get(tick);
      if (bucket === undefined) continue;
      buckets.delete(tick);
      size -= bucket.entries.length;
      for (const [index, entry] of bucket.entries.entries()) {
        const deadlineMs = bucket.deadlinesMs[index] ?? 0;
        // An earlier entry of this bucket may have cleared or moved this one.
        if (entry.scheduledPlace !== tick * PLACES + index) continue;
        entry.scheduledPlace = 0;
        if (deadlineMs > nowMs) set(entry, deadlineMs);
        else entry.due(nowMs);
      }
    }
    let next = Infinity;
    for (const tick of buckets.keys()) next = Math.min(next, tick);
    if (next < timerTick) arm(next);
  }

  return {
    set,
    clear,
    get size() {
      return size;
    },
    close() {
      closed = true;
      timer?.cancel();
      buckets.clear();
      size = 0;
    },
  };
}
