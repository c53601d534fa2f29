/** Two protocols on one core: one push reaches both, and neither can break what the other promises. The second is added as any is. */
import { expect, test } from "bun:test";
import { compactJson } from "../../src/core/json-text.ts";
import { lines as linesDialect } from "../support/lines-dialect.ts";
import { bootServer } from "../support/server.ts";

const KEPT = { history_size: 10, history_ttl: "60s", force_recovery: true };
const OPEN = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };

async function boot() {
  const server = await bootServer({
    dialects: [linesDialect],
    config: {
      streaming: { websocket_path: "/streaming", allow_anonymous_connect_without_token: true },
      channel: { without_namespace: { ...KEPT, ...OPEN }, namespaces: [{ name: "own", ...OPEN }] },
    },
  });
  return {
    ...server,
    url: server.clientsUrl.replace("http", "ws"),
    bugs: () => server.logged.filter(({ level }) => level === 50),
  };
}

/** A client whose messages are taken one by one: those of one frame stand on lines of their own. */
async function open(url: string) {
  const socket = new WebSocket(url);
  const messages: string[] = [];
  let wake = (): void => {};
  socket.onmessage = ({ data }) => {
    messages.push(...String(data).split("\n"));
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
      while (messages.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return messages.shift() ?? "";
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
    await server.hub.publish(
      { space: "channels", name: "news" },
      { data: { json: compactJson(`{"n":${n}}`) } },
    );
  }
  lines.send('PUB news {"n":4}');
  for (let n = 1; n <= 4; n++) {
    expect(await lines.next()).toBe(`MSG news {"n":${n}}`);
    expect(JSON.parse(await centrifugo.next())).toMatchObject({
      push: { channel: "news", pub: { data: { n }, offset: n } },
    });
  }
  expect(await lines.next()).toBe("OK");
  expect(server.bugs()).toEqual([]);
});

test("a push to a user reaches its connections over every protocol", async () => {
  await using server = await boot();
  const [mine, theirs] = [
    await open(`${server.url}/lines?user=u`),
    await open(`${server.url}/lines`),
  ];
  theirs.send("SUB a");
  await theirs.next();
  const reached = await server.hub.push(
    { user: "u" },
    { data: { json: compactJson('{"hello":1}') } },
  );
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
