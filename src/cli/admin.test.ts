/** `carillon who`, `connections` and `kick` against a running server. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../test/support/server.ts";
import { connectClient, subscribed, type StreamingClient } from "../../test/support/streaming.ts";
import { printable, tableLines } from "./table.ts";
import { carillon } from "./test-support.ts";

let server: BootedServer;
let clients: StreamingClient[];
const hostile = "<b>\u001b[31m\u202e__proto__";

beforeAll(async () => {
  server = await bootServer();
  clients = [];
  for (const user of ["42", "42", hostile]) {
    const client = await connectClient(server, { sub: user });
    await subscribed(client, "public:news");
    clients.push(client);
  }
});
afterAll(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const run = (...args: string[]) => carillon([...args, "--url", server.apiUrl]);

test("who prints a plain table", async () => {
  const { code, out, err } = await run("who", "public:news");
  expect([code, err]).toEqual([0, ""]);
  const lines = out.trimEnd().split("\n");
  expect(lines[0]).toBe("public:news: 3 connected (streaming 3)");
  expect(lines[1]).toMatch(/^CONNECTION +USER +DIALECT +CHANNELS +UNSENT +SINCE +NODE$/);
  expect(lines).toHaveLength(5);
  for (const { id } of clients) expect(out).toContain(id);
  expect(out).toContain("<b>\\u001b[31m\\u202e__proto__ ");
  const columns = lines.slice(1).map((line) => line.lastIndexOf("  "));
  expect(new Set(columns).size).toBe(1);

  expect(await run("who", "public:nobody")).toEqual({
    ...{ code: 0, err: "", out: "Nobody is subscribed to public:nobody\n" },
  });
});

test("connections prints JSON as the server says it, up to a limit", async () => {
  const json = await run("connections", "--user", hostile, "--json");
  expect(
    json.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as unknown),
  ).toEqual([
    {
      ...{ connection: clients[2]?.id, user: hostile, dialect: "streaming", subscriptions: 1 },
      ...{ node: server.hub.nodeId, connected_at: expect.stringMatching(/Z$/) },
      unsent_bytes: 0,
      channels: [{ channel: "public:news" }],
    },
  ]);
  const some = await run("connections", "--channel", "public:news", "--limit", "2", "--json");
  expect(some.out.trimEnd().split("\n")).toHaveLength(2);
  expect(some.err).toBe("There are more: --limit takes a larger number\n");
});

test("kick ends who is named", async () => {
  expect(await run("kick", "--user", "42")).toEqual({
    ...{ code: 0, err: "", out: "2 connections ended\n" },
  });
  for (const client of clients.slice(0, 2)) expect((await client.closed()).code).toBe(3503);
  const one = await run("kick", "--connection", clients[2]?.id ?? "", "--reconnect", "--json");
  expect(JSON.parse(one.out)).toEqual({ matched: 1, nodes_answered: 1, nodes_asked: 1 });
  expect((await clients[2]?.closed())?.code).toBe(3011);
});

describe("what goes wrong is one line that says what to do", () => {
  test.each<[string, readonly string[], string]>([
    ["nobody is named", ["kick"], "Say whom: one of --user, --connection and --channel"],
    [
      "two are named",
      ["kick", "--user", "u", "--channel", "c"],
      "Say whom: one of --user, --connection and --channel",
    ],
    [
      "the URL is none",
      ["who", "c", "--url", "nowhere"],
      "--url must be an http, https, ws or wss address",
    ],
    ["an app that is none", ["who", "c", "--app", "x"], 'App "x" is not in the configuration'],
  ])("%s", async (_name, args, words) => {
    const { code, out, err } = await carillon(args);
    expect([code, out]).toEqual([1, ""]);
    expect(err).toStartWith(`carillon: ${words}`);
  });

  test("another listener, and no server at all", async () => {
    const clientsUrl = await carillon(["connections", "--url", server.clientsUrl]);
    expect(clientsUrl.err).toContain("has no admin API (404): --url is the server's api listener");
    const gone = await carillon(["connections", "--url", "http://127.0.0.1:1"]);
    expect(gone.err).toStartWith("carillon: Asking http://127.0.0.1:1 failed: ");
  });

  test("a refusal", async () => {
    const answer = { error: { code: "unauthorized", message: "An API key is missing" } };
    await using locked = Bun.serve({
      ...{ port: 0, hostname: "127.0.0.1" },
      fetch: () => Response.json(answer, { status: 401 }),
    });
    const refused = await carillon(["kick", "--user", "u", "--url", locked.url.href]);
    expect([refused.code, refused.err]).toEqual([
      1,
      'carillon: The server refused it: An API key is missing: give --key; "carillon key --scope admin" makes one [server_refused]\n',
    ]);
  });
});

test("a table keeps its columns, whatever names hold", () => {
  const emoji = "\u{1f600}".repeat(64);
  const lines = tableLines(
    ["A", "B"],
    [
      [emoji, "1"],
      ["", "2"],
      ["x\ny\u2028", "3"],
      ["\ud800", "4"],
    ],
  );
  expect(lines.map((line) => Bun.stringWidth(line))).toEqual([50, 50, 50, 50, 50]);
  expect(lines[1]).toEndWith("…  1");
  expect(lines.slice(2).map((line) => line.split("  ")[0])).toEqual([
    ...['""', "x\\u000ay\\u2028", "\\ud800"],
  ]);
  expect(printable("plain ü \u{1f600}")).toBe("plain ü \u{1f600}");
});
