/**
 * Latency: `npx bun bench/latency.ts`, about two minutes.
 * 50 publishes a second to 1,000 subscribers; from the time a publish was due to the time a subscriber has it.
 */
import { besideWslimit, deliveries } from "./harness/beside-wslimit.ts";
import type { FanOut } from "./harness/fan-out.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";

const PUBLISHES_PER_SECOND = 50;
const OF_FLOOR_MAX = 1.5;

export async function benchLatency(options: BenchOptions): Promise<BenchResult> {
  const { carillon, floor, notes } = await besideWslimit(options, PUBLISHES_PER_SECOND);
  const measurements = (["p50", "p99"] as const).flatMap((part): Measurement[] => {
    const own = milliseconds(carillon, part);
    const bare = milliseconds(floor, part);
    const unit = "ms";
    const rows: Measurement[] = [
      { what: `Carillon ${part}`, unit, runs: own, ...deliveries(carillon) },
    ];
    if (bare.length === 0) return rows;
    const ofFloor = ratio(own, bare);
    const budget = part === "p99" ? { budget: atMost("1.5 × wslimit", ofFloor, OF_FLOOR_MAX) } : {};
    const bareRow = { what: `wslimit ${part}`, unit, runs: bare, generatorCpu: cpus(floor) };
    return [...rows.map((row) => ({ ...row, ofFloor, ...budget })), bareRow];
  });
  const late = median(carillon.map(({ published }) => (published?.lateUs?.p99 ?? 0) / 1000));
  return {
    title: "Latency, 50 publishes/s × 1,000 subscribers",
    measurements,
    notes: [
      ...notes,
      `Carillon's times contain the publisher's own lateness (p99 ${late.toFixed(2)} ms) and the HTTP request; wslimit's begin at its first send.`,
    ],
  };
}

function milliseconds(results: readonly FanOut[], part: "p50" | "p99"): number[] {
  return results.map(({ received }) => (received.latencyUs?.[part] ?? Number.NaN) / 1000);
}

function cpus(results: readonly FanOut[]): number[] {
  return results.map(({ generatorCpu }) => generatorCpu);
}

if (import.meta.main) await main(benchLatency);
