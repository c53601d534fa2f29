/** Tokens of another server (messaging.md §13.5): it is asked, its answers are remembered for a while, and their end ends connections. */
import { expect, test } from "bun:test";
import {
  closeOf,
  introspect,
  KEY,
  managed,
  open,
  send,
  statusOf,
  subscribe,
  whoami,
  type Json,
} from "../../support/messaging-auth.ts";
import { bootServer } from "../../support/server.ts";

const NOW = Date.UTC(2026, 10, 1) / 1000;

/** What it says of each token; a token that is not there is not active. `undefined` as a whole: it is away. */
async function startAuthorizationServer() {
  const answers = new Map<string, unknown>();
  const asked: string[] = [];
  const seen: Request[] = [];
  let away = false;
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    async fetch(request) {
      seen.push(request);
      const token = String(new URLSearchParams(await request.text()).get("token"));
      asked.push(token);
      if (away) return new Response("away", { status: 503 });
      const answer = answers.get(token);
      if (typeof answer === "string") return new Response(answer);
      return Response.json(answer ?? { active: false });
    },
  });
  return {
    answers,
    asked,
    seen,
    set away(value: boolean) {
      away = value;
    },
    /** The tokens that were asked about since the last call. */
    take: () => asked.splice(0),
    url: `http://127.0.0.1:${server.port}/introspect`,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
    },
  };
}

async function boot(url: string, more: Json = {}) {
  return bootServer({ config: { messaging: { introspection_url: url, ...more } } });
}

const active = (sub: string, more: Json = {}) => ({ active: true, sub, ...more });

test("a token that is not this server's is asked about, with the configured credentials", async () => {
  await using other = await startAuthorizationServer();
  const client = { introspection_client_id: "car:illon", introspection_client_secret: "s ecret" };
  await using server = await boot(other.url, client);
  other.answers.set("opaque", active("42"));
  expect(await whoami(await open(server, "opaque"))).toBe("42");
  expect(await managed(server, "GET", "/subscribers/42")).toMatchObject({ active: true });
  const [request] = other.seen;
  expect(request?.method).toBe("POST");
  expect(request?.headers.get("authorization")).toBe(`Basic ${btoa("car%3Aillon:s%20ecret")}`);
  expect(await introspect(server, "opaque")).toMatchObject({ active: true, sub: "42" });
  // Its own tokens, and keys of the app's servers, are nobody else's business.
  other.take();
  expect(await whoami(await open(server, (await subscribe(server, "101")).token))).toBe("101");
  expect(await statusOf(server, "dev-api-key")).toBe(403);
  expect(other.take()).toEqual([]);
  expect(JSON.stringify(server.logged)).not.toContain("opaque");
});

test("answers count for a while: 30 s at the most, not beyond the token's end, and 5 s when it is not active", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  other.answers.set("long", active("1")).set("short", active("2", { exp: NOW + 10 }));
  const statuses = async () => {
    const all = [];
    for (const token of ["long", "short", "none"]) all.push(await statusOf(server, token));
    return all;
  };
  expect(await statuses()).toEqual([101, 101, 401]);
  expect(other.take().toSorted()).toEqual(["long", "none", "short"]);
  expect(await statuses()).toEqual([101, 101, 401]);
  await server.advance(4999);
  expect(await statuses()).toEqual([101, 101, 401]);
  expect(other.take()).toEqual([]);
  await server.advance(1);
  expect(await statuses()).toEqual([101, 101, 401]);
  expect(other.take()).toEqual(["none"]);
  await server.advance(5000);
  expect(await statuses()).toEqual([101, 401, 401]);
  expect(other.take()).toEqual(["short", "none"]);
  await server.advance(19_999);
  expect(await statusOf(server, "long")).toBe(101);
  expect(other.take().filter((token) => token === "long")).toEqual([]);
  await server.advance(1);
  expect(await statusOf(server, "long")).toBe(101);
  expect(other.take()).toContain("long");
});

test("one question at a time is asked about one token", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  other.answers.set("opaque", active("42"));
  const all = await Promise.all(Array.from({ length: 20 }, () => statusOf(server, "opaque")));
  expect(all).toEqual(Array(20).fill(101));
  expect(other.take()).toEqual(["opaque"]);
});

test("a connection whose token is not active any more ends within half a minute", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  other.answers.set("mine", active("1")).set("theirs", active("2"));
  const [mine, theirs] = [await open(server, "mine"), await open(server, "theirs")];
  other.answers.delete("mine");
  await server.advance(30_000);
  expect(await closeOf(mine)).toEqual([4401, "Unauthorized"]);
  expect(await whoami(theirs)).toBe("2");
  expect(await statusOf(server, "mine")).toBe(401);
});

test("while the other server is away who is connected stays, and nobody new gets in", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  other.answers.set("mine", active("1")).set("new", active("2"));
  const mine = await open(server, "mine");
  other.away = true;
  await server.advance(30_000);
  expect(await statusOf(server, "new")).toBe(503);
  expect(await whoami(mine)).toBe("1");
  other.away = false;
  other.answers.delete("mine");
  await server.advance(30_000);
  expect(await closeOf(mine)).toEqual([4401, "Unauthorized"]);
  expect(await statusOf(server, "new")).toBe(101);
});

test("a revocation is taken at once, from who knows the token and, when nobody vouches for it, with a key", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  other.answers.set("first", active("1")).set("second", active("2"));
  const [first, second] = [await open(server, "first"), await open(server, "second")];
  expect((await send(server, "revoke", { token: "first" })).status).toBe(200);
  expect(await closeOf(first)).toEqual([4401, "Unauthorized"]);
  expect(await statusOf(server, "first")).toBe(401);
  // The other server has forgotten it already, and this one has not noticed.
  other.answers.delete("second");
  await server.advance(29_000);
  other.take();
  const revoke = (headers: Record<string, string>) =>
    send(server, "revoke", { token: "second" }, { headers });
  await revoke(KEY);
  expect(await closeOf(second)).toEqual([4401, "Unauthorized"]);
  expect(await statusOf(server, "second")).toBe(401);
});

test("an answer that makes no sense lets nobody in", async () => {
  await using other = await startAuthorizationServer();
  await using server = await boot(other.url);
  const wrong: readonly (readonly [unknown, number])[] = [
    ["no JSON", 503],
    ['"active"', 503],
    ["[]", 503],
    ["{}", 503],
    [`{"active":true,"sub":"1","pad":"${"x".repeat(70_000)}"}`, 503],
    [{ active: "true", sub: "1" }, 401],
    [{ active: 1, sub: "1" }, 401],
    [active("1", { exp: NOW }), 401],
    [{ active: true }, 403],
    [{ active: true, sub: 5 }, 403],
    [active("a/b"), 403],
  ];
  for (const [index, [answer, status]] of wrong.entries()) {
    other.answers.set(`t${index}`, answer);
    expect([answer, await statusOf(server, `t${index}`)]).toEqual([answer, status]);
  }
});
