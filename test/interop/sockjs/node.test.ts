/** The unmodified client of npm over the transports that it has outside browsers. */
import { describe, expect, test } from "bun:test";
import SockJS from "sockjs-client";
import { turn } from "../../support/bun-servers.ts";
import { createLink } from "../../support/link.ts";
import { useSockJs } from "../../support/sockjs.ts";

const { listen, defer } = useSockJs();

const TRANSPORTS = ["websocket", "xhr-streaming", "eventsource", "xhr-polling"];
const EVERY_UNIT = String.fromCharCode(...Array.from({ length: 65_536 }, (_, unit) => unit));
const ODD_MESSAGES = ["%20", "100%", "", "🛎 emoji", "\ud83d", "\udece", "</script>", EVERY_UNIT];

/** So long that a slow machine has no other transport tried. */
const TIMEOUT_MS = 10_000;

interface Client {
  readonly sockjs: WebSocket & { readonly transport: string };
  next(): Promise<string>;
  readonly closed: Promise<CloseEvent>;
}

function open(url: string, transports: string[] = TRANSPORTS, timeout = TIMEOUT_MS): Client {
  const options = { transports, timeout };
  const sockjs = new SockJS(url, null, options) as Client["sockjs"];
  const messages: string[] = [];
  const closed = Promise.withResolvers<CloseEvent>();
  let wake = () => {};
  let end: CloseEvent | undefined;
  sockjs.onmessage = ({ data }) => {
    messages.push(data as string);
    wake();
  };
  sockjs.onclose = (event) => {
    end = event;
    closed.resolve(event);
    wake();
  };
  defer(() => sockjs.close());
  return {
    sockjs,
    closed: closed.promise,
    async next() {
      for (;;) {
        const message = messages.shift();
        if (message !== undefined) return message;
        if (end !== undefined) throw new Error(`Closed with ${end.code} ${end.reason}`);
        await new Promise<void>((resolve) => (wake = resolve));
      }
    },
  };
}

async function opened(client: Client): Promise<Client> {
  await new Promise((resolve, reject) => {
    client.sockjs.onopen = resolve;
    client.closed.then(reject, reject);
  });
  return client;
}

describe.each(TRANSPORTS)("%s", (transport) => {
  test("1,000 messages are echoed in order", async () => {
    const client = await opened(open(listen().echo, [transport]));
    expect(client.sockjs.transport).toBe(transport);
    for (let at = 0; at < 1_000; at += 1) client.sockjs.send(`${at}`);
    for (let at = 0; at < 1_000; at += 1) expect(await client.next()).toBe(`${at}`);
  });

  test("every code unit comes back as it was", async () => {
    const client = await opened(open(listen().echo, [transport]));
    for (const message of ODD_MESSAGES) client.sockjs.send(message);
    for (const message of ODD_MESSAGES) expect(await client.next()).toBe(message);
  });

  test("the application's close is clean, with its code and reason", async () => {
    const server = listen();
    const client = await opened(open(`${server.url}/tokens?access_token=ann.1`, [transport]));
    server.session.socket.close(4401, "Unauthorized");
    const { code, reason, wasClean } = await client.closed;
    expect([code, reason, wasClean]).toEqual([4401, "Unauthorized", true]);
  });

  test("a client that closes ends its session", async () => {
    const server = listen();
    const client = await opened(open(server.echo, [transport]));
    const { session } = server;
    const ended = new Promise<void>((resolve) => (session.onClosed = resolve));
    // One that polls is there once its second poll waits.
    while (!session.socket.writable) await turn();
    client.sockjs.close();
    await ended;
    expect(session.ends).toHaveLength(1);
    expect(server.listener.sockets()).toBe(0);
  });

  test("a connection that a proxy cuts ends session and client, and another one takes its place", async () => {
    const server = listen();
    const link = await createLink(server.echo);
    defer(() => link[Symbol.asyncDispose]());
    const client = await opened(open(link.url, [transport]));
    client.sockjs.send("1");
    expect(await client.next()).toBe("1");
    const { session } = server;
    while (!session.socket.writable) await turn();
    const ended = new Promise<void>((resolve) => (session.onClosed = resolve));
    link.cut();
    link.restore();
    await ended;
    // Outside browsers the client does not look for an answer that is cut short.
    if (transport !== "xhr-streaming") await client.closed;
    const again = await opened(open(link.url, [transport]));
    again.sockjs.send("2");
    expect(await again.next()).toBe("2");
  });
});

test.each(["xhr-streaming", "eventsource"])(
  "%s answers that end before a proxy would cut them lose nothing",
  async (transport) => {
    const server = listen({
      route: (route) => ({ ...route, sockjs: { responseMsMax: 20_000 } }),
    });
    const client = await opened(open(server.echo, [transport]));
    const { session } = server;
    for (let at = 0; at < 3; at += 1) {
      client.sockjs.send(`${at}`);
      session.socket.send(`pushed ${at}`);
      await server.runtime.advance(20_200);
      session.socket.send(`between ${at}`);
      // Its client has come again.
      while (!session.socket.writable) await turn();
    }
    const received = new Set<string>();
    while (received.size < 9) received.add(await client.next());
    expect([...received].filter((one) => one.startsWith("between"))).toEqual(
      Array.from({ length: 3 }, (_, at) => `between ${at}`),
    );
    expect(server.opened).toHaveLength(1);
  },
);

test("without WebSockets the next transport is taken", async () => {
  const client = await opened(open(`${listen().url}/disabled_websocket_echo`));
  expect(client.sockjs.transport).toBe("xhr-streaming");
});

test("a refused /info is the end at once, and refused sessions end with 2000", async () => {
  const base = `${listen().url}/tokens`;
  expect((await open(`${base}?access_token=wrong`).closed).code).toBe(1002);
  expect((await open(base, TRANSPORTS, 0).closed).code).toBe(2000);
});
