/** What callers of gusher's master API may send by mistake or malice: large, undecodable and costly requests (gusher.md §2). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  bootGusher,
  GRANT_Z,
  openGusher,
  type GusherClient,
  type GusherServer,
} from "../support/gusher.ts";
import {
  callMaster,
  ok,
  openSockets,
  refused,
  subscribe,
  type MasterAnswer,
  type Sockets,
} from "../support/gusher-master.ts";
import { exchange, expectNoBugs } from "../support/hostile.ts";

const FORM = "application/x-www-form-urlencoded";
const BODY_BYTES_MAX = 10_485_760;

let server: GusherServer;
let sockets: Sockets;
let neighbour: GusherClient;
beforeAll(async () => {
  // Bodies as large as the original's, which is more than one should allow.
  server = await bootGusher({
    gusher: { queue_max_size: 100_000_000, body_size_limit: BODY_BYTES_MAX },
  });
  sockets = await openSockets(server);
  neighbour = sockets.s1;
});
afterAll(async () => {
  expectNoBugs(server);
  sockets[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

/** The answer to what is larger than a setting of `[gusher]`. */
const tooLarge = (what: string, setting: string): MasterAnswer => ({
  ...{ status: 413, type: "text/plain; charset=utf-8" },
  body: `${what} larger than gusher.${setting}`,
});

async function post(
  path: string,
  body: string | Uint8Array<ArrayBuffer> | FormData,
  type?: string,
  masterUrl = server.masterUrl,
): Promise<MasterAnswer> {
  const headers = type === undefined ? {} : { "Content-Type": type };
  const response = await fetch(masterUrl + path, { method: "POST", headers, body });
  return {
    status: response.status,
    type: response.headers.get("content-type"),
    body: await response.text(),
  };
}

/** The neighbour was sent nothing, and is served as before. */
async function expectUntouched(): Promise<void> {
  expect(await neighbour.arrived()).toEqual([]);
  await callMaster(server, "/push/TEST/AA/e", { data: "1" });
  expect(await neighbour.next()).toEqual({ channel: "AA", event: "e", data: 1 });
}

describe("bodies", () => {
  test("of 10 MiB are taken where the setting says so, and a larger one is refused by the setting's name", async () => {
    const form = (bytes: number) => `data=${"x".repeat(bytes - 5)}`;
    const whole = await post("/push/TEST/NOBODY/e", form(BODY_BYTES_MAX), FORM);
    const pushed = JSON.stringify({ channel: "NOBODY", event: "e", data: "" });
    expect(whole.body).toHaveLength(pushed.length + BODY_BYTES_MAX - "data=".length);
    const over = form(BODY_BYTES_MAX + 1);
    for (const path of ["/push/TEST/AA/e", "/push/TEST/AA/e?data=q", "/decode"]) {
      expect(await post(path, over, FORM)).toEqual(tooLarge("body", "body_size_limit"));
    }
    await expectUntouched();
  });

  test("of 128 KiB are read unless told otherwise, and the log and the metrics name the setting", async () => {
    await using usual = await bootGusher();
    const push = (path: string, bytes: number, type = FORM) =>
      post(path, `data=${"x".repeat(bytes - 5)}`, type, usual.masterUrl);
    expect((await push("/push/TEST/NOBODY/e", 131_072)).status).toBe(200);
    const refusal = tooLarge("body", "body_size_limit");
    expect(await push("/push/TEST/NOBODY/e", 131_073)).toEqual(refusal);
    // What is no form is read in one go, also a batch.
    expect(await push("/push_batch/TEST", 131_073, "application/json")).toEqual(refusal);
    const refused = usual.logged.filter(({ msg }) => msg === "API call refused");
    expect(refused).toMatchObject([
      { method: "push", status: 413, detail: refusal.body },
      { method: "push_batch", status: 413, detail: refusal.body },
    ]);
    const metrics = await (await fetch(`${usual.apiUrl}/metrics`)).text();
    expect(metrics).toContain('carillon_limits_hit_total{limit="body_size_limit"} 2');
  });

  test("without a length are bounded as well", async () => {
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    const head = `POST /gusher/push/TEST/AA/e HTTP/1.1\r\nHost: localhost\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await exchange(server.apiUrl, head + "5\r\ndata=\r\n" + chunk.repeat(200), {
      until: "body_size_limit",
    });
    expect(answer).toContain(" 413 ");
    await expectUntouched();
  });

  test.each<[string, string | Uint8Array<ArrayBuffer>, string]>([
    ["a bad escape", "data=%zz", FORM],
    ["an escape that is no UTF-8", "data=%c3%28", FORM],
    ["bytes that are no UTF-8", Uint8Array.of(0x64, 0x61, 0x74, 0x61, 0x3d, 0xff), FORM],
    ["a raw semicolon", "data=a;b", FORM],
    ["no form", "data=a", "text/plain"],
    ["a type that is none", "data=a", "x"],
    ["broken JSON", '{"data":', "application/json"],
    ["JSON that is too deep", `{"data":${"[".repeat(100_000)}`, "application/json"],
    ["broken multipart", "--b\r\n\r\n", "multipart/form-data; boundary=b"],
    [
      "multipart without end",
      `--b\r\n${"a: b\r\n".repeat(10_000)}`,
      "multipart/form-data; boundary=b",
    ],
  ])("%s counts as none", async (_name, body, type) => {
    expect(await post("/push/TEST/AA/e", body, type)).toEqual(refused("empty data"));
    expect(await post("/push_batch/TEST", body, type)).toEqual(refused("empty batch data"));
    expect(await post("/decode", body, type)).toEqual(refused("data error"));
    await expectUntouched();
  });

  test("of many small pieces are read, in each form", async () => {
    const pairs = `${"a=%41&".repeat(1_000_000)}data=1`;
    const members = `{${'"a":[1e1],'.repeat(500_000)}"data":1}`;
    const parts = new FormData();
    for (let index = 0; index < 20_000; index++) parts.append(`a${index}`, "b");
    parts.append("data", "1");
    const pushed = ok('{"channel":"NOBODY","event":"e","data":1}');
    expect(await post("/push/TEST/NOBODY/e", pairs, FORM)).toEqual(pushed);
    expect(await post("/push/TEST/NOBODY/e", members, "application/json")).toEqual(pushed);
    expect(await post("/push/TEST/NOBODY/e", parts)).toEqual(pushed);
    await expectUntouched();
  });
});

const named = (patterns: readonly string[]) =>
  patterns.map((pattern): [string, string] => [pattern.slice(0, 30), pattern]);

describe("patterns", () => {
  test.each(
    named([
      "a".repeat(10_000),
      "(a*)*".repeat(2_000),
      "(a{1000}){1000}",
      "(a{1000})".repeat(100),
      "((((a?){100}){10}))".repeat(50),
      "\\pL".repeat(300),
      `(?i)${"[B-\\x{1E942}]".repeat(70)}`,
      "(".repeat(5_000) + ")".repeat(5_000),
      "[".repeat(900),
      "(?=a)",
      "(a)\\1",
      "\\",
      "*",
    ]),
  )("%s is refused", async (_name, pattern) => {
    const fields = { channel_pattern: pattern, event: "e", data: "1" };
    const answer = await callMaster(server, "/push/TEST", fields);
    expect(answer).toEqual(refused("channel_pattern cant regex"));
    await expectUntouched();
  });

  test.each(
    named(["(a+)+$", "(a|a)*b", "(.*)*x", "(a*)*".repeat(70), ".*".repeat(160), "\\pL{30}"]),
  )("%s costs time linear in a name's length", async (_name, pattern) => {
    using long = await openGusher(server, GRANT_Z);
    await subscribe(long, "a".repeat(255));
    const fields = { channel_pattern: pattern, event: "e", data: "1" };
    expect((await callMaster(server, "/push/TEST", fields)).status).toBe(200);
    await neighbour.arrived();
    await expectUntouched();
  });
});

describe("batches, unless the configuration says otherwise,", () => {
  let usual: GusherServer;
  beforeAll(async () => {
    usual = await bootGusher({ gusher: { queue_max_size: 100_000_000 } });
  });
  afterAll(() => usual[Symbol.asyncDispose]());

  const push = (body: string, type = FORM) => post("/push_batch/TEST", body, type, usual.masterUrl);
  /** Two items whose list has this many bytes. */
  function twoItems(bytes: number, filler: string): string {
    const written = (data: string) =>
      JSON.stringify([1, 2].map((n) => ({ channel: "AA", event: `e${n}`, data })));
    const each = (bytes - written("").length) / 2 / (JSON.stringify(filler).length - 2);
    return written(filler.repeat(each)).padEnd(bytes);
  }

  test("are taken in the published size, however they are encoded", async () => {
    using client = await openGusher(usual);
    await subscribe(client, "AA");
    // `"` is sent as `%5C%22`, so that the form is nearly three times as long.
    for (const filler of ["x", '"']) {
      const batch_data = twoItems(102_456, filler);
      expect(batch_data).toHaveLength(102_456);
      const form = new URLSearchParams({ batch_data }).toString();
      expect(await push(form)).toEqual(ok('{"total":2,"cap":102456}'));
      const items = JSON.parse(batch_data) as unknown[];
      expect([await client.next(), await client.next()]).toEqual(items);
    }
  });

  test("are taken up to 10 MiB of form and 10,000 items, and reach their subscribers whole", async () => {
    using client = await openGusher(usual);
    await subscribe(client, "AA");
    const item = { channel: "AA", event: "e", data: "x".repeat(850) };
    const text = JSON.stringify(Array(10_000).fill(item));
    const form = `batch_data=${encodeURIComponent(text)}`;
    const padded = form + "+".repeat(BODY_BYTES_MAX - form.length);
    const cap = text.length + padded.length - form.length;
    expect(await push(padded)).toEqual(ok(JSON.stringify({ total: 10_000, cap })));
    expect(await client.arrived()).toHaveLength(10_000);
    expect(await push(`${padded}+`)).toEqual(tooLarge("body", "batch_size_limit"));
    const metrics = await (await fetch(`${usual.apiUrl}/metrics`)).text();
    expect(metrics).toContain('carillon_limits_hit_total{limit="batch_size_limit"} 1');
    expect(usual.logged.at(-1)).toMatchObject({
      ...{ msg: "API call refused", method: "push_batch", status: 413 },
      detail: "body larger than gusher.batch_size_limit",
    });
  });

  test("have items of up to 128 KiB", async () => {
    const batch = (characters: number) => {
      const frame = JSON.stringify({ channel: "NOBODY", data: "" });
      const item = `{"channel":"NOBODY","data":"${"x".repeat(characters - frame.length)}"}`;
      return `batch_data=[{},${item}]`;
    };
    expect((await push(batch(131_072))).status).toBe(200);
    expect(await push(batch(131_073))).toEqual(tooLarge("item", "body_size_limit"));
  });

  test.each([
    ...["[", "{", "[[", "[{", '["', "[1,", "+", '[{"a":1},'].map((piece) => [piece] as const),
  ])("of %p over and over are refused, and nobody is kept waiting", async (piece) => {
    const count = Math.floor((BODY_BYTES_MAX - 11) / piece.length);
    const answer = await push(`batch_data=${piece.repeat(count)}`);
    expect([400, 413]).toContain(answer.status);
    expectNoBugs(usual);
  });
});
