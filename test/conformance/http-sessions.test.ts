/** Sessions that HTTP requests carry, in whole servers: taken up again, on whichever node a message lands, and told of a stop. */
import { expect, test } from "bun:test";
import { compactJson } from "../../src/core/json-text.ts";
import { createRedisEngine } from "../../src/engines/redis/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { lines } from "../support/lines-dialect.ts";
import { RESUME_MS } from "../support/lines-http.ts";
import { startRedis, until } from "../support/redis.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { openStream } from "../support/stream-client.ts";

const boot = () => bootServer({ dialects: [lines] });

async function open(server: BootedServer, query = "") {
  const stream = await openStream(`${server.clientsUrl}/lines/stream${query}`, "\n");
  const id = (await stream.next())?.replace(/^SESSION /, "") ?? "";
  return { ...stream, id };
}

async function send(server: BootedServer, session: string, line: string): Promise<number> {
  const url = `${server.clientsUrl}/lines/send?session=${encodeURIComponent(session)}`;
  return (await fetch(url, { method: "POST", body: line })).status;
}

async function waits(server: BootedServer, session: string): Promise<boolean> {
  const url = `${server.clientsUrl}/lines/waits?session=${encodeURIComponent(session)}`;
  return (await (await fetch(url)).json()) === true;
}

const publish = (server: BootedServer, json: string) =>
  server.hub.publish({ space: "channels", name: "news" }, { data: { json: compactJson(json) } });

test("a message finds its session on another node, and what it causes comes on the stream", async () => {
  await using redis = await startRedis();
  const node = () =>
    bootServer({
      ...{ dialects: [lines], runtime: systemRuntime, config: { master_key: "11".repeat(32) } },
      engine: createRedisEngine({ url: redis.url, prefix: "http", runtime: systemRuntime }),
    });
  await using here = await node();
  await using there = await node();
  await until("both nodes know each other", async () => (await here.hub.nodes()).length === 2);

  const stream = await open(here);
  expect(stream.id).toStartWith(`${here.hub.nodeId}~`);
  expect(await send(there, stream.id, "SUB news")).toBe(204);
  expect(await stream.next()).toBe("OK news");
  await publish(there, "1");
  expect(await stream.next()).toBe("MSG news 1");
  expect(await send(here, stream.id, "PUB news 2")).toBe(204);
  const came = new Set([await stream.next(), await stream.next()]);
  expect(came).toEqual(new Set(["MSG news 2", "OK"]));
  const { nodeId } = here.hub;
  for (const unknown of ["", "none~1", `${nodeId}~1`, `${there.hub.nodeId}~1`, `${stream.id}1`]) {
    expect(await Promise.all([send(here, unknown, "x"), send(there, unknown, "x")])).toEqual([
      404, 404,
    ]);
  }
  stream.destroy();
});

test("a session that was left is taken up again, with all that came in between", async () => {
  await using server = await boot();
  const first = await open(server);
  expect(await send(server, first.id, "SUB news")).toBe(204);
  expect(await first.next()).toBe("OK news");
  first.destroy();
  // Until the server sees it gone, it hands what comes to the answer that nobody reads.
  await until("the session waits", async () => waits(server, first.id));
  await publish(server, "1");
  expect(await send(server, first.id, "SUB more")).toBe(204);
  const second = await open(server, `?session=${first.id}`);
  expect(second.id).toBe(first.id);
  expect([await second.next(), await second.next()]).toEqual(["MSG news 1", "OK more"]);
  // A client may be back before it is seen to have gone.
  const third = await open(server, `?session=${first.id}`);
  expect(await second.whole).toBe(false);
  await publish(server, "2");
  expect(await third.next()).toBe("MSG news 2");
  await server.advance(RESUME_MS);
  expect(server.sockets()).toBe(1);
  third.destroy();
});

test("one that nobody takes up in time has ended, with its subscriptions", async () => {
  await using server = await boot();
  const stream = await open(server);
  const { id } = stream;
  await send(server, id, "SUB news");
  await stream.next();
  stream.destroy();
  const channels = () => server.hub.channels();
  // Its client's leaving is another connection's news.
  while ((await channels()).size > 0) await server.advance(RESUME_MS);
  expect(server.sockets()).toBe(0);
  expect(await send(server, id, "SUB news")).toBe(404);
  const again = await openStream(`${server.clientsUrl}/lines/stream?session=${id}`, "\n");
  expect(again.status).toBe(404);
});

test("a stop is told on the stream, which then comes to its end", async () => {
  const server = await boot();
  const subscribed = await open(server);
  await send(server, subscribed.id, "SUB news");
  expect(await subscribed.next()).toBe("OK news");
  const left = await open(server);
  left.destroy();
  await server[Symbol.asyncDispose]();
  expect(await subscribed.next()).toBe("END 4001 shutdown");
  expect(await subscribed.next()).toBeUndefined();
  expect(await subscribed.whole).toBe(true);
  expect(server.logged.filter(({ level }) => Number(level) >= 50)).toEqual([]);
});

test("a body may have as many bytes as a message, and a HEAD opens nothing", async () => {
  await using server = await boot();
  const stream = await open(server);
  expect(await send(server, stream.id, `PUB a "${"x".repeat(4088)}"`)).toBe(204);
  expect(await stream.next()).toBe("OK");
  expect(await send(server, stream.id, `PUB a "${"x".repeat(4089)}"`)).toBe(413);
  const head = await fetch(`${server.clientsUrl}/lines/stream`, { method: "HEAD" });
  expect(head.status).toBe(405);
  expect(server.sockets()).toBe(1);
  stream.destroy();
});
