/** `carillon publish` against a running server: what it pushes, and how many it says that it matched. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { bootServer, type BootedServer } from "../../test/support/server.ts";
import { connectClient, subscribed, type StreamingClient } from "../../test/support/streaming.ts";
import { carillon } from "./test-support.ts";

let server: BootedServer;
let clients: StreamingClient[];

beforeAll(async () => {
  server = await bootServer();
  clients = [];
  for (const [user, channel] of [
    ["42", "public:news"],
    ["42", "public:sports"],
    ["7", "public:news"],
  ] as const) {
    const client = await connectClient(server, { sub: user });
    await subscribed(client, channel);
    clients.push(client);
  }
});
afterAll(async () => {
  for (const client of clients) client[Symbol.dispose]();
  await server[Symbol.asyncDispose]();
});

const run = (...args: string[]) => carillon(["publish", ...args, "--url", server.apiUrl]);

test("a push to a channel tells how many it matched, and every digit arrives", async () => {
  const sent = await run("public:news", '{"n":9007199254740993}');
  expect(sent).toEqual({ code: 0, out: "2 matched (streaming 2), offset 1\n", err: "" });
  expect(await clients[0]?.next()).toMatchObject({ push: { channel: "public:news" } });
  const text = await run("public:news", "hello");
  expect(text.out).toBe("2 matched (streaming 2), offset 2\n");
  const { result } = await server.api("history", { channel: "public:news", limit: 10 });
  expect(result?.["publications"]).toMatchObject([{ offset: 1 }, { offset: 2, data: "hello" }]);
});

test("a push to a user and to a pattern takes its place", async () => {
  expect((await run("--user", "42", '{"hi":1}')).out).toBe("2 matched (streaming 2)\n");
  const everywhere = await run("--pattern", "^public:", "1");
  expect(everywhere.out).toBe("3 matched in 2 channels (streaming 3)\n");
  const nobody = await run("--user", "nobody", "1", "--json");
  expect(JSON.parse(nobody.out)).toMatchObject({ matched: 0, nodes_answered: 1, nodes_asked: 1 });
});

test.each([
  [["1"], "Say where to, then what: "],
  [["a", "1", "--user", "u"], "Say where to, then what: "],
  [["1", "--user", "u", "--pattern", "p"], "Say where to, then what: "],
  [["--pattern", "(", "1"], "The server refused it: "],
])("%j is refused in one line that says what to do", async (args, line) => {
  const { code, out, err } = await run(...args);
  expect([code, out]).toEqual([1, ""]);
  expect(err).toStartWith(`carillon: ${line}`);
});
