/**
 * What the process uses, for Prometheus. In place of prom-client's own collection, which at each scrape walks the whole heap (70 ms
 * for a million objects on Bun 1.4.5) and all open files, while nothing else runs.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { Counter, Gauge, type Registry } from "prom-client";

/** Between looks at how late the event loop is. Each wakes the process, which rests where nobody has scraped yet. */
const DELAY_RESOLUTION_MS = 100;
const DELAY_QUANTILES = [0.5, 0.99, 1];

/** How late the event loop was, nanoseconds: what of Node's histogram is looked at. */
export interface LoopDelay {
  readonly count: number;
  percentile(percentile: number): number;
  reset(): void;
  enable(): unknown;
  disable(): unknown;
}

/** The answer ends the watching. */
export function watchProcess(
  registry: Registry,
  delay: LoopDelay = monitorEventLoopDelay({ resolution: DELAY_RESOLUTION_MS }),
): () => void {
  const registers = [registry];
  const seconds = { user: "process_cpu_user", system: "process_cpu_system" } as const;
  for (const kind of ["user", "system"] as const) {
    new Counter({
      ...{ name: `${seconds[kind]}_seconds_total`, registers },
      help: `Processor time spent in ${kind} mode, seconds`,
      collect() {
        this.reset();
        this.inc(process.cpuUsage()[kind] / 1e6);
      },
    });
  }
  new Gauge({
    ...{ name: "process_resident_memory_bytes", help: "Resident memory, bytes", registers },
    collect() {
      this.set(process.memoryUsage.rss());
    },
  });
  new Gauge({
    ...{ name: "process_start_time_seconds", registers },
    help: "Start of the process, seconds since the Unix epoch",
  }).set(Math.round(Date.now() / 1000 - process.uptime()));

  new Gauge({
    ...{ name: "carillon_event_loop_delay_seconds", registers },
    help: "How late the event loop was since the last scrape, seconds; 0 at the first one",
    labelNames: ["quantile"],
    collect() {
      for (const quantile of DELAY_QUANTILES) {
        this.set({ quantile }, delay.count === 0 ? 0 : delay.percentile(quantile * 100) / 1e9);
      }
      delay.reset();
      delay.enable();
    },
  });
  return () => void delay.disable();
}
