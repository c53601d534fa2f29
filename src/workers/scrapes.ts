/** The metrics of all workers as one text, asked of each of them for every scrape. */
import { Gauge, Counter, Registry } from "prom-client";
import type { Timers } from "../core/runtime.ts";
import { mergeMetrics } from "./merge-metrics.ts";
import type { WorkerSlot } from "./worker-slot.ts";

/** A worker that does not answer in this time is left out: below the ten seconds that Prometheus waits by default. */
const MEASURE_TIMEOUT_MS = 2_000;

/** What a scrape needs of a worker. */
type Measured = Pick<WorkerSlot, "number" | "ready" | "restarts" | "send">;

export interface Scrapes {
  /** Of the workers that serve, with what the supervisor knows of them. */
  scrape(): Promise<string>;
  /** A worker's answer; a late one is ignored. */
  measured(request: number, worker: number, text: string): void;
}

export function createScrapes(slots: readonly Measured[], timers: Timers): Scrapes {
  const own = ownMetrics(slots);
  const open = new Map<number, (worker: number, text: string) => void>();
  let last = 0;

  function measure(asked: readonly Measured[]): Promise<readonly string[]> {
    return new Promise((resolve) => {
      const request = (last += 1);
      const texts = new Map<number, string>();
      const finish = () => {
        open.delete(request);
        timer.cancel();
        // Whoever answered first, a scrape looks like the one before.
        resolve(asked.flatMap(({ number }) => texts.get(number) ?? []));
      };
      const timer = timers.after(MEASURE_TIMEOUT_MS, finish);
      open.set(request, (worker, text) => {
        texts.set(worker, text);
        if (texts.size === asked.length) finish();
      });
      for (const slot of asked) slot.send({ type: "measure", request });
    });
  }

  return {
    async scrape() {
      const texts = await measure(slots.filter(({ ready }) => ready));
      return mergeMetrics([await own.metrics(), ...texts]);
    },
    measured: (request, worker, text) => open.get(request)?.(worker, text),
  };
}

function ownMetrics(slots: readonly Measured[]): Registry {
  const registry = new Registry();
  const registers = [registry];
  new Gauge({
    ...{ name: "carillon_workers", help: "Workers that serve", registers },
    collect() {
      this.set(slots.filter(({ ready }) => ready).length);
    },
  });
  new Counter({
    ...{ name: "carillon_worker_restarts_total", registers },
    help: "Processes started in place of a worker that ended",
    labelNames: ["worker"],
    collect() {
      this.reset();
      for (const { number, restarts } of slots) this.inc({ worker: number }, restarts);
    },
  });
  return registry;
}
