/** What a bench says of its numbers. */
import { expect, test } from "bun:test";
import { bottlenecks, effortOf, faultsOf, latencyOf, type Effort } from "./report.ts";

const told = (effort: Effort) => [...bottlenecks({ deliver: effort })];

test("a bench whose processes have no processor time left is the bottleneck", () => {
  expect(told({ cpu: 0.8, late_ms: 20 })).toEqual([]);
  const [busy, ...others] = told({ cpu: 0.81, late_ms: 90 });
  expect(busy).toStartWith('The bench itself is the bottleneck in "deliver": ');
  expect(busy).toContain("81 % of a core");
  expect(others).toEqual([]);
});

test("a bench whose event loop is late says that the latencies are its own", () => {
  const [late] = told({ cpu: 0.1, late_ms: 20.5 });
  expect(late).toStartWith('The bench itself was late in "deliver", by 21 ms: ');
});

test("the busiest and the latest of its processes count", () => {
  const processes = [
    { cpu: 0.5, loopLateMs: 3 },
    { cpu: 0.25, loopLateMs: 40.126 },
  ];
  expect(effortOf(processes)).toEqual({ cpu: 0.5, late_ms: 40.13 });
});

test("quantiles are those of all processes together", () => {
  const far = Array.from({ length: 100 }, (_, at) => (at + 1) * 1000);
  expect(latencyOf([far, Array<number>(100).fill(1000)])).toEqual({ p50: 1, p99: 99 });
  expect(latencyOf([])).toEqual({ p50: 0, p99: 0 });
});

test("each fault is told, with the first refusal", () => {
  const common = { per_second: 1, latency_ms: { p50: 1, p99: 1 }, cpu: 0, late_ms: 0 };
  const connect = { connections: 1, failed: 2, ...common };
  const deliver = {
    ...{ subscribers: 1, publications: 1, deliveries: 1, ...common },
    ...{ missing: 3, out_of_order: 4, closed: 5, refused: 6 },
  };
  const publish = { publications: 1, refused: 7, ...common };
  expect([...faultsOf({ connect, deliver, publish, refusal: "no" })]).toEqual([
    "2 connections failed: no",
    "3 deliveries are missing",
    "4 deliveries came out of order or twice",
    "5 connections were closed by the server meanwhile",
    "13 publishes were refused: no",
  ]);
});
