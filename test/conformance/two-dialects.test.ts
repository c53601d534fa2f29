/** Two protocols on one core: one push reaches both, and neither can break what the other promises. */
import { expect, test } from "bun:test";
import { ApiRefusal } from "../../src/auth/api-callers.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createHub } from "../../src/core/create-hub.ts";
import { createSchedule } from "../../src/core/schedule.ts";
import { createStreaming } from "../../src/dialects/streaming/index.ts";
import { createTestEngine } from "../support/engine.ts";
import { createMetrics } from "../../src/operations/metrics.ts";
import { createStreamingApps } from "../../src/dialects/streaming/setup.ts";
import { createClientsListener } from "../../src/transports/listener.ts";
import { createLines } from "../support/lines-dialect.ts";
import { namespaces } from "../support/recorder.ts";
import { createTestRuntime } from "../support/runtime.ts";
import { findMount } from "../support/websocket-listener.ts";

const HISTORY = { size: 10, ttlMs: 60_000, metaTtlMs: 600_000 };
const BOTH = { names: ["streaming", "lines"], implied: true };

async function boot() {
  const runtime = createTestRuntime();
  const engine = createTestEngine({ runtime });
  await engine.start();
  const bugs: unknown[] = [];
  const onBug = (error: unknown): void => void bugs.push(error);
  const hub = createHub({
    ...{ app: "dev", engine: engine.app("dev"), runtime, onBug },
    namespaces: namespaces(
      { dialects: BOTH, history: HISTORY, forceRecovery: true },
      { own: { dialects: { names: ["streaming"], implied: true } } },
    ),
  });
  const config = loadConfig({ env: {}, readFile: () => undefined });
  const schedule = createSchedule(runtime);
  const apps = createStreamingApps({
    ...{
      config,
      hubs: new Map([["dev", hub]]),
      runtime,
      schedule,
      metrics: createMetrics(),
      version: "test",
      authorities: new Map(),
    },
    onError: onBug,
    onEvent: () => {},
  });
  const streaming = createStreaming({
    ...{ apps, websocketPath: "/streaming", apiPath: "/api" },
    authorize: () => new ApiRefusal(401, "Nobody calls here"),
  });
  const listener = createClientsListener({
    ...{ hostname: "127.0.0.1", port: 0, trustedProxies: [], runtime, onBug },
    findMount,
    routes: [...streaming.sockets, ...createLines(hub, runtime).sockets],
    fetch: () => new Response("", { status: 404 }),
  });
  return {
    hub,
    bugs,
    url: listener.url.replace("http", "ws"),
    async [Symbol.asyncDispose]() {
      await listener.close();
      schedule.close();
      await hub.close();
      await engine[Symbol.asyncDispose]();
    },
  };
}

/** A client whose frames are taken one by one. */
async function open(url: string) {
  const socket = new WebSocket(url);
  const frames: string[] = [];
  let wake = (): void => {};
  socket.onmessage = ({ data }) => {
    frames.push(String(data));
    wake();
  };
  const closed = new Promise<number>((resolve) => {
    socket.onclose = ({ code }) => resolve(code);
  });
  await new Promise((resolve) => {
    socket.onopen = resolve;
  });
  return {
    closed,
    send: (text: string) => socket.send(text),
    async next(): Promise<string> {
      while (frames.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return frames.shift() ?? "";
    },
  };
}

test("one publication reaches the clients of both, each in its own format and order", async () => {
  await using server = await boot();
  const lines = await open(`${server.url}/lines`);
  const centrifugo = await open(`${server.url}/streaming`);
  lines.send("SUB news");
  expect(await lines.next()).toBe("OK news");
  centrifugo.send('{"id":1,"connect":{}}\n{"id":2,"subscribe":{"channel":"news"}}');
  await centrifugo.next();
  expect(JSON.parse(await centrifugo.next())).toMatchObject({
    id: 2,
    subscribe: { recoverable: true },
  });
  for (let n = 1; n <= 3; n++) {
    await server.hub.publish({ space: "channels", name: "news" }, { data: { json: `{"n":${n}}` } });
  }
  lines.send('PUB news {"n":4}');
  for (let n = 1; n <= 4; n++) {
    expect(await lines.next()).toBe(`MSG news {"n":${n}}`);
    expect(JSON.parse(await centrifugo.next())).toMatchObject({
      push: { channel: "news", pub: { data: { n }, offset: n } },
    });
  }
  expect(await lines.next()).toBe("OK");
  expect(server.bugs).toEqual([]);
});

test("a push to a user reaches its connections over every protocol", async () => {
  await using server = await boot();
  const [mine, theirs] = [
    await open(`${server.url}/lines?user=u`),
    await open(`${server.url}/lines`),
  ];
  theirs.send("SUB a");
  await theirs.next();
  const reached = await server.hub.push({ user: "u" }, { data: { json: '{"hello":1}' } });
  expect(reached.matched).toBe(1);
  expect(await mine.next()).toBe('YOU {"hello":1}');
});

test("a namespace that does not admit the dialect does not exist for it", async () => {
  await using server = await boot();
  const lines = await open(`${server.url}/lines`);
  for (const name of ["own:x", "$private", "a#1"]) {
    lines.send(`SUB ${name}`);
    expect(await lines.next()).toBe("ERR unknown_channel");
  }
  lines.send("SUB free:text");
  expect(await lines.next()).toBe("OK free:text");
});

test("each dialect's clients are told of a shutdown in its own codes", async () => {
  await using server = await boot();
  const lines = await open(`${server.url}/lines`);
  const centrifugo = await open(`${server.url}/streaming`);
  centrifugo.send('{"id":1,"connect":{}}');
  await centrifugo.next();
  await server.hub.drain(0);
  expect(await Promise.all([lines.closed, centrifugo.closed])).toEqual([4001, 3001]);
});

test("a name whose prefix is no namespace is free text to the dialect that has none", async () => {
  await using server = await boot();
  const [subscriber, publisher] = [
    await open(`${server.url}/lines`),
    await open(`${server.url}/lines`),
  ];
  subscriber.send("SUB free:text");
  await subscriber.next();
  publisher.send("PUB free:text 1");
  expect(await publisher.next()).toBe("OK");
  expect(await subscriber.next()).toBe("MSG free:text 1");
});
