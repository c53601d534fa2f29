/** Which publications leave together, in which order, and when. */
import { describe, expect, test } from "bun:test";
import type { GroupAudience } from "../core/fanout.ts";
import {
  BURST_LENGTH_MAX,
  BURST_MS_MAX,
  BURST_MS_PER_SOCKET,
  Bursts,
  RUN_LENGTH_MAX,
} from "./bursts.ts";

/** Turns of the event loop and time are the test's. */
function createBursts() {
  let soon: (() => void)[] = [];
  let nowMs = 0;
  const sent: string[][] = [];
  const bursts = new Bursts(
    {
      clock: { epochMs: () => 0, monotonicMs: () => nowMs },
      timers: {
        after: () => ({ cancel: () => {} }),
        soon: (callback) => void soon.push(callback),
      },
    },
    (runs) => sent.push(runs.map(({ topic, messages }) => `${topic}: ${messages.join(" ")}`)),
  );
  return {
    bursts,
    /** Each burst: a text for each run. */
    sent,
    waits: (ms: number) => void (nowMs += ms),
    turn: () => {
      const callbacks = soon;
      soon = [];
      for (const callback of callbacks) callback();
      return sent.length;
    },
    isIdle: () => soon.length === 0,
  };
}

const audience = (size = 1_000, channel?: object): GroupAudience => ({
  size,
  members: () => [],
  ...(channel === undefined ? {} : { channel }),
});

describe("a burst", () => {
  test("of one publication ends with its turn of the event loop", () => {
    const { bursts, sent, turn, isIdle } = createBursts();
    bursts.add("a", "1", audience());
    expect(sent).toEqual([]);
    turn();
    expect(sent).toEqual([["a: 1"]]);
    expect(isIdle()).toBe(true);
  });

  test("goes on while each turn brings more", () => {
    const { bursts, sent, turn, isIdle } = createBursts();
    bursts.add("a", "1", audience());
    bursts.add("a", "2", audience());
    expect(turn()).toBe(0);
    bursts.add("a", "3", audience());
    expect(turn()).toBe(0);
    expect(turn()).toBe(1);
    expect(sent).toEqual([["a: 1 2 3"]]);
    expect(isIdle()).toBe(true);
  });

  test.each([
    { size: 200, maxMs: 200 * BURST_MS_PER_SOCKET },
    { size: 100_000, maxMs: BURST_MS_MAX },
  ])("to $size sockets lasts $maxMs ms at the most", ({ size, maxMs }) => {
    const { bursts, turn, waits } = createBursts();
    const whom = audience(size);
    bursts.add("a", "1", whom);
    bursts.add("a", "2", whom);
    waits(maxMs - 0.01);
    expect(turn()).toBe(0);
    bursts.add("a", "3", whom);
    waits(0.01);
    expect(turn()).toBe(1);
  });

  test("ends at its length, and a second one begins in the same turn", () => {
    const { bursts, sent, turn } = createBursts();
    bursts.add("a", "x".repeat(BURST_LENGTH_MAX - 1), audience());
    expect(sent.length).toBe(0);
    bursts.add("b", "x", audience());
    expect(sent.length).toBe(1);
    bursts.add("a", "alone", audience());
    expect(turn()).toBe(2);
    expect(sent[1]).toEqual(["a: alone"]);
    expect(turn()).toBe(2);
  });

  test("ends for what is to be behind it, once", () => {
    const { bursts, sent, turn } = createBursts();
    bursts.end();
    bursts.add("a", "1", audience());
    bursts.end();
    bursts.end();
    turn();
    expect(sent).toEqual([["a: 1"]]);
  });
});

describe("a run", () => {
  test("has the messages of one group that nothing comes between", () => {
    const { bursts, sent, turn } = createBursts();
    for (const topic of ["a", "a", "b", "a"]) bursts.add(topic, topic, audience());
    turn();
    turn();
    expect(sent).toEqual([["a: a a", "b: b", "a: a"]]);
  });

  test("goes on past groups of its own channel, which share no member with it", () => {
    const { bursts, sent, turn } = createBursts();
    const [news, other] = [{}, {}];
    for (const n of ["1", "2"]) {
      bursts.add("json", n, audience(1, news));
      bursts.add("protobuf", n, audience(1, news));
    }
    bursts.add("json", "other", audience(1, other));
    bursts.add("protobuf", "3", audience(1, news));
    turn();
    turn();
    expect(sent).toEqual([["json: 1 2", "protobuf: 1 2", "json: other", "protobuf: 3"]]);
  });

  test("fits one write", () => {
    const { bursts, sent, turn } = createBursts();
    bursts.add("a", "x".repeat(RUN_LENGTH_MAX - 1), audience());
    bursts.add("a", "y", audience());
    bursts.add("a", "z", audience());
    turn();
    turn();
    expect(sent[0]?.map((run) => run.replace(/x+/, "x"))).toEqual(["a: x y", "a: z"]);
  });
});
