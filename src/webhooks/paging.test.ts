import { expect, test } from "bun:test";
import { start } from "../engines/embedded/test-engine.ts";
import { WebhookError, type WebhookPage } from "./contract.ts";
import { createMoments, orderFrom, orderMs } from "./keys.ts";
import { arrayPage, listPage } from "./paging.ts";

const PREFIX = "list/";

/** Rows "0" to "count - 1", one per millisecond, two in each tenth. */
async function setUp(count: number) {
  const at = await start();
  const moments = createMoments(at.runtime.clock, at.runtime.random);
  let next = 0;
  const add = async () => {
    const value = `${(next += 1) - 1}`;
    await at.records.put(PREFIX + moments().order, value);
    if (next % 10 !== 0) await at.runtime.advance(1);
  };
  const startMs = at.runtime.clock.epochMs();
  for (let index = 0; index < count; index += 1) await add();
  const list = (query: {
    readonly limit: number;
    readonly iterator?: string | null;
    readonly sinceMs?: number;
    readonly untilMs?: number;
    readonly pick?: (value: string) => boolean;
  }): Promise<WebhookPage<string>> => {
    const { iterator, sinceMs, untilMs, pick = () => true, limit } = query;
    return listPage(
      at.records,
      {
        ...{ prefix: PREFIX, limit },
        ...(typeof iterator === "string" ? { iterator } : {}),
        window: {
          ...(sinceMs === undefined ? {} : { sinceMs }),
          ...(untilMs === undefined ? {} : { untilMs }),
        },
      },
      ({ value }) => (pick(value) ? value : undefined),
    );
  };
  return { ...at, add, list, startMs, [Symbol.asyncDispose]: at[Symbol.asyncDispose] };
}

const down = (from: number, to: number) =>
  Array.from({ length: from - to + 1 }, (_, index) => `${from - index}`);

test("orders sort the newest first, also within a millisecond, and tell their time", async () => {
  await using at = await start();
  const moments = createMoments(at.runtime.clock, at.runtime.random);
  const made = [];
  for (let index = 0; index < 200; index += 1) {
    made.push(moments());
    if (index % 50 === 0) await at.runtime.advance(7);
  }
  const orders = made.map(({ order }) => order);
  expect(orders.toSorted()).toEqual(orders.toReversed());
  expect(new Set(orders).size).toBe(200);
  expect(made.map(({ ascending }) => ascending).toSorted()).toEqual(
    made.map(({ ascending }) => ascending),
  );
  for (const { order, atMs } of made) expect(orderMs(order)).toBe(atMs);
  expect(orderFrom(-5)).toBe(orderFrom(0));
});

test("a walk by iterators meets every row once, there and back, while rows are added", async () => {
  await using at = await setUp(57);
  const seen: string[] = [];
  let page = await at.list({ limit: 10 });
  expect(page.prevIterator).toBeNull();
  const pages = [page];
  for (;;) {
    seen.push(...page.data);
    expect(page.done).toBe(page.iterator === null);
    if (page.iterator === null) break;
    await at.add();
    page = await at.list({ limit: 10, iterator: page.iterator });
    pages.push(page);
  }
  expect(seen).toEqual(down(56, 0));
  for (const before of pages.slice(1, -1).toReversed()) {
    page = await at.list({ limit: 10, iterator: page.prevIterator });
    expect(page.data).toEqual(before.data);
  }
  page = await at.list({ limit: 10, iterator: page.prevIterator });
  expect(page.data).toEqual(down(61, 52));
  expect(page.prevIterator).toBeNull();
});

test("the last page is known as such when it is full", async () => {
  await using at = await setUp(20);
  const first = await at.list({ limit: 10 });
  const second = await at.list({ limit: 10, iterator: first.iterator });
  expect([second.data.length, second.done]).toEqual([10, true]);
});

test("with `sinceMs` and a limit come the newest of the window; both ends are inside", async () => {
  await using at = await setUp(57);
  const timeOf = (value: number) => at.startMs + value - Math.floor(value / 10);
  const window = { sinceMs: timeOf(12), untilMs: timeOf(31) };
  const page = await at.list({ limit: 5, ...window });
  expect(page.data).toEqual(down(31, 27));
  const rest = await at.list({ limit: 250, ...window, iterator: page.iterator });
  expect(rest.data).toEqual(down(26, 12));
  expect(rest.done).toBe(true);
  expect((await at.list({ limit: 9, sinceMs: timeOf(56) + 1 })).data).toEqual([]);
  expect((await at.list({ limit: 9, untilMs: at.startMs - 1 })).data).toEqual([]);
});

test("a filter that few pass ends a page early, and the iterator goes on", async () => {
  await using at = await setUp(0);
  const moments = createMoments(at.runtime.clock, at.runtime.random);
  const rows = Array.from({ length: 5_002 }, (_, index) => `${index}`);
  await Promise.all(rows.map((value) => at.records.put(PREFIX + moments().order, value)));
  const pick = (value: string) => value === "1" || value === "5001";
  const first = await at.list({ limit: 10, pick });
  expect([first.data, first.done]).toEqual([["5001"], false]);
  const second = await at.list({ limit: 10, pick, iterator: first.iterator });
  expect([second.data, second.done]).toEqual([["1"], true]);
});

test("many pages on, the way back begins anew at the first page", async () => {
  await using at = await setUp(150);
  let page = await at.list({ limit: 1 });
  while (page.iterator !== null) {
    expect(page.iterator.length).toBeLessThan(1_500);
    page = await at.list({ limit: 1, iterator: page.iterator });
  }
  expect(page.data).toEqual(["0"]);
  let steps = 0;
  while (page.prevIterator !== null) {
    page = await at.list({ limit: 1, iterator: page.prevIterator });
    steps += 1;
  }
  expect(page.data).toEqual(["149"]);
  expect(steps).toBeGreaterThan(50);
});

test.each(["!", "a b", "x".repeat(5_000), Buffer.from("a'b").toString("base64url")])(
  "'%s' is no iterator",
  async (iterator) => {
    await using at = await setUp(1);
    const failure: unknown = await at.list({ limit: 1, iterator }).catch((error: unknown) => error);
    expect(failure instanceof WebhookError ? failure.code : failure).toBe("invalid_request");
  },
);

test("arrays are paged alike", () => {
  const all = ["c", "a", "b", "d"].map((order) => ({ order, row: order.toUpperCase() }));
  const first = arrayPage(all, { limit: 3 });
  expect([first.data, first.done, first.prevIterator]).toEqual([["A", "B", "C"], false, null]);
  const second = arrayPage(all, { limit: 3, iterator: first.iterator ?? "" });
  expect([second.data, second.done, second.iterator]).toEqual([["D"], true, null]);
  expect(arrayPage(all, { limit: 3, iterator: second.prevIterator ?? "" }).data).toEqual(
    first.data,
  );
});
