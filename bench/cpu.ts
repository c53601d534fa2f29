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
  const { carillon, floor, centrifugo, notes } = await besideWslimit(options, PUBLISHES_PER_SECOND);
  const own = perDelivery(carillon);
  const ofFloor = ratio(own, perDelivery(floor));
  const ofPeer = ratio(own, perDelivery(centrifugo));
  const measurements = [
    ...row("Carillon", carillon).map((measurement) => ({
      ...measurement,
      ...(centrifugo.length === 0 ? {} : { ofPeer }),
      ...(floor.length === 0
        ? {}
        : { ofFloor, budget: atMost("1.25 × wslimit", ofFloor, OF_FLOOR_MAX) }),
    })),
    ...row("wslimit", floor),
    ...row("Centrifugo", centrifugo),
  ];
  const title = "Processor time, 100 publishes/s × 1,000 subscribers";
  return { title, measurements, notes };
}

/** Of a target that was there. */
function row(what: string, found: readonly FanOut[]): Measurement[] {
  if (found.length === 0) return [];
  const rates = found.map(({ deliveriesPerSecond }) => deliveriesPerSecond);
  const cpuUs = perDelivery(found);
  return [{ what, cpuUs, unit: "deliveries/s", runs: rates, ...deliveries(found) }];
}

function perDelivery(results: readonly FanOut[]): number[] {
  return results.map(({ cpuPerDeliveryUs }) => cpuPerDeliveryUs);
}

if (import.meta.main) await main(benchCpu);
