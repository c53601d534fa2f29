/** Kept connections: for whom they are used again, when they end, and that a dead one costs nothing but itself. */
import { afterAll, expect, test } from "bun:test";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { createConnections } from "./connections.ts";
import { ask, reasonOf, seen, text } from "./test-asking.ts";
import { cert, listen, startEchoServers } from "./test-servers.ts";

const { http, https, connections: made, close } = await startEchoServers();
afterAll(close);

const pool = (options: { idleMax?: number; idleMs?: number } = {}) => {
  const connections = createConnections({ idleMax: 10, idleMs: 60_000, ...options });
  return Object.assign(connections, { [Symbol.dispose]: () => connections.close() });
};

async function count(work: () => Promise<unknown>): Promise<number> {
  const before = made();
  await work();
  return made() - before;
}

test("the next request to the same origin uses the same connection", async () => {
  using connections = pool();
  const opened = await count(async () => {
    for (let index = 0; index < 5; index += 1) {
      const sent = await seen(
        ask(`http://a.test:${http}/${index}`, { connections, method: "POST", body: "x" }),
      );
      expect(sent).toMatchObject({ url: `/${index}`, body: "x" });
      expect(sent.headers["connection"]).toBe("keep-alive");
    }
  });
  expect(opened).toBe(1);
  expect(connections.idle()).toBe(1);
});

test("another origin at the same address has a connection of its own", async () => {
  using connections = pool();
  const opened = await count(async () => {
    for (const host of ["a.test", "b.test", "a.test", "b.test"]) {
      await ask(`http://${host}:${http}/`, { connections });
    }
  });
  expect(opened).toBe(2);
});

test("a kept connection is not used once its address is another, or blocked", async () => {
  using connections = pool();
  const to = (address: string) => ({ connections, lookup: async () => [address] });
  expect((await ask(`http://a.test:${http}/`, to("127.0.0.1"))).status).toBe(200);
  expect(await reasonOf(ask(`http://a.test:${http}/`, to("127.0.0.2")))).toBe("connect");
  const blocked = { ...to("127.0.0.1"), allowAddress: () => false };
  expect(await reasonOf(ask(`http://a.test:${http}/`, blocked))).toBe("blocked_address");
  expect(connections.idle()).toBe(1);
});

test("TLS connections are kept too, and only for those who trust them", async () => {
  using connections = pool();
  for (let index = 0; index < 2; index += 1) {
    await seen(ask(`https://localhost:${https}/`, { connections, ca: cert }));
  }
  expect(connections.idle()).toBe(1);
  expect(await reasonOf(ask(`https://localhost:${https}/`, { connections }))).toBe("tls");
});

test("no more are kept than the bound says, and none for longer than it says", async () => {
  using connections = pool({ idleMax: 2, idleMs: 20 });
  const { promise: allClosed, resolve } = Promise.withResolvers<void>();
  let open = 0;
  const server = createServer((_, response) => response.end());
  server.on("connection", (socket) => {
    open += 1;
    socket.on("close", () => (open -= 1) === 0 && resolve());
  });
  const port = await listen(server);
  await Promise.all(
    Array.from({ length: 6 }, () => ask(`http://a.test:${port}/`, { connections })),
  );
  expect(connections.idle()).toBeLessThanOrEqual(2);
  await allClosed;
  expect(connections.idle()).toBe(0);
  server.close();
});

test("a kept connection that its other end closed is replaced without a failure", async () => {
  using connections = pool();
  const requests: IncomingMessage[] = [];
  const answer = (incoming: IncomingMessage, response: ServerResponse) => {
    requests.push(incoming);
    // The second request finds its connection gone under its hands, as when a server's keep-alive ends.
    if (requests.length === 2) incoming.socket.resetAndDestroy();
    else response.end("ok");
  };
  const server = createServer(answer);
  const port = await listen(server);
  const post = () => ask(`http://a.test:${port}/`, { connections, method: "POST", body: "x" });
  expect(text((await post()).body)).toBe("ok");
  expect(text((await post()).body)).toBe("ok");
  expect(requests).toHaveLength(3);
  server.close();
});

test("a body that is cut ends its connection", async () => {
  using connections = pool();
  const options = { connections, cutLongBody: true };
  const response = await ask(`http://a.test:${http}/bytes/1001`, options);
  expect([response.status, response.body.length, response.cut]).toEqual([200, 1000, true]);
  expect(connections.idle()).toBe(0);
  const whole = await ask(`http://a.test:${http}/bytes/1000`, options);
  expect([whole.body.length, whole.cut]).toEqual([1000, false]);
});
