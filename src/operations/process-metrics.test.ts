import { expect, test } from "bun:test";
import { Registry } from "prom-client";
import { watchProcess } from "./process-metrics.ts";

test("tells processor time, memory, start, and how late the event loop was since the last scrape", async () => {
  const registry = new Registry();
  const close = watchProcess(registry);
  const value = async (name: string, quantile?: number) => {
    const { values = [] } = (await registry.getSingleMetric(name)?.get()) ?? {};
    return values.find(({ labels }) => quantile === undefined || labels["quantile"] === quantile)
      ?.value;
  };
  // Watched from the first scrape on, so that a server that nobody looks at rests.
  expect(await value("carillon_event_loop_delay_seconds", 1)).toBe(0);
  const before = process.cpuUsage().user / 1e6;
  // The delay is measured by a timer of the real clock, which is late at the latest when it comes for the second time.
  let late = 0;
  while (late < 0.05) {
    blockFor(250);
    await new Promise((resolve) => setTimeout(resolve, 0));
    late = (await value("carillon_event_loop_delay_seconds", 1)) ?? 0;
  }
  expect(await value("carillon_event_loop_delay_seconds", 1)).toBeLessThan(0.05);
  expect(await value("process_cpu_user_seconds_total")).toBeGreaterThan(before + 0.03);
  expect(await value("process_cpu_system_seconds_total")).toBeGreaterThan(0);
  expect(await value("process_resident_memory_bytes")).toBeGreaterThan(1_000_000);
  const aliveSeconds = Date.now() / 1000 - (await value("process_start_time_seconds"))!;
  expect(Math.abs(aliveSeconds - process.uptime())).toBeLessThan(2);
  close();
});

function blockFor(ms: number): void {
  const end = performance.now() + ms;
  while (performance.now() < end);
}
