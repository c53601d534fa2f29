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

async function post(
  path: string,
  body: string | Uint8Array<ArrayBuffer> | FormData,
  type?: string,
) {
  const headers = type === undefined ? {} : { "Content-Type": type };
  const response = await fetch(server.masterUrl + path, { method: "POST", headers, body });
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
  test("of 10 MiB are taken; a larger one counts as none, and the query is read all the same", async () => {
    const form = (bytes: number) => `data=${"x".repeat(bytes - 5)}`;
    const whole = await post("/push/TEST/NOBODY/e", form(BODY_BYTES_MAX), FORM);
    const pushed = JSON.stringify({ channel: "NOBODY", event: "e", data: "" });
    expect(whole.body).toHaveLength(pushed.length + BODY_BYTES_MAX - "data=".length);
    const over = form(BODY_BYTES_MAX + 1);
    expect(await post("/push/TEST/AA/e", over, FORM)).toEqual(refused("empty data"));
    const queried = await post("/push/TEST/NOBODY/e?data=q", over, FORM);
    expect(queried).toEqual(ok('{"channel":"NOBODY","event":"e","data":"q"}'));
    await expectUntouched();
  });

  test("of 128 KiB are read unless told otherwise, and larger ones count as none", async () => {
    await using usual = await bootGusher();
    const push = async (bytes: number) => {
      const body = `data=${"x".repeat(bytes - 5)}`;
      const headers = { "Content-Type": FORM };
      const path = "/push/TEST/NOBODY/e";
      return fetch(usual.masterUrl + path, { method: "POST", headers, body });
    };
    expect((await push(131_072)).status).toBe(200);
    const refusal = await push(131_073);
    expect([refusal.status, await refusal.text()]).toEqual([400, "empty data"]);
  });

  test("without a length are bounded as well", async () => {
    const chunk = `10000\r\n${"x".repeat(0x10000)}\r\n`;
    const head = `POST /gusher/push/TEST/AA/e HTTP/1.1\r\nHost: a\r\nContent-Type: ${FORM}\r\nTransfer-Encoding: chunked\r\n\r\n`;
    const answer = await exchange(server.apiUrl, head + "5\r\ndata=\r\n" + chunk.repeat(200), {
      until: "empty data",
    });
    expect(answer).toContain(" 400 ");
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

test("batches of the largest size are taken whole", async () => {
  const item = { channel: "AA", event: "e", data: "x".repeat(900) };
  const batch_data = JSON.stringify(Array(10_000).fill(item));
  const answer = await callMaster(server, "/push_batch/TEST", { batch_data });
  expect(answer).toEqual(ok(JSON.stringify({ total: 10_000, cap: batch_data.length })));
  expect(await neighbour.arrived()).toHaveLength(10_000);
  await expectUntouched();
});
