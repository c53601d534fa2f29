/** What this process uses and does, for whoever looks now and then: rates since the look before, without anything that runs between looks. */
import { monitorEventLoopDelay } from "node:perf_hooks";
import type { CounterName } from "../core/metrics.ts";

/** Looks that come closer see the same, so that two who look do not take each other's time away. */
const LOOK_INTERVAL_MS = 1_000;
/** As often as the metrics look, which is seldom enough for a process that rests. */
const DELAY_RESOLUTION_MS = 100;

export interface ProcessFacts {
  readonly memoryBytes: number;
  /** Since the look before; 0 at the first one, and then nothing is known yet of what follows. */
  readonly overMs: number;
  /** Of one core. */
  readonly cpu: number;
  /** How late the event loop was, milliseconds. */
  readonly loopDelayMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly perSecond: Readonly<Record<CounterName, number>>;
}

export interface ProcessLooks {
  /** `nowMs`: monotonic. */
  look(nowMs: number): ProcessFacts;
  close(): void;
}

/** `totals`: of each counter, since the start. */
export function createProcessLooks(totals: () => Record<CounterName, number>): ProcessLooks {
  const delay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS });
  let seen: Look | undefined;

  function loopDelay(): ProcessFacts["loopDelayMs"] {
    const { count } = delay;
    const ms = (nanoseconds: number) => (count === 0 ? 0 : round(nanoseconds / 1e6));
    const late = {
      p50: ms(delay.percentile(50)),
      p99: ms(delay.percentile(99)),
      max: ms(delay.max),
    };
    delay.reset();
    delay.enable();
    return late;
  }

  return {
    look(nowMs) {
      if (seen !== undefined && nowMs - seen.atMs < LOOK_INTERVAL_MS) return seen.facts;
      const { user, system } = process.cpuUsage();
      const now = { atMs: nowMs, cpuMs: (user + system) / 1e3, totals: totals() };
      const before = seen ?? now;
      const overMs = now.atMs - before.atMs;
      const perMs = (count: number) => (overMs === 0 ? 0 : count / overMs);
      const rates = Object.entries(now.totals).map(([name, total]) => [
        name,
        round(perMs(total - before.totals[name as CounterName]) * 1e3),
      ]);
      const facts = {
        memoryBytes: process.memoryUsage.rss(),
        overMs: Math.round(overMs),
        cpu: round(perMs(now.cpuMs - before.cpuMs)),
        loopDelayMs: loopDelay(),
        perSecond: Object.fromEntries(rates) as Record<CounterName, number>,
      };
      seen = { ...now, facts };
      return facts;
    },
    close: () => void delay.disable(),
  };
}

interface Look {
  readonly atMs: number;
  readonly cpuMs: number;
  readonly totals: Readonly<Record<CounterName, number>>;
  readonly facts: ProcessFacts;
}

/** Three digits are as many as anybody reads. */
function round(value: number): number {
  return Math.round(value * 1e3) / 1e3;
}
