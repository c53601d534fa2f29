import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { Timetable, type Duty } from "./timetable.ts";

const { random } = createTestRuntime(7);
const base = { nowMs: 0, tickMs: 2000, pingMs: 25_000, pongTimeoutMs: 10_000, random };

/** What falls due up to then, at the moment at which it does; a peer that hears pings answers them at once. */
function live(timetable: Timetable, untilMs: number, lastReceivedMs: (nowMs: number) => number) {
  const lived: { atMs: number; duty: Duty }[] = [];
  for (let atMs = timetable.nextMs; atMs <= untilMs; atMs = timetable.nextMs) {
    for (const duty of timetable.take(atMs, lastReceivedMs(atMs))) lived.push({ atMs, duty });
  }
  return lived;
}

const times = (lived: readonly { atMs: number; duty: Duty }[], duty: Duty) =>
  lived.filter((each) => each.duty === duty).map(({ atMs }) => atMs);

describe("a timetable", () => {
  test("ticks, pings and checks in their periods, each from a moment of chance within the first", () => {
    const timetable = new Timetable({ ...base, standsAlone: true });
    const lived = live(timetable, 120_000, (nowMs) => nowMs);
    for (const [duty, periodMs] of [
      ["tick", 2000],
      ["ping", 25_000],
      ["check_newest", 30_000],
    ] as const) {
      const at = times(lived, duty);
      const [first = Infinity] = at;
      expect(first).toBeWithin(periodMs / 2, periodMs + 1);
      expect(at).toEqual(at.map((_, index) => first + index * periodMs));
      expect(first + at.length * periodMs).toBeGreaterThan(120_000);
    }
    expect(times(lived, "no_pong")).toEqual([]);
  });

  test("without ticks, and not standing alone, pings only", () => {
    const timetable = new Timetable({ ...base, tickMs: 0, standsAlone: false });
    const duties = new Set(live(timetable, 120_000, (nowMs) => nowMs).map(({ duty }) => duty));
    expect([...duties]).toEqual(["ping"]);
  });

  test.each([
    ["shorter than the time between pings", 10_000],
    ["longer than that", 60_000],
  ])("misses the pong of a silent peer after the pong time, %s", (_, pongTimeoutMs) => {
    const timetable = new Timetable({ ...base, pongTimeoutMs, tickMs: 0, standsAlone: false });
    const lived = live(timetable, 200_000, () => 0);
    const [pinged = 0] = times(lived, "ping");
    expect(times(lived, "no_pong")[0]).toBe(pinged + pongTimeoutMs);
  });

  test("counts anything that came behind the ping as a pong", () => {
    const timetable = new Timetable({ ...base, tickMs: 0, standsAlone: false });
    const pinged = timetable.nextMs;
    expect(timetable.take(pinged, 0)).toEqual(["ping"]);
    expect(timetable.take(pinged + 10_000, pinged)).toEqual([]);
  });

  test("catches up with one tick behind a standstill", () => {
    const timetable = new Timetable({ ...base, standsAlone: false });
    expect(timetable.take(12_000, 0)).toEqual(["tick"]);
    expect(timetable.nextMs).toBeGreaterThan(12_000);
    expect(timetable.take(12_000, 0)).toEqual([]);
  });
});
