import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { createRefusals, REFUSALS_KEPT_MAX, type RefusalQuery } from "./refusals.ts";

const ALL: RefusalQuery = { limit: 1_000_000, node: "n", app: "a", ofNobody: true };

function create() {
  const runtime = createTestRuntime();
  return { runtime, refusals: createRefusals(runtime.clock) };
}

describe("refusals", () => {
  test("are kept up to their number, the newest first", () => {
    const { refusals } = create();
    const tell = (n: number) => refusals.tell("Connect refused", { detail: `${n}` });
    for (let n = 1; n <= REFUSALS_KEPT_MAX; n++) tell(n);
    expect(refusals.list(ALL)).toHaveLength(REFUSALS_KEPT_MAX);
    tell(REFUSALS_KEPT_MAX + 1);
    const kept = refusals.list(ALL).map(({ detail }) => Number(detail));
    expect(kept).toEqual(Array.from({ length: REFUSALS_KEPT_MAX }, (_, at) => 501 - at));
  });

  test("that are alike and soon one behind the other are one, of the last one's time", async () => {
    const { refusals, runtime } = create();
    const about = { dialect: "d", detail: "x", address: "::1" };
    refusals.tell("Connect refused", about);
    await runtime.advance(5);
    refusals.tell("Connect refused", about);
    for (const address of ["::2", "::3", "::4"]) {
      refusals.tell("Connect refused", { ...about, address });
    }
    refusals.tell("Connect refused", about);
    const times = () => refusals.list(ALL).map(({ times: each }) => each);
    expect(times()).toEqual([1, 1, 1, 3]);
    expect(refusals.list(ALL).at(-1)).toMatchObject({
      atMs: runtime.clock.epochMs(),
      about: { address: "::1" },
    });
    refusals.tell("Connect refused", { ...about, address: "::5" });
    refusals.tell("Connect refused", about);
    expect(times()).toEqual([1, 1, 1, 1, 1, 3]);
  });

  test("lead on from any of them", () => {
    const { refusals } = create();
    for (let n = 1; n <= 7; n++) refusals.tell("Login refused", { detail: `${n}` });
    const seen: string[] = [];
    for (let before: string | undefined; ;) {
      const page = refusals.list({
        ...{ ...ALL, limit: 2 },
        ...(before === undefined ? {} : { before }),
      });
      if (page.length === 0) break;
      seen.push(...page.map(({ detail }) => detail));
      before = page.at(-1)?.key;
    }
    expect(seen).toEqual(["7", "6", "5", "4", "3", "2", "1"]);
  });

  test("are shown by dialect, and to an app its own", () => {
    const { refusals } = create();
    refusals.tell("Connect refused", { dialect: "d", app: "a", detail: "own" });
    refusals.tell("Connect refused", { dialect: "e", app: "b", detail: "another's" });
    refusals.tell("Connect refused", { dialect: "e", detail: "nobody's" });
    const details = (query: Partial<RefusalQuery>) =>
      refusals.list({ ...ALL, ...query }).map(({ detail }) => detail);
    expect(details({})).toEqual(["nobody's", "own"]);
    expect(details({ ofNobody: false })).toEqual(["own"]);
    expect(details({ app: "b", ofNobody: false })).toEqual(["another's"]);
    expect(details({ dialect: "e" })).toEqual(["nobody's"]);
  });

  test("hold a bounded part of what was told, and nothing of other events", () => {
    const { refusals } = create();
    refusals.tell("Connection ended", { detail: "by the client" });
    refusals.tell("Origin refused", {
      ...{ origin: "\ud800".repeat(5000), detail: "y".repeat(301), none: undefined, list: [1, 2] },
      ...Object.fromEntries(Array.from({ length: 50 }, (_, at) => [`m${at}`, at])),
    });
    const [only, ...others] = refusals.list(ALL);
    expect(others).toEqual([]);
    expect(only?.detail).toBe(`${"y".repeat(300)}…`);
    expect(only?.about["origin"]).toHaveLength(301);
    expect(String(only?.about["origin"]).isWellFormed()).toBe(true);
    expect(only?.about["list"]).toBe("[1,2]");
    expect(Object.keys(only?.about ?? {})).toHaveLength(12);
  });
});
