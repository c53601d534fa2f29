/** What a channel keeps: sizes and ages, epochs, and the pages that `history()` reads. */
import { expect, test } from "bun:test";
import type { Broker } from "../../../src/core/engine.ts";
import {
  ALL,
  type Create,
  expectInStep,
  json,
  LIMITS,
  META_TTL_MS,
  offsets,
  recorder,
  ROOM,
  setUp,
  told,
  values,
} from "./under-test.ts";

async function publishAll(broker: Broker, count: number, limits = LIMITS, channel = ROOM) {
  for (let number = 1; number <= count; number += 1) {
    await broker.publish(channel, json(number), { history: limits });
  }
}

export function testHistory(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);

  test("publish() to a full history drops the oldest", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 10);
    const full = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(full.publications)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    await broker.publish(ROOM, json(11), { history: LIMITS });
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(page.publications)).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    expect(page.position.offset).toBe(11);
  });

  test("publish() with a smaller size drops what exceeds it", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 8);
    await broker.publish(ROOM, json(9), { history: { ...LIMITS, size: 2 } });
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(offsets(page.publications)).toEqual([8, 9]);
  });

  timed("a publication is dropped at its age, its offset stays taken", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.publish(ROOM, json("old"), { history: LIMITS });
    await at.under.advance(LIMITS.ttlMs - 1);
    await broker.publish(ROOM, json("young"), { history: LIMITS });
    const before = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(before.publications)).toEqual(["old", "young"]);
    await at.under.advance(1);
    const after = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(after.publications)).toEqual(["young"]);
    await at.under.advance(LIMITS.ttlMs);
    const empty = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(empty).toEqual({ publications: [], position: { epoch: first?.epoch ?? "", offset: 2 } });
  });

  timed("epoch and top offset outlive the last publication by the meta TTL", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.publish(ROOM, json(1), { history: LIMITS });
    await at.under.advance(META_TTL_MS - 1);
    const second = await broker.publish(ROOM, json(2), { history: LIMITS });
    expect(second).toEqual({ epoch: first?.epoch ?? "", offset: 2 });
    await at.under.advance(META_TTL_MS);
    const third = await broker.publish(ROOM, json(3), { history: LIMITS });
    expect(third?.offset).toBe(1);
    expect(third?.epoch).not.toBe(first?.epoch);
    const page = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(values(page.publications)).toEqual([3]);
  });

  timed("an epoch made by history() lives for the meta TTL", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const first = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    await at.under.advance(META_TTL_MS - 1);
    const second = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    expect(second).toEqual(first);
    await at.under.advance(1);
    const third = await broker.history(ROOM, { limit: 0 }, META_TTL_MS);
    expect(third.position.epoch).not.toBe(first.position.epoch);
  });

  test("history() of an empty channel makes the epoch that publications then carry", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const [one, two] = await Promise.all([
      broker.history(ROOM, ALL, META_TTL_MS),
      broker.history(ROOM, ALL, META_TTL_MS),
    ]);
    expect(one).toEqual(two);
    expect(one.publications).toEqual([]);
    expect(one.position.offset).toBe(0);
    expect(one.position.epoch).not.toBe("");
    const position = await broker.publish(ROOM, json(1), { history: LIMITS });
    expect(position).toEqual({ epoch: one.position.epoch, offset: 1 });
  });

  test.each([
    ["limit 0: the position only", { limit: 0 }, []],
    ["the oldest first", { limit: 3 }, [1, 2, 3]],
    ["since is exclusive", { limit: 3, sinceOffset: 2 }, [3, 4, 5]],
    ["since 0: from the start", { limit: 2, sinceOffset: 0 }, [1, 2]],
    ["since the top: nothing", { limit: 3, sinceOffset: 6 }, []],
    ["since beyond the top: nothing", { limit: 3, sinceOffset: 60 }, []],
    ["reverse: the newest first", { limit: 2, reverse: true }, [6, 5]],
    ["reverse, since is exclusive", { limit: 9, sinceOffset: 3, reverse: true }, [2, 1]],
    ["reverse since 1: nothing", { limit: 9, sinceOffset: 1, reverse: true }, []],
    ["limit 0, reverse: the position only", { limit: 0, reverse: true }, []],
  ])("history(): %s", async (_, query, expected) => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 6);
    const page = await broker.history(ROOM, query, META_TTL_MS);
    expect(offsets(page.publications)).toEqual(expected);
    expect(page.position.offset).toBe(6);
    for (const { position } of page.publications) expect(position?.epoch).toBe(page.position.epoch);
  });

  test("history() called between publications shows what listeners were given when it resolves", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    const listener = recorder();
    await broker.listen(ROOM, listener);
    const reads = [];
    for (let number = 1; number <= 30; number += 1) {
      void broker.publish(ROOM, json(number), { history: { ...LIMITS, size: 100 } });
      reads.push(
        broker.history(ROOM, ALL, META_TTL_MS).then((page) => {
          expectInStep(broker, values(page.publications), told(listener.events));
          expect(page.position.offset).toBe(page.publications.length);
        }),
      );
      if (number % 7 === 0) await reads.at(-1);
    }
    await Promise.all(reads);
    await broker.publish(ROOM, json(31), { history: { ...LIMITS, size: 100 } });
    expect(told(listener.events)).toEqual(Array.from({ length: 31 }, (_, index) => index + 1));
  });

  test("removeHistory() drops the publications; epoch and top offset stay", async () => {
    await using at = await setUp(create);
    const { broker } = at.app;
    await publishAll(broker, 3);
    const before = await broker.history(ROOM, ALL, META_TTL_MS);
    await broker.removeHistory(ROOM);
    const after = await broker.history(ROOM, ALL, META_TTL_MS);
    expect(after).toEqual({ publications: [], position: before.position });
    const next = await broker.publish(ROOM, json(4), { history: LIMITS });
    expect(next).toEqual({ epoch: before.position.epoch, offset: 4 });
  });

  test("removeHistory() of a channel without any is no error", async () => {
    await using at = await setUp(create);
    await at.app.broker.removeHistory(ROOM);
  });
}
