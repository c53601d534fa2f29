/** Two processes' worth of listeners: requests of a session reach the one whose it is, wherever they land. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { turn } from "../../test/support/bun-servers.ts";
import { ask, get, openByPoll, post, PRELUDE, useSockJs } from "../../test/support/sockjs.ts";
import { ownerOf } from "./peers.ts";
import type { SocketRequest } from "./socket.ts";

const { listen, stream, websocket, defer } = useSockJs();

type Options = NonNullable<Parameters<typeof listen>[0]>;

/** `at`: the same path at the other one. */
function listenTwice(options: Options = {}) {
  const directory = mkdtempSync(join(tmpdir(), "carillon-peers-"));
  defer(() => rmSync(directory, { recursive: true, force: true }));
  const start = (number: number) => listen({ ...options, peers: { number, count: 2, directory } });
  const servers = [start(1), start(2)] as const;
  let ids = 0;
  /** A session that the first one's or the second one's process has. */
  const sessionOf = (owner: 1 | 2, service = "/echo") => {
    let id = "";
    do id = `s${(ids += 1)}`;
    while (ownerOf(id, { number: 1, count: 2, directory }) !== owner);
    const [first, second] = servers.map(({ url }) => `${url}${service}/000/${id}`);
    return [first ?? "", second ?? ""] as const;
  };
  return { servers, start, sessionOf };
}

test("ids are spread over all processes, and alike in each", () => {
  const peers = { number: 1, count: 4, directory: "" };
  const counts = new Map<number, number>();
  for (let at = 0; at < 4_000; at += 1) {
    const owner = ownerOf(`session${at}`, peers);
    expect(ownerOf(`session${at}`, { ...peers, number: 3 })).toBe(owner);
    counts.set(owner, (counts.get(owner) ?? 0) + 1);
  }
  expect(new Set(counts.keys())).toEqual(new Set([1, 2, 3, 4]));
  for (const count of counts.values()) expect(count).toBeGreaterThan(800);
});

test("a session lives in one process, whichever its requests reach; nothing is lost, doubled or out of order", async () => {
  const { servers, sessionOf } = listenTwice();
  for (const owner of [1, 2] as const) {
    const urls = sessionOf(owner);
    await openByPoll(urls[0]);
    expect(servers.map(({ opened }) => opened.length)).toEqual([1, owner - 1]);
    const received: string[] = [];
    for (let at = 0; at < 100; at += 1) {
      const sent = await post(`${urls[at % 2]}/xhr_send`, `["${at}"]`);
      expect(sent.status).toBe(204);
      if (at % 3 !== 0) continue;
      const { body } = await post(`${urls[(at + 1) % 2]}/xhr`);
      received.push(...(JSON.parse(body.slice(1)) as string[]));
    }
    expect(received).toEqual(Array.from({ length: 100 }, (_, at) => `${at}`));
  }
});

describe("what is passed on", () => {
  test("streams frame by frame, to its limit, and keeps the second receiver out", async () => {
    const { sessionOf } = listenTwice();
    const [near, far] = sessionOf(1);
    const answer = await stream(`${far}/xhr_streaming`, "POST", { Origin: "https://a.example" });
    expect(answer.headers.get("access-control-allow-origin")).toBe("https://a.example");
    let read = (await answer.next()) ?? "";
    // Chunks that come at once may be one here.
    while (!read.endsWith("o\n")) read += (await answer.next()) ?? "";
    expect(read).toBe(`${PRELUDE}o\n`);
    expect((await post(`${far}/xhr`)).body).toStartWith("c[2010");
    const message = "x".repeat(128);
    for (let at = 0; at < 31; at += 1) {
      await post(`${at % 2 === 0 ? near : far}/xhr_send`, `["${message}"]`);
      expect(await answer.next()).toBe(`a["${message}"]\n`);
    }
    expect(await answer.next()).toBeUndefined();
  });

  test("a client that leaves ends its session at once", async () => {
    const { servers, sessionOf } = listenTwice();
    const [, far] = sessionOf(1);
    const answer = await stream(`${far}/eventsource`, "GET");
    await answer.next();
    const { session } = servers[0];
    const ended = new Promise<void>((resolve) => (session.onClosed = resolve));
    answer.destroy();
    await ended;
    expect(servers[0].listener.sockets()).toBe(0);
  });

  test("errors, OPTIONS and refusals are as they are next to the session", async () => {
    const { servers, sessionOf } = listenTwice();
    const [, far] = sessionOf(1, "/tokens");
    expect((await post(`${far}/xhr`)).status).toBe(401);
    expect((await post(`${far}/xhr_send?access_token=ann.1`, '["x"]')).status).toBe(404);
    expect((await ask(`${far}/xhr`, "OPTIONS")).status).toBe(204);
    expect((await get(`${far}/jsonp?access_token=ann.1&c=%20`)).status).toBe(500);
    expect((await post(`${far}/xhr?access_token=ann.1`)).body).toBe("o\n");
    expect((await post(`${far}/xhr_send?access_token=ann.1`, "[")).status).toBe(500);
    expect((await post(`${far}/xhr_send?access_token=bob.1`, '["x"]')).status).toBe(403);
    expect(servers[0].session.received).toEqual([]);
  });

  test("carries the client's address, and nobody else's word for it", async () => {
    const seen: SocketRequest[] = [];
    const { sessionOf } = listenTwice({
      trustedProxies: ["127.0.0.1"],
      route: (route) => ({
        ...route,
        accept(asked) {
          seen.push(asked);
          return route.accept(asked);
        },
      }),
    });
    for (const url of [sessionOf(1)[0], sessionOf(1)[1]]) {
      const headers = {
        ...{ "X-Forwarded-For": "192.0.2.7", Host: "chat.example" },
        "X-Carillon-Client-Address": "192.0.2.99",
      };
      await post(`${url}/xhr?a=b`, undefined, headers);
    }
    expect(seen.map(({ address }) => address)).toEqual(["192.0.2.7", "192.0.2.7"]);
    expect(seen.map(({ url }) => url.host + url.search)).toEqual([
      ...["chat.example?a=b", "chat.example?a=b"],
    ]);
  });

  test("a reader that stops costs its own session, with memory bounded", async () => {
    const { servers, sessionOf } = listenTwice({
      route: (route) => ({
        ...route,
        sockjs: { responseBytesMax: 2 ** 40 },
        accept: async (asked) => {
          const accepted = await route.accept(asked);
          return accepted instanceof Response
            ? accepted
            : { ...accepted, bufferedBytesMax: 262_144 };
        },
      }),
    });
    const [, far] = sessionOf(1);
    const answer = await stream(`${far}/eventsource`, "GET");
    answer.tcp.pause();
    const { session } = servers[0];
    const { socket } = session;
    const size = 16_384;
    let sent = 0;
    while (session.ends.length === 0) {
      if (socket.send("x".repeat(size))) sent += size;
      expect(socket.bufferedBytes).toBeLessThanOrEqual(300_000);
      await turn();
    }
    expect(session.ends[0]?.code).toBe(3001);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });
});

test("WebSockets stay where they land", async () => {
  const { servers, sessionOf } = listenTwice();
  const [, far] = sessionOf(1);
  const client = await websocket(`${far}/websocket`);
  expect((await client.next()).text).toBe("o");
  expect(servers.map(({ opened }) => opened.length)).toEqual([0, 1]);
});

test("sessions of a process that is away are refused, and new when it is back", async () => {
  const { servers, start, sessionOf } = listenTwice();
  const [, far] = sessionOf(1);
  await openByPoll(far);
  await servers[0].listener.close();
  const refused = await post(`${far}/xhr`, undefined, { Origin: "https://a.example" });
  expect(refused.status).toBe(503);
  expect(refused.headers.get("access-control-allow-origin")).toBe("https://a.example");
  expect((await post(`${far}/xhr_send`, '["x"]')).status).toBe(503);
  const [, own] = sessionOf(2);
  await openByPoll(own);
  start(1);
  expect((await post(`${far}/xhr_send`, '["x"]')).status).toBe(404);
  await openByPoll(far);
});
