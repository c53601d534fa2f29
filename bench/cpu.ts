/**
 * Processor time per delivery below saturation: `npx bun bench/cpu.ts`, about two minutes.
 * 100 publishes a second to 1,000 subscribers; user and system time of the server's process, its HTTP included.
 */
import { besideWslimit, deliveries } from "./harness/beside-wslimit.ts";
import type { FanOut } from "./harness/fan-out.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, ratio, type BenchResult, type Measurement } from "./harness/report.ts";

const PUBLISHES_PER_SECOND = 100;
const OF_FLOOR_MAX = 1.25;

export async function benchCpu(options: BenchOptions): Promise<BenchResult> {
  const { carillon, floor, notes } = await besideWslimit(options, PUBLISHES_PER_SECOND);
  const unit = "µs/delivery";
  const own: Measurement = {
    ...{ what: "Carillon", unit, runs: perDelivery(carillon) },
    ...deliveries(carillon),
  };
  if (floor.length === 0) return result([own], notes);
  const ofFloor = ratio(own.runs, perDelivery(floor));
  const generatorCpu = floor.map((run) => run.generatorCpu);
  return result(
    [
      { ...own, ofFloor, budget: atMost("1.25 × wslimit", ofFloor, OF_FLOOR_MAX) },
      { what: "wslimit", unit, runs: perDelivery(floor), generatorCpu },
    ],
    notes,
  );
}

function result(measurements: readonly Measurement[], notes: readonly string[]): BenchResult {
  return { title: "Processor time, 100 publishes/s × 1,000 subscribers", measurements, notes };
}

function perDelivery(results: readonly FanOut[]): number[] {
  return results.map(({ cpuPerDeliveryUs }) => cpuPerDeliveryUs);
}

if (import.meta.main) await main(benchCpu);
