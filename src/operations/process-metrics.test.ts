import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { watchProcess, type LoopDelay } from "./process-metrics.ts";

/** Of a metric, as a scrape reads it. */
async function valueOf(registry: Registry, name: string, quantile?: number) {
  const { values = [] } = (await registry.getSingleMetric(name)?.get()) ?? {};
  return values.find(({ labels }) => quantile === undefined || labels["quantile"] === quantile)
    ?.value;
}

test("tells processor time, memory and start", async () => {
  const registry = new Registry();
  const close = watchProcess(registry);
  const before = process.cpuUsage().user / 1e6;
  let user = before;
  while (user < before + 0.03) user = process.cpuUsage().user / 1e6;
  expect(await valueOf(registry, "process_cpu_user_seconds_total")).toBeGreaterThan(before + 0.03);
  expect(await valueOf(registry, "process_cpu_system_seconds_total")).toBeGreaterThan(0);
  expect(await valueOf(registry, "process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  const startedAt = (await valueOf(registry, "process_start_time_seconds")) ?? 0;
  expect(Math.abs(Date.now() / 1000 - startedAt - process.uptime())).toBeLessThan(2);
  close();
});

test("tells how late the event loop was since the last scrape, and watches it from the first one on", async () => {
  const delay = new FakeDelay();
  const registry = new Registry();
  const close = watchProcess(registry, delay);
  const told = (quantile: number) =>
    valueOf(registry, "carillon_event_loop_delay_seconds", quantile);
  // A server that nobody looks at rests.
  expect(delay.enabled).toBe(false);
  expect(await told(1)).toBe(0);
  expect(delay.enabled).toBe(true);
  delay.late.push(1e6, 2e6, 250e6);
  expect(await told(1)).toBe(0.25);
  expect(await told(1)).toBe(0);
  delay.late.push(1e6, 2e6, 250e6);
  expect(await told(0.5)).toBe(0.002);
  close();
  expect(delay.enabled).toBe(false);
});

/** Node's histogram, which a timer of the real clock fills. */
class FakeDelay implements LoopDelay {
  late: number[] = [];
  enabled = false;

  get count(): number {
    return this.late.length;
  }

  percentile(percentile: number): number {
    const sorted = this.late.toSorted((a, b) => a - b);
    return sorted[Math.ceil((sorted.length * percentile) / 100) - 1] ?? 0;
  }

  reset(): void {
    this.late = [];
  }

  enable(): void {
    this.enabled = true;
  }

  disable(): void {
    this.enabled = false;
  }
}
