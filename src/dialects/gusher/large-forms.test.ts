/** Forms as large as the original takes: read and judged in steps, between which others are served. */
import { describe, expect, test } from "bun:test";
import type { Runtime } from "../../core/runtime.ts";
import { SLICE_MS } from "../../core/limits.ts";
import { Slices } from "../../core/slices.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { readFields } from "./fields.ts";
import { decodeForm, LONG_STEP, PIECES_MAX, STEP_BYTES } from "./form-text.ts";
import { LONG_ITEM_CHARACTERS, pushBatch } from "./master/push.ts";

const FORM = "application/x-www-form-urlencoded";
const MIB = 1_048_576;

/** A millisecond passes whenever somebody looks at the clock, which work in slices does at every step. */
function steppingRuntime(): { readonly runtime: Runtime; readonly turns: () => number } {
  const { clock, timers, random } = createTestRuntime();
  let nowMs = 0;
  let turns = 0;
  return {
    runtime: {
      clock: { ...clock, monotonicMs: () => nowMs++ },
      timers: {
        ...timers,
        soon(callback) {
          turns++;
          timers.soon(callback);
        },
      },
      random,
    },
    turns: () => turns,
  };
}

const request = new Request("http://localhost/push_batch/TEST", {
  method: "POST",
  headers: { "Content-Type": FORM },
});

async function read(body: string) {
  const { runtime, turns } = steppingRuntime();
  const fields = await readFields(request, {
    names: ["batch_data"],
    body: Buffer.from(body),
    slices: new Slices(runtime),
  });
  return { text: fields.get("batch_data"), turns: turns() };
}

/** Steps in one slice, at one a millisecond. */
const STEPS_PER_SLICE = SLICE_MS + 1;

describe("a form is decoded in slices", () => {
  test.each([
    ["text", "x", "x"],
    ["escapes", "%22", '"'],
    ["plus signs", "+", " "],
    ["characters of several bytes, cut anywhere", "%E2%82%AC", "€"],
    ["the same unescaped", "€a", "€a"],
  ])("of %s", async (_name, sent, read_) => {
    const count = Math.floor(MIB / Buffer.byteLength(sent));
    const { text, turns } = await read(`batch_data=${sent.repeat(count)}`);
    expect(text === read_.repeat(count)).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(Math.floor(MIB / 65_536 / STEPS_PER_SLICE));
  });

  test("of many pairs", async () => {
    const { text, turns } = await read(`${"a=%41&".repeat(MIB / 6)}batch_data=1`);
    expect(text).toBe("1");
    expect(turns).toBeGreaterThanOrEqual(Math.floor(MIB / 4096 / STEPS_PER_SLICE));
  });

  test("and a bad byte or escape at its end leaves none of it", async () => {
    for (const bad of ["%", "%2", "%zz", "%ff", "%E2%82", ";"]) {
      expect((await read(`batch_data=${"x".repeat(MIB)}${bad}`)).text).toBeUndefined();
    }
  });

  test("but a small one in the turn in which it came", async () => {
    expect((await read("batch_data=1")).turns).toBe(0);
    expect((await read(`batch_data=${"1".repeat(65_537)}`)).turns).toBeGreaterThan(0);
  });
});

test("a text of many pieces is put together in a turn of its own, one of few in that of the last", () => {
  const steps = (bytes: number) => [...decodeForm(Buffer.alloc(bytes, "x"))];
  expect(steps(PIECES_MAX * STEP_BYTES)).not.toContain(LONG_STEP);
  expect(steps(PIECES_MAX * STEP_BYTES + 1).at(-1)).toBe(LONG_STEP);
});

test("a long item is judged in a turn of its own, and none that is shorter", async () => {
  const turnsOf = async (characters: number) => {
    const { runtime, turns } = steppingRuntime();
    const items: string[] = Array(8).fill(`{"a":"${"x".repeat(characters - 8)}"}`);
    const body = Buffer.from(`batch_data=[${items.join(",")}]`);
    const response = await pushBatch({
      ...{ request, body, runtime, params: { app_key: "NONE" }, bodyBytesMax: MIB },
      ...{ context: undefined, reach: "all", ending: () => new AbortController().signal },
    });
    expect(response.status).toBe(200);
    return turns();
  };
  const short = await turnsOf(LONG_ITEM_CHARACTERS);
  // Of the eight turns some begin where a slice ends anyway.
  expect(await turnsOf(LONG_ITEM_CHARACTERS + 1)).toBeGreaterThanOrEqual(short + 3);
});

test.each([
  ["many items", `${'{"channel":"c","data":1},'.repeat(9_999)}{}`],
  [
    "large ones",
    Array(8)
      .fill(`{"data":"${"x".repeat(130_000)}"}`)
      .join(","),
  ],
  ["white space", `${" ".repeat(130_000)}{}`],
])("a batch of %s is judged in slices", async (_name, items) => {
  const { runtime, turns } = steppingRuntime();
  const body = Buffer.from(`batch_data=[${items}]`);
  await readFields(request, { names: ["batch_data"], body, slices: new Slices(runtime) });
  const decoding = turns();
  const response = await pushBatch({
    ...{ request, body, runtime, params: { app_key: "NONE" }, bodyBytesMax: 131_072 },
    ...{ context: undefined, reach: "all", ending: () => new AbortController().signal },
  });
  expect(response.status).toBe(200);
  const steps = items.length / 16_384;
  expect(turns() - 2 * decoding).toBeGreaterThanOrEqual(Math.floor(steps / STEPS_PER_SLICE));
  expect(turns() - 2 * decoding).toBeGreaterThan(0);
});
