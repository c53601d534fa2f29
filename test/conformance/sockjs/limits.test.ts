/** The bounds of SockJS, at each and one beyond; readers that stop, senders that flood, clients that never come again (sockjs.md §14). */
import { describe, expect, test } from "bun:test";
import { turn } from "../../support/bun-servers.ts";
import { MESSAGES_PER_ARRAY_MAX, arrayBytesMax } from "../../../src/transports/sockjs/messages.ts";
import {
  NEW_SESSIONS_MAX,
  SESSIONS_PER_HOLDER_MAX,
} from "../../../src/transports/sockjs/sessions.ts";
import type { SockJsRoute } from "../../../src/transports/socket.ts";
import { get, openByPoll, post, PRELUDE, useSockJs } from "../../support/sockjs.ts";

const { listen, stream, websocket } = useSockJs();

/** One answer takes all that is sent. */
const ENDLESS = { responseBytesMax: 2 ** 40 };
const MINE = "?access_token=ann.1";

/** The services with other bounds. */
function listenWith(
  limits: { messageBytesMax?: number; bufferedBytesMax?: number },
  sockjs: SockJsRoute = {},
) {
  return listen({
    route: (route) => ({
      ...{ ...route, sockjs },
      messageBytesMax: limits.messageBytesMax ?? route.messageBytesMax,
      async accept(asked) {
        const accepted = await route.accept(asked);
        return accepted instanceof Response ? accepted : { ...accepted, ...limits };
      },
    }),
  });
}

describe("messages in one array", () => {
  const most = JSON.stringify(Array.from({ length: MESSAGES_PER_ARRAY_MAX }, () => "x"));
  const more = JSON.stringify(Array.from({ length: MESSAGES_PER_ARRAY_MAX + 1 }, () => "x"));

  test("of a body: one beyond is refused, and the session goes on", async () => {
    const server = listen();
    const url = server.sessionUrl();
    await openByPoll(url);
    expect((await post(`${url}/xhr_send`, more)).status).toBe(413);
    expect(server.session.received).toEqual([]);
    expect((await post(`${url}/xhr_send`, most)).status).toBe(204);
    expect(server.session.received).toHaveLength(MESSAGES_PER_ARRAY_MAX);
  });

  test("of a WebSocket: one beyond closes it", async () => {
    const server = listen();
    const client = await websocket(`${server.sessionUrl()}/websocket`);
    await client.next();
    server.session.onReceive = () => {};
    client.send(most);
    client.send(more);
    expect((await client.next()).text).toBe('c[1009,"message too big"]');
    expect(await client.next()).toMatchObject({ opcode: 8, code: 1009 });
    expect(server.session.received).toHaveLength(MESSAGES_PER_ARRAY_MAX);
  });
});

describe("bytes", () => {
  const messageBytesMax = 1_000;
  const arrayMax = arrayBytesMax({ messageBytesMax });
  const arrayOf = (bytes: number) => `["x"${" ".repeat(bytes - 5)}]`;

  test("of a message: one beyond closes with 1009", async () => {
    const server = listenWith({ messageBytesMax });
    const url = server.sessionUrl();
    await openByPoll(url);
    const most = "x".repeat(messageBytesMax);
    expect((await post(`${url}/xhr_send`, JSON.stringify([most]))).status).toBe(204);
    expect((await post(`${url}/xhr`)).body).toBe(`a["${most}"]\n`);
    expect((await post(`${url}/xhr_send`, JSON.stringify([`${most}x`]))).status).toBe(204);
    expect((await post(`${url}/xhr`)).body).toBe('c[1009,"message too big"]\n');
  });

  test("of an array: one beyond is refused, on a WebSocket closed with 1009", async () => {
    const server = listenWith({ messageBytesMax });
    const url = server.sessionUrl();
    await openByPoll(url);
    expect((await post(`${url}/xhr_send`, arrayOf(arrayMax))).status).toBe(204);
    expect((await post(`${url}/xhr_send`, arrayOf(arrayMax + 1))).status).toBe(413);
    const client = await websocket(`${url}/websocket`);
    client.send(arrayOf(arrayMax));
    client.send(arrayOf(arrayMax + 1));
    expect((await client.rest()).map(({ text, code }) => code ?? text)).toEqual([
      ...["o", 'a["x"]', 'c[1009,"message too big"]', 1009],
    ]);
  });

  test("of a receiving request's body, which means nothing", async () => {
    const server = listen();
    expect((await post(`${server.sessionUrl()}/xhr`, "x".repeat(4_096))).body).toBe("o\n");
    expect((await post(`${server.sessionUrl()}/xhr`, "x".repeat(4_097))).status).toBe(413);
    expect(server.opened).toHaveLength(1);
  });

  test("that wait without a receiver: the session is told, and one that does not close is closed", async () => {
    const server = listenWith({ bufferedBytesMax: 1_000 });
    const url = server.sessionUrl();
    await openByPoll(url);
    const session = server.session;
    // Two quotes each.
    for (let at = 0; at < 10; at += 1) expect(session.socket.send("x".repeat(98))).toBe(true);
    expect(session.socket.bufferedBytes).toBe(1_000);
    expect(session.socket.send("")).toBe(false);
    await turn();
    expect(session.ends).toEqual([{ code: 3001, reason: "slow" }]);
    expect((await post(`${url}/xhr`)).body).toStartWith('a["xxx');
    expect((await post(`${url}/xhr`)).body).toBe('c[3001,"slow"]\n');
  });
});

describe("sessions", () => {
  test("of one holder: one beyond is refused until one has ended", async () => {
    const server = listen();
    const open = () => post(`${server.sessionUrl("/tokens")}/xhr${MINE}`);
    for (let at = 0; at < SESSIONS_PER_HOLDER_MAX; at += 1) expect((await open()).status).toBe(200);
    expect((await open()).status).toBe(429);
    const another = `${server.sessionUrl("/tokens")}/xhr?access_token=bob.1`;
    expect((await post(another)).status).toBe(200);
    // A closed one counts while it keeps its close.
    server.opened[0]?.socket.close(4000, "bye");
    expect((await open()).status).toBe(429);
    server.opened[1]?.socket.terminate();
    expect((await open()).status).toBe(200);
  });

  test("whose client never came again: one beyond is refused, and all have ended 5 s later", async () => {
    const server = listen();
    const open = () => post(`${server.sessionUrl()}/xhr`);
    for (let opened = 0; opened < NEW_SESSIONS_MAX; opened += 128) {
      await Promise.all(Array.from({ length: 128 }, open));
    }
    expect(server.listener.sockets()).toBe(NEW_SESSIONS_MAX);
    expect((await open()).status).toBe(503);
    // One whose client streams is none of them.
    const answer = stream(`${server.sessionUrl()}/xhr_streaming`);
    expect((await answer).status).toBe(503);
    await server.runtime.advance(5_200);
    expect(server.listener.sockets()).toBe(0);
    expect(server.opened.every(({ ends }) => ends.length === 1)).toBe(true);
    expect((await open()).status).toBe(200);
  });
});

test.each([
  ["jsonp", 32],
  ["htmlfile", 128],
])("a callback of %s has at most %d characters", async (transport, most) => {
  const url = listen().sessionUrl();
  const wrong = await get(`${url}/${transport}?c=${"x".repeat(most + 1)}`);
  expect([wrong.status, wrong.body]).toEqual([500, 'invalid "callback" parameter']);
  const answer = await stream(`${url}/${transport}?c=${"x".repeat(most)}`, "GET");
  expect(answer.status).toBe(200);
});

test("a sender that floods a busy session is held up, and then refused; nothing is lost or out of order", async () => {
  const server = listen();
  const url = server.sessionUrl();
  const answer = await stream(`${url}/xhr_streaming`);
  expect([await answer.next(), await answer.next()]).toEqual([PRELUDE, "o\n"]);
  const free = Promise.withResolvers<void>();
  const { session } = server;
  session.onReceive = () => free.promise;
  const numbers = Array.from({ length: 500 }, (_, at) => String(at));
  let answered = false;
  const held = post(`${url}/xhr_send`, JSON.stringify(numbers)).then((one) => {
    answered = true;
    return one;
  });
  let refused = await post(`${url}/xhr_send`, "[]");
  while (refused.status === 204) refused = await post(`${url}/xhr_send`, "[]");
  expect(refused.status).toBe(429);
  expect(answered).toBe(false);
  free.resolve();
  expect((await held).status).toBe(204);
  expect(session.received).toEqual(numbers);
  expect((await post(`${url}/xhr_send`, '["more"]')).status).toBe(204);
});

test("what is pushed while an array is handled waits for its last message", async () => {
  for (const transport of ["xhr_streaming", "websocket"]) {
    const server = listen();
    const url = server.sessionUrl();
    const received: string[] = [];
    const last = Promise.withResolvers<void>();
    const sent = '["1","2","3"]';
    const next =
      transport === "websocket"
        ? await websocket(`${url}/websocket`).then((client) => {
            const take = async () => (await client.next()).text;
            return { take, send: async () => client.send(sent) };
          })
        : await stream(`${url}/xhr_streaming`).then(async (answer) => {
            await answer.next();
            const take = async () => (await answer.next())?.trim() ?? "";
            return { take, send: () => post(`${url}/xhr_send`, sent) };
          });
    expect(await next.take()).toBe("o");
    const { session } = server;
    session.onReceive = async (frame) => {
      session.socket.member.push(`unsolicited during ${String(frame)}`);
      await turn();
      session.socket.send(`answer ${String(frame)}`);
      if (frame === "3") last.resolve();
    };
    void next.send();
    await last.promise;
    while (received.length < 6)
      received.push(...(JSON.parse((await next.take()).slice(1)) as string[]));
    expect(received).toEqual([
      ...["answer 1", "answer 2", "answer 3"],
      ...["unsolicited during 1", "unsolicited during 2", "unsolicited during 3"],
    ]);
  }
});

describe("a client that stops reading", () => {
  test.each(["xhr_streaming", "websocket"])(
    "its %s session ends, with memory bounded",
    async (transport) => {
      const server = listenWith({ bufferedBytesMax: 256 * 1024 }, ENDLESS);
      const url = server.sessionUrl();
      if (transport === "websocket") (await websocket(`${url}/websocket`)).pause();
      else (await stream(`${url}/xhr_streaming`)).tcp.pause();
      const session = server.session;
      let sent = 0;
      while (session.ends.length === 0) {
        if (session.socket.send("x".repeat(16_384))) sent += 16_384;
        expect(session.socket.bufferedBytes).toBeLessThanOrEqual(300 * 1024);
        await turn();
      }
      expect(session.ends[0]?.code).toBe(3001);
      expect(sent).toBeLessThan(32 * 1024 * 1024);
    },
  );
});

test("a close that a client does not read cuts its stream 5 s later", async () => {
  const server = listenWith({ bufferedBytesMax: 1024 * 1024 }, ENDLESS);
  const url = server.sessionUrl();
  const answer = await stream(`${url}/xhr_streaming`);
  answer.tcp.pause();
  const { session } = server;
  while (session.socket.writable) {
    session.socket.send("x".repeat(16_384));
    await turn();
  }
  session.socket.send("waits");
  session.socket.close(4000, "bye");
  await server.runtime.advance(5_200);
  await answer.gone;
});

describe("a WebSocket's frames", () => {
  test("a string is a message, bytes are none, fragments are put together, a message may have 1 MiB", async () => {
    const server = listen();
    const client = await websocket(`${server.sessionUrl()}/websocket`);
    await client.next();
    client.send('"alone"');
    client.send(new TextEncoder().encode('["bytes"]'));
    client.sendFrame(1, Buffer.from('["frag'), { final: false });
    client.sendFrame(0, Buffer.from('ment"]'));
    const large = "x".repeat(1024 * 1024);
    client.send(`["${large}"]`);
    const texts = [
      (await client.next()).text,
      (await client.next()).text,
      (await client.next()).text,
    ];
    expect(texts).toEqual(['a["alone"]', 'a["fragment"]', `a["${large}"]`]);
  });
});
