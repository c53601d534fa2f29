import { describe, expect, test } from "bun:test";
import { carillon } from "./test-support.ts";

/** Sends these frames once it was asked to connect; keeps what it received. */
function speaking(frames: readonly string[], close?: { code: number; reason: string }) {
  const received: string[] = [];
  const server = Bun.serve({
    port: 0,
    hostname: "127.0.0.1",
    fetch: (request, self) =>
      new URL(request.url).pathname === "/connection/websocket" && self.upgrade(request)
        ? undefined
        : new Response(null, { status: 404 }),
    websocket: {
      message(socket, message) {
        if (received.push(String(message)) > 1) return;
        for (const frame of frames) socket.send(frame);
        if (close !== undefined) socket.close(close.code, close.reason);
      },
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    received,
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

describe("subscribe", () => {
  test("prints one line per publication of the channel, and answers pings", async () => {
    await using server = speaking([
      '{"id":1,"connect":{"client":"c","version":"1"}}\n{"id":2,"subscribe":{}}',
      '{"push":{"channel":"news","pub":{"data":{"id":9007199254740993,"a":"b"}}}}\n{}',
      '{"push":{"channel":"other","pub":{"data":0}}}',
      '{"push":{"channel":"news","pub":{"data":"x"}}}\n{"push":{"channel":"news","pub":{"data":3}}}',
    ]);
    const args = ["subscribe", "news", "--url", server.url, "--count", "2", "--token", "t"];
    expect(await carillon([...args, "--subscription-token", "s"])).toEqual({
      code: 0,
      out: '{"id":9007199254740993,"a":"b"}\n"x"\n',
      err: 'Subscribed to "news"\n',
    });
    expect(server.received).toEqual([
      '{"id":1,"connect":{"name":"carillon","token":"t"}}\n{"id":2,"subscribe":{"channel":"news","token":"s"}}',
      "{}",
    ]);
  });

  test.each([
    [
      '{"id":1,"error":{"code":109,"message":"token expired"}}',
      "Connecting was refused: 109 token expired",
    ],
    [
      '{"id":2,"error":{"code":103,"message":"permission denied"}}',
      "Subscribing was refused: 103 permission denied",
    ],
    [
      '{"push":{"channel":"news","unsubscribe":{"code":2500,"reason":"gap"}}}',
      "The server ended the subscription: 2500 gap",
    ],
    ["hello", "The server does not speak the streaming protocol"],
  ])("ends at %s", async (frame, line) => {
    await using server = speaking([frame]);
    const ran = await carillon(["subscribe", "news", "--url", server.url]);
    expect(ran).toEqual({ code: 1, out: "", err: `carillon: ${line}\n` });
  });

  test("says why the server closed the connection", async () => {
    await using server = speaking([], { code: 3500, reason: "invalid token" });
    const { code, err } = await carillon(["subscribe", "news", "--url", server.url]);
    expect(code).toBe(1);
    expect(err).toBe("carillon: The server closed the connection: 3500 invalid token\n");
  });

  test("needs a server and an address", async () => {
    const [away, address] = await Promise.all([
      carillon(["subscribe", "a", "--url", "http://127.0.0.1:9"]),
      carillon(["subscribe", "a", "--url", "nowhere"]),
    ]);
    expect(away.err).toBe("carillon: Connecting to ws://127.0.0.1:9/connection/websocket failed\n");
    expect(address.err).toBe("carillon: --url must be an http, https, ws or wss address\n");
  });
});
