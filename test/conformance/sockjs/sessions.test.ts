/** The life of sessions that HTTP requests carry, and of SockJS's WebSockets, by the clock (sockjs.md §5, §7, §10). */
import { describe, expect, test } from "bun:test";
import { connect as connectTcp, type Socket as TcpSocket } from "node:net";
import { turn } from "../../support/bun-servers.ts";
import {
  get,
  openAnswer,
  openByPoll,
  post,
  PRELUDE,
  useSockJs,
  type ChunkedAnswer,
} from "../../support/sockjs.ts";

const { listen, stream, websocket } = useSockJs();

const HEARTBEAT_MS = 25_000;
const DELAY_MS = 5_000;

async function openStream(url: string): Promise<ChunkedAnswer> {
  const answer = await stream(`${url}/xhr_streaming`);
  expect([await answer.next(), await answer.next()]).toEqual([PRELUDE, "o\n"]);
  return answer;
}

/** A poll of the session opened last, once the server has it. */
async function wait(server: ReturnType<typeof listen>, url: string) {
  const answer = post(`${url}/xhr`);
  await turnsUntil(() => server.session.socket.writable);
  return { answer };
}

test("what is sent meanwhile comes together, in order, to the next poll and to the next stream", async () => {
  const server = listen();
  const url = server.sessionUrl();
  await openByPoll(url);
  for (const message of ["1", "2", "3"]) server.session.socket.send(message);
  expect((await post(`${url}/xhr`)).body).toBe('a["1","2","3"]\n');
  for (const message of ["4", "5"]) server.session.socket.send(message);
  const answer = await stream(`${url}/xhr_streaming`);
  expect([await answer.next(), await answer.next()]).toEqual([PRELUDE, 'a["4","5"]\n']);
});

test("a session says whether what it sends is written at once", async () => {
  const server = listen();
  const url = server.sessionUrl();
  await openByPoll(url);
  const { socket } = server.session;
  expect([socket.transport, socket.writable]).toEqual(["sockjs", false]);
  const poll = await wait(server, url);
  expect(socket.writable).toBe(true);
  socket.send("x");
  expect((await poll.answer).body).toBe('a["x"]\n');
  expect(socket.writable).toBe(false);
  const streamed = listen();
  await openStream(streamed.sessionUrl());
  expect(streamed.session.socket.writable).toBe(true);
});

describe("without a receiver", () => {
  test("5 s after the last one the session has ended, once, and its id opens another one", async () => {
    const server = listen();
    const url = server.sessionUrl();
    await openByPoll(url);
    const { session } = server;
    await server.runtime.advance(DELAY_MS - 200);
    expect(session.ends).toEqual([]);
    await server.runtime.advance(400);
    expect(session.ends).toEqual([{ code: 1006, reason: "" }]);
    expect(server.listener.sockets()).toBe(0);
    expect((await post(`${url}/xhr_send`, '["x"]')).status).toBe(404);
    await openByPoll(url);
    expect(server.opened).toHaveLength(2);
  });

  test("a poll within them keeps it; sending does not", async () => {
    const server = listen();
    const url = server.sessionUrl();
    await openByPoll(url);
    const { session } = server;
    for (let at = 0; at < 3; at += 1) {
      await server.runtime.advance(DELAY_MS - 200);
      await post(`${url}/xhr_send`, `["${at}"]`);
      expect((await post(`${url}/xhr`)).body).toBe(`a["${at}"]\n`);
    }
    await server.runtime.advance(DELAY_MS - 200);
    await post(`${url}/xhr_send`, '["x"]');
    await server.runtime.advance(400);
    expect(session.ends).toHaveLength(1);
  });

  test("a close waits 5 s for the next one, and 5 s from each that is told", async () => {
    const server = listen();
    const url = server.sessionUrl();
    await openByPoll(url);
    server.session.socket.send("last");
    server.session.socket.close(4001, "bye");
    expect(server.session.ends).toEqual([{ code: 4001, reason: "bye" }]);
    expect((await post(`${url}/xhr`)).body).toBe('a["last"]\n');
    for (let at = 0; at < 3; at += 1) {
      expect((await post(`${url}/xhr`)).body).toBe('c[4001,"bye"]\n');
      expect((await post(`${url}/xhr_send`, '["x"]')).status).toBe(204);
      await server.runtime.advance(DELAY_MS - 200);
    }
    await server.runtime.advance(400);
    expect(server.session.received).toEqual([]);
    await openByPoll(url);
    expect(server.session.ends).toEqual([]);
  });
});

describe("heartbeats", () => {
  test("a stream has one after 25 s of silence, and again 25 s after each frame", async () => {
    const server = listen();
    const answer = await openStream(server.sessionUrl());
    await server.runtime.advance(HEARTBEAT_MS);
    expect(await answer.next()).toBe("h\n");
    await server.runtime.advance(HEARTBEAT_MS - 1_000);
    server.session.socket.send("x");
    expect(await answer.next()).toBe('a["x"]\n');
    await server.runtime.advance(HEARTBEAT_MS - 1_000);
    server.session.socket.send("y");
    expect(await answer.next()).toBe('a["y"]\n');
    await server.runtime.advance(HEARTBEAT_MS);
    expect(await answer.next()).toBe("h\n");
  });

  test.each([
    ["eventsource", "GET", "data: h\r\n\r\n"],
    ["htmlfile?c=x", "GET", '<script>\np("h");\n</script>\r\n'],
  ])("%s has them as well", async (path, method, heartbeat) => {
    const server = listen();
    const answer = await stream(`${server.sessionUrl()}/${path}`, method);
    await answer.next();
    await answer.next();
    await server.runtime.advance(HEARTBEAT_MS);
    expect(await answer.next()).toBe(heartbeat);
  });

  test("a poll that waits is answered with one", async () => {
    const server = listen();
    const url = server.sessionUrl();
    await openByPoll(url);
    const poll = await wait(server, url);
    await server.runtime.advance(HEARTBEAT_MS);
    expect((await poll.answer).body).toBe("h\n");
    const jsonp = get(`${url}/jsonp?c=x`);
    await turnsUntil(() => server.session.socket.writable);
    await server.runtime.advance(HEARTBEAT_MS);
    expect((await jsonp).body).toBe('/**/x("h");\r\n');
    expect(server.session.ends).toEqual([]);
  });

  test("a WebSocket has them with a ping, and one that answers neither is closed 10 s later", async () => {
    const server = listen();
    const client = await websocket(`${server.sessionUrl()}/websocket`);
    expect((await client.next()).text).toBe("o");
    await server.runtime.advance(HEARTBEAT_MS);
    expect((await client.next()).text).toBe("h");
    expect((await client.next()).opcode).toBe(9);
    client.sendFrame(10, new Uint8Array());
    client.send('["x"]');
    expect((await client.next()).text).toBe('a["x"]');
    await server.runtime.advance(HEARTBEAT_MS);
    expect([(await client.next()).text, (await client.next()).opcode]).toEqual(["h", 9]);
    await server.runtime.advance(10_200);
    expect((await client.next()).text).toBe('c[3000,"No response from heartbeat"]');
    expect(await client.next()).toMatchObject({ opcode: 8, code: 3000 });
  });

  test("a raw WebSocket has none", async () => {
    const server = listen();
    const client = await websocket(`${server.echo}/websocket`);
    await server.runtime.advance(3 * HEARTBEAT_MS);
    client.send("x");
    expect((await client.next()).text).toBe("x");
    expect(client.unread).toBe(0);
  });
});

describe("a client that leaves", () => {
  test("a poll of it ends the session at once, 2,000 times, and leaves nothing", async () => {
    const server = listen();
    for (let round = 0; round < 10; round += 1) {
      const urls = Array.from({ length: 200 }, () => server.sessionUrl());
      await Promise.all(urls.map(openByPoll));
      const polls = urls.map(openPoll);
      await turnsUntil(() => server.opened.every(({ socket }) => socket.writable));
      const gone = server.opened.map(
        (session) => new Promise<void>((resolve) => (session.onClosed = resolve)),
      );
      for (const poll of polls) poll.destroy();
      await Promise.all(gone);
      server.opened.length = 0;
    }
    expect(server.listener.sockets()).toBe(0);
    await openByPoll(server.sessionUrl());
    await server.runtime.advance(DELAY_MS + 200);
    expect(server.runtime.pendingTimers).toBe(0);
  });

  test("another one than its stream's session goes on", async () => {
    const server = listen();
    const [first, second] = [server.sessionUrl(), server.sessionUrl()];
    const leaving = await openStream(first);
    const staying = await openStream(second);
    const closed = new Promise<void>((resolve) => (server.opened[0]!.onClosed = resolve));
    leaving.destroy();
    await closed;
    server.session.socket.send("x");
    expect(await staying.next()).toBe('a["x"]\n');
  });
});

test("a stream may be ended before proxies would cut it, and nothing is lost or doubled", async () => {
  const server = listen({
    route: (route) => ({ ...route, sockjs: { responseMsMax: 20_000 } }),
  });
  const url = server.sessionUrl();
  const first = await openStream(url);
  await post(`${url}/xhr_send`, '["1"]');
  expect(await first.next()).toBe('a["1"]\n');
  await server.runtime.advance(20_200);
  expect(await first.next()).toBeUndefined();
  await post(`${url}/xhr_send`, '["2"]');
  const next = await stream(`${url}/xhr_streaming`);
  expect([await next.next(), await next.next()]).toEqual([PRELUDE, 'a["2"]\n']);
});

test("a poll that waits as long is answered by a heartbeat, and the session goes on", async () => {
  const server = listen({
    route: (route) => ({ ...route, sockjs: { responseMsMax: 20_000 } }),
  });
  const url = server.sessionUrl();
  await openByPoll(url);
  const poll = await wait(server, url);
  await server.runtime.advance(20_200);
  expect((await poll.answer).body).toBe("h\n");
  await post(`${url}/xhr_send`, '["1"]');
  expect((await post(`${url}/xhr`)).body).toBe('a["1"]\n');
  expect(server.opened).toHaveLength(1);
});

test("after the limit of a stream the client goes on without loss or repetition", async () => {
  const server = listen();
  const url = server.sessionUrl();
  let answer = await openStream(url);
  const messages = Array.from({ length: 100 }, (_, at) => `${at} ${"x".repeat(200)}`);
  for (const message of messages) server.session.socket.send(message);
  const received: string[] = [];
  while (received.length < messages.length) {
    const chunk = await answer.next();
    if (chunk === undefined) answer = await stream(`${url}/xhr_streaming`);
    else if (chunk.startsWith("a")) received.push(...(JSON.parse(chunk.slice(1)) as string[]));
  }
  expect(received).toEqual(messages);
});

test("the application's close has its code and reason on every transport", async () => {
  const server = listen();
  const close = () => server.session.socket.close(4401, "Unauthorized");
  const frame = 'c[4401,"Unauthorized"]';
  const streamed = await openStream(server.sessionUrl());
  close();
  expect([await streamed.next(), await streamed.next()]).toEqual([`${frame}\n`, undefined]);
  const url = server.sessionUrl();
  await openByPoll(url);
  const poll = await wait(server, url);
  close();
  expect((await poll.answer).body).toBe(`${frame}\n`);
  const client = await websocket(`${server.sessionUrl()}/websocket`);
  await client.next();
  close();
  expect((await client.next()).text).toBe(frame);
  expect(await client.next()).toMatchObject({ opcode: 8, code: 4401, text: "Unauthorized" });
  const raw = await websocket(`${server.echo}/websocket`);
  await server.runtime.settle();
  close();
  expect(await raw.next()).toMatchObject({ opcode: 8, code: 4401, text: "Unauthorized" });
});

test("a server that stops tells those that wait, and lets polling clients fetch it", async () => {
  const server = listen();
  const url = server.sessionUrl();
  await openByPoll(url);
  const waiting = server.sessionUrl();
  await openByPoll(waiting);
  const poll = await wait(server, waiting);
  server.listener.stopAccepting();
  expect((await post(`${server.sessionUrl()}/xhr`)).status).toBe(503);
  expect((await get(`${server.echo}/info`)).status).toBe(503);
  await post(`${url}/xhr_send`, '["x"]');
  expect((await post(`${url}/xhr`)).body).toBe('a["x"]\n');
  server.listener.shutdown();
  expect((await poll.answer).body).toBe('c[1001,"Going away"]\n');
  expect((await post(`${url}/xhr`)).body).toBe('c[1001,"Going away"]\n');
});

test("a stream and a poll outlast the time that a request may idle, and keep-alive the answer", async () => {
  const server = listen();
  const url = server.sessionUrl();
  const opened = await openAnswer(`${url}/xhr`, "POST", { "Content-Length": "0" });
  expect(await opened.next()).toBe("o\n");
  expect(opened.headers.get("connection")).not.toBe("close");
  // The same connection takes the next request.
  opened.tcp.write(
    `POST ${new URL(url).pathname}/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`,
  );
  await turnsUntil(() => server.session.socket.writable);
  server.session.socket.send("x");
  expect(await opened.next()).toContain('a["x"]\n');
  opened.destroy();
});

async function turnsUntil(condition: () => boolean): Promise<void> {
  while (!condition()) await turn();
}

/** A poll of a client that can leave. */
function openPoll(url: string): TcpSocket {
  const { hostname, port, pathname } = new URL(url);
  const tcp = connectTcp({ host: hostname, port: Number(port) }, () => {
    tcp.write(`POST ${pathname}/xhr HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`);
  });
  return tcp;
}
