/** What ends a request: broken answers, answers that are too large, and the deadline. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer as createRawServer } from "node:net";
import { ask, failureOf, reasonOf } from "./test-asking.ts";
import { listen, rawServer, startEchoServers } from "./test-servers.ts";

const { http, close } = await startEchoServers();
afterAll(close);

describe("failures", () => {
  test("a closed port is a connect error", async () => {
    const server = createRawServer();
    const port = await listen(server);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    await closed;
    expect(await reasonOf(ask(`http://a.test:${port}/`))).toBe("connect");
  });

  test.each([
    ["cut within its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "protocol"],
    [
      "cut within a chunk",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
      "protocol",
    ],
    [
      "with both length and chunks",
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "protocol",
    ],
    [
      "that switches protocols",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
      "protocol",
    ],
    ["that is not HTTP", "SSH-2.0-OpenSSH_9.9\r\n", "protocol"],
    ["of nothing", "", "protocol"],
    ["with endless headers", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(100_000)}`, "too_large"],
    ["too long, without length", `HTTP/1.1 200 OK\r\n\r\n${"a".repeat(1001)}`, "too_large"],
  ] as const)("an answer %s is an error", async (_, answer, reason) => {
    await using server = await rawServer((socket) => socket.end(answer));
    expect(await reasonOf(ask(server.url))).toBe(reason);
  });

  test("a reset connection is a protocol error", async () => {
    await using server = await rawServer((socket) => socket.resetAndDestroy());
    expect(await reasonOf(ask(server.url))).toBe("protocol");
  });

  test("a request that was sent is not repeated at the next address", async () => {
    let requests = 0;
    await using server = await rawServer((socket) => {
      requests += 1;
      socket.end();
    });
    const lookup = async () => ["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"];
    expect(await reasonOf(ask(server.url, { lookup }))).toBe("protocol");
    expect(requests).toBe(1);
  });

  test("messages name neither path nor query", async () => {
    const { message } = await failureOf(ask(`https://localhost:${http}/s3cret?s3cret=1`));
    expect(message).not.toContain("s3cret");
  });
});

describe("the response body", () => {
  test("may be as large as the limit, and not one byte larger", async () => {
    expect((await ask(`http://a.test:${http}/bytes/1000`)).body.length).toBe(1000);
    expect(await reasonOf(ask(`http://a.test:${http}/bytes/1001`))).toBe("too_large");
  });

  test("is not decompressed", async () => {
    const { body } = await ask(`http://a.test:${http}/gzip`);
    expect([...body.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  });

  test("that never ends is cut off, and its connection closed", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    await using server = await rawServer((socket) => {
      socket.on("close", () => resolve());
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const more = () => {
        while (socket.write("x".repeat(500)));
      };
      socket.on("drain", more);
      more();
    });
    expect(await reasonOf(ask(server.url))).toBe("too_large");
    await closed;
  });
});

describe("the deadline", () => {
  const soon = { timeoutMs: 50 };

  test("covers resolution", async () => {
    const lookup = () => new Promise<never>(() => {});
    expect(await reasonOf(ask("http://a.test/", { ...soon, lookup }))).toBe("timeout");
  });

  test("covers the TLS handshake", async () => {
    await using server = await rawServer(() => {});
    expect(await reasonOf(ask(`https://a.test:${server.port}/`, soon))).toBe("timeout");
  });

  test("covers a response that never comes, and closes the connection", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    await using server = await rawServer((socket) => socket.on("close", () => resolve()));
    expect(await reasonOf(ask(server.url, soon))).toBe("timeout");
    await closed;
  });

  test("covers a body that trickles", async () => {
    let trickle: Timer | undefined;
    await using server = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
      trickle = setInterval(() => socket.write("x"), 5);
    });
    expect(await reasonOf(ask(server.url, soon))).toBe("timeout");
    clearInterval(trickle);
  });
});
