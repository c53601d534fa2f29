import { describe, expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { until } from "../../test/support/hostile.ts";
import { bootServer, temporaryDir } from "../../test/support/server.ts";
import { carillon } from "./test-support.ts";

interface Close {
  readonly code: number;
  readonly reason: string;
}

/** Sends these frames once it was asked to connect; keeps what it received. */
function speaking(frames: readonly string[], close?: Close) {
  return answering(() => ({ frames, close }));
}

/** Likewise, the first connection having the number 0. */
function answering(
  answer: (connection: number) => {
    readonly frames: readonly string[];
    readonly close?: Close | undefined;
  },
) {
  let connections = 0;
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
        received.push(String(message));
        if (!String(message).includes("connect")) return;
        const { frames, close } = answer(connections++);
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

const UNSUBSCRIBED =
  '{"push":{"channel":"news","unsubscribe":{"code":2500,"reason":"insufficient state"}}}';

interface Lost {
  readonly frames: readonly string[];
  readonly close?: Close;
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
      '{"id":1,"connect":{"name":"carillon","token":"t"}}\n{"id":2,"subscribe":{"channel":"news","token":"s","recoverable":true}}',
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
      '{"push":{"channel":"news","unsubscribe":{"code":2499,"reason":"over"}}}',
      "The server ended the subscription: 2499 over",
    ],
    ["hello", "The server does not speak the streaming protocol"],
  ])("ends at %s", async (frame, line) => {
    await using server = speaking([frame]);
    const ran = await carillon(["subscribe", "news", "--url", server.url]);
    expect(ran).toEqual({ code: 1, out: "", err: `carillon: ${line} [server_refused]\n` });
  });

  test("says why the server closed the connection", async () => {
    await using server = speaking([], { code: 3500, reason: "invalid token" });
    const { code, err } = await carillon(["subscribe", "news", "--url", server.url]);
    expect(code).toBe(1);
    expect(err).toBe(
      "carillon: The server closed the connection: 3500 invalid token [server_refused]\n",
    );
  });

  const POSITION = '"recoverable":true,"epoch":"e","offset"';
  const JOINED = `{"id":1,"connect":{}}\n{"id":2,"subscribe":{${POSITION}:4}}`;

  test.each([
    ["a close that says to come back", { frames: [], close: { code: 3001, reason: "shutdown" } }],
    ["a lost subscription", { frames: [UNSUBSCRIBED] }],
  ])("connects again after %s, and recovers", async (_what, { frames, close }: Lost) => {
    await using server = answering((connection) =>
      connection === 0
        ? {
            frames: [JOINED, '{"push":{"channel":"news","pub":{"data":1,"offset":5}}}', ...frames],
            close,
          }
        : {
            frames: [
              `{"id":2,"subscribe":{${POSITION}:5,"recovered":true,"publications":[{"data":9007199254740993,"offset":6},{"data":3,"offset":7}]}}`,
              '{"push":{"channel":"news","pub":{"data":4,"offset":8}}}',
            ],
          },
    );
    const ran = await carillon(["subscribe", "news", "--url", server.url, "--count", "4"]);
    expect(ran).toMatchObject({ code: 0, out: "1\n9007199254740993\n3\n4\n" });
    expect(ran.err).toMatch(
      /^Subscribed to "news"\n.*; connecting again\nSubscribed to "news" again\n$/,
    );
    expect(server.received.at(-1)).toContain(
      '"subscribe":{"channel":"news","recoverable":true,"recover":true,"epoch":"e","offset":5}',
    );
  });

  test("says when what was missed is gone, and counts on from there", async () => {
    const close = { code: 1012, reason: "" };
    await using server = answering((connection) => {
      if (connection === 0) return { frames: [JOINED], close };
      if (connection === 1) {
        const subscribe = '{"id":2,"subscribe":{"recoverable":true,"epoch":"f","offset":2}}';
        return { frames: [subscribe], close };
      }
      return { frames: [`{"id":2,"subscribe":{"recovered":true,"publications":[{"data":1}]}}`] };
    });
    const { code, err } = await carillon([
      ...["subscribe", "news", "--url", server.url, "--count", "1"],
    ]);
    expect(code).toBe(0);
    expect(err).toContain('Subscribed to "news" again, without what was published meanwhile\n');
    expect(server.received.at(-1)).toContain('"epoch":"f","offset":2');
  });

  test.each([
    [{ frames: [], close: { code: 3503, reason: "force disconnect" } }, "3503 force disconnect"],
    [{ frames: ['{"id":1,"error":{"code":109,"message":"token expired"}}'] }, "109 token expired"],
  ])("does not when it may not", async (last: Lost, line) => {
    const close = { code: 3001, reason: "shutdown" };
    await using server = answering((connection) =>
      connection === 0 ? { frames: [JOINED], close } : last,
    );
    const { code, err } = await carillon(["subscribe", "news", "--url", server.url]);
    expect(code).toBe(1);
    expect(err).toEndWith(`: ${line} [server_refused]\n`);
  });

  test("goes on over a restart of the server, and misses nothing", async () => {
    const dataDir = temporaryDir();
    let server = await bootServer({ dataDir });
    const { port } = new URL(server.clientsUrl);
    const publish = (data: number) => server.api("publish", { channel: "public:news", data });
    const args = ["subscribe", "public:news", "--url", server.clientsUrl, "--count", "3"];
    const following = carillon(args);
    await until(async () => {
      const { result } = await server.api("presence_stats", { channel: "public:news" });
      return result?.["num_clients"] === 1;
    });
    await publish(1);
    await server[Symbol.asyncDispose]();
    server = await bootServer({ dataDir, config: { clients: { port: Number(port) } } });
    await publish(2);
    await publish(3);
    const { code, out } = await following;
    expect({ code, out }).toEqual({ code: 0, out: "1\n2\n3\n" });
    await server[Symbol.asyncDispose]();
    rmSync(dataDir, { recursive: true });
  });

  test("needs a server and an address", async () => {
    const [away, address] = await Promise.all([
      carillon(["subscribe", "a", "--url", "http://127.0.0.1:9"]),
      carillon(["subscribe", "a", "--url", "nowhere"]),
    ]);
    expect(away.err).toBe(
      "carillon: Connecting to ws://127.0.0.1:9/connection/websocket failed [server_unreachable]\n",
    );
    expect(address.err).toBe(
      "carillon: --url must be an http, https, ws or wss address [command_usage]\n",
    );
  });
});
