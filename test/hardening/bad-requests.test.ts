/** What is no handshake, or no HTTP at all, at either listener. */
import { describe, expect, test } from "bun:test";
import { exchange } from "../support/hostile.ts";
import { bytes } from "../support/hostile-frames.ts";
import { hostileServer } from "../support/hostile-server.ts";
import { handshake } from "../support/raw-websocket.ts";

const server = hostileServer();

describe("an upgrade that is none", () => {
  test.each([
    ["no Upgrade header", { upgrade: undefined }, 426],
    ["an upgrade to something else", { upgrade: "h2c" }, 426],
    ["another version", { "sec-websocket-version": "8" }, 426],
    ["no version", { "sec-websocket-version": undefined }, 426],
    ["no key", { "sec-websocket-key": undefined }, 400],
    ["a key of the wrong length", { "sec-websocket-key": "x" }, 400],
    ["no host", { host: undefined }, 400],
    ["a host that is none", { host: "%%[" }, 400],
    ["a header of 100 KB", { "x-large": "x".repeat(100_000) }, 431],
  ])("%s is refused", async (_, headers, status) => {
    expect((await handshake(server().websocketUrl, { headers })).status).toBe(status);
  });

  test("half a request, and then nothing, holds no connection of the hub", async () => {
    const half = "GET /connection/websocket HTTP/1.1\r\nhost: localhost\r\nupgrade: webso";
    expect(await exchange(server().clientsUrl, half, { end: true })).toBe("");
  });
});

describe.each(["clientsUrl", "apiUrl"] as const)("bytes that are no request at %s", (listener) => {
  const garbage = Buffer.from(Array.from({ length: 4_000 }, (_, index) => (index * 7919) & 0xff));
  test.each<[string, string | Buffer, number]>([
    ["garbage", garbage, 400],
    ["a TLS handshake", bytes("16 03 01 00 a1 01 00 00"), 400],
    [
      "a header of 100 KB",
      `GET / HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(100_000)}\r\n\r\n`,
      431,
    ],
    ["300 headers", `GET / HTTP/1.1\r\nhost: localhost\r\n${"x: 1\r\n".repeat(300)}\r\n`, 431],
    ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
    [
      "a negative length",
      "POST /api/info HTTP/1.1\r\nhost: localhost\r\ncontent-length: -5\r\n\r\n",
      400,
    ],
    [
      "two lengths of the body",
      "POST /api/info HTTP/1.1\r\nhost: localhost\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      400,
    ],
  ])("%s is refused", async (_, sent, status) => {
    expect(await exchange(server()[listener], sent)).toStartWith(`HTTP/1.1 ${status} `);
  });

  test("a host that is none", async () => {
    const sent = "GET / HTTP/1.1\r\nhost: %%%[[\r\n\r\n";
    expect(await exchange(server()[listener], sent, { until: "\r\n\r\n" })).toContain(" 400 ");
  });
});
