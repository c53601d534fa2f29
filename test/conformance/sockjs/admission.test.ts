/** Who may open, continue and ask about a session: refusals before there is one (sockjs.md §12, messaging.md §4.2, §4.3). */
import { describe, expect, test } from "bun:test";
import { turn } from "../../support/bun-servers.ts";
import { handshake } from "../../support/raw-websocket.ts";
import { ask, get, post, PRELUDE, useSockJs } from "../../support/sockjs.ts";

const { listen, stream, websocket } = useSockJs();

const MINE = "?access_token=ann.1";
const MINE_TOO = "?access_token=ann.2";
const ANOTHERS = "?access_token=bob.1";
const FORM = { "Content-Type": "application/x-www-form-urlencoded" };
const ORIGIN = { Origin: "https://app.example" };

const RECEIVING = [
  ["xhr", "POST"],
  ["xhr_streaming", "POST"],
  ["eventsource", "GET"],
  ["htmlfile", "GET"],
  ["jsonp", "GET"],
] as const;
const SENDING = ["xhr_send", "jsonp_send"] as const;

describe("without a right", () => {
  test("everybody has greeting, pages and OPTIONS, and /info without a token alone", async () => {
    const base = `${listen().url}/tokens`;
    for (const query of ["", "?access_token=wrong"]) {
      expect((await get(base + query)).status).toBe(200);
      expect((await get(`${base}/iframe.html${query}`)).status).toBe(200);
      expect((await ask(`${base}/info${query}`, "OPTIONS")).status).toBe(204);
      expect((await ask(`${base}/0/a/xhr${query}`, "OPTIONS")).status).toBe(204);
    }
    expect((await get(`${base}/info`)).status).toBe(200);
    expect((await get(`${base}/info${MINE}`)).status).toBe(200);
    const refused = await get(`${base}/info?access_token=wrong`, ORIGIN);
    expect(refused.status).toBe(401);
    expect(refused.headers.get("access-control-allow-origin")).toBe(ORIGIN.Origin);
    expect(refused.headers.get("access-control-allow-credentials")).toBe("true");
  });

  test.each(["", "?access_token=wrong"])("no session is opened with %p", async (query) => {
    const server = listen();
    const url = server.sessionUrl("/tokens");
    for (const [path, method] of RECEIVING) {
      const { status, headers } = await ask(`${url}/${path}${query}`, method, { headers: ORIGIN });
      expect([path, status]).toEqual([path, 401]);
      expect(headers.get("access-control-allow-origin")).toBe(ORIGIN.Origin);
    }
    for (const path of SENDING) {
      // Before what is sent is looked at, and before it is said whether the session is there.
      expect((await post(`${url}/${path}${query}`, "[", FORM)).status).toBe(401);
    }
    for (const path of [`${url}/websocket`, `${server.url}/tokens/websocket`]) {
      expect((await handshake(path + query)).status).toBe(401);
    }
    expect(server.opened).toEqual([]);
  });
});

describe("a session", () => {
  test("is continued with any token of its subscriber's", async () => {
    const url = listen().sessionUrl("/tokens");
    expect((await post(`${url}/xhr${MINE}`)).body).toBe("o\n");
    expect((await post(`${url}/xhr_send${MINE_TOO}`, '["x"]')).status).toBe(204);
    expect((await post(`${url}/xhr${MINE_TOO}`)).body).toBe('a["x"]\n');
  });

  test("does not notice another subscriber's requests, and those without a token", async () => {
    const server = listen();
    const url = server.sessionUrl("/tokens");
    expect((await post(`${url}/xhr${MINE}`)).body).toBe("o\n");
    server.session.socket.send("mine");
    for (const [query, expected] of [
      [ANOTHERS, 403],
      ["", 401],
      ["?access_token=wrong", 401],
    ] as const) {
      for (const [path, method] of RECEIVING) {
        const { status, body } = await ask(`${url}/${path}${query}`, method);
        expect([path, status]).toEqual([path, expected]);
        expect(body).not.toContain("mine");
      }
      for (const path of SENDING) {
        expect((await post(`${url}/${path}${query}`, 'd=["x"]', FORM)).status).toBe(expected);
      }
    }
    expect(server.session.received).toEqual([]);
    expect((await post(`${url}/xhr${MINE}`)).body).toBe('a["mine"]\n');
  });

  test("whose token ended tells its streams, and its next poll the close alone", async () => {
    const server = listen();
    const streaming = await stream(`${server.sessionUrl("/tokens")}/xhr_streaming${MINE}`);
    expect([await streaming.next(), await streaming.next()]).toEqual([PRELUDE, "o\n"]);
    const streamed = server.session;
    const url = server.sessionUrl("/tokens");
    expect((await post(`${url}/xhr${MINE}`)).body).toBe("o\n");
    const polled = server.session;
    polled.socket.send("secret");
    server.ended.add("ann.1");
    for (const { socket } of [streamed, polled]) socket.close(4401, "Unauthorized");
    expect(await streaming.next()).toBe('c[4401,"Unauthorized"]\n');
    expect(await streaming.next()).toBeUndefined();
    expect((await post(`${url}/xhr_send${MINE}`, '["x"]')).status).toBe(401);
    expect((await post(`${url}/xhr${ANOTHERS}`)).status).toBe(403);
    expect((await post(`${url}/xhr${MINE}`)).body).toBe('c[4401,"Unauthorized"]\n');
    expect(
      await stream(`${url}/xhr_streaming${MINE}`).then(async (next) => [
        await next.next(),
        await next.next(),
        await next.next(),
      ]),
    ).toEqual([PRELUDE, 'c[4401,"Unauthorized"]\n', undefined]);
    expect(polled.received).toEqual([]);
    // What is refused does not prolong it.
    await server.runtime.advance(5_200);
    expect((await post(`${url}/xhr${MINE}`)).status).toBe(401);
  });

  test("that is open is not continued with a token that ended", async () => {
    const server = listen();
    const url = server.sessionUrl("/tokens");
    await post(`${url}/xhr${MINE}`);
    server.session.socket.send("secret");
    server.ended.add("ann.1");
    const refused = await post(`${url}/xhr${MINE}`);
    expect(refused.status).toBe(401);
    expect(refused.body).not.toContain("secret");
  });

  test("is one of its service's and of its app's", async () => {
    const server = listen();
    const { url } = server;
    expect((await post(`${url}/echo/0/same/xhr`)).body).toBe("o\n");
    expect((await post(`${url}/tokens/0/same/xhr${MINE}`)).body).toBe("o\n");
    expect(server.opened).toHaveLength(2);
  });
});

test("two first requests at once open one session", async () => {
  const server = listen({
    route: (route) => ({
      ...route,
      async accept(asked) {
        await turn();
        return route.accept(asked);
      },
    }),
  });
  const url = server.sessionUrl();
  const [first, second] = await Promise.all([
    stream(`${url}/xhr_streaming`),
    stream(`${url}/xhr_streaming`),
  ]);
  await first.next();
  await second.next();
  expect(new Set([await first.next(), await second.next()])).toEqual(
    new Set(['c[2010,"Another connection still open"]\n', "o\n"]),
  );
  expect(server.opened).toHaveLength(1);
});

test("a request whose session comes or goes while it is decided is decided anew, its body with it", async () => {
  const server = listen({
    route: (route) => ({
      ...route,
      async accept(asked) {
        await turn();
        return route.accept(asked);
      },
    }),
  });
  const url = server.sessionUrl();
  const chunked = () =>
    fetch(`${url}/xhr`, { method: "POST", body: new Response("ignored").body } as RequestInit);
  const bodies = [chunked(), chunked()].map(async (answer) => (await answer).text());
  expect(await Promise.any(bodies)).toBe("o\n");
  server.session.socket.close(4000, "bye");
  expect(new Set(await Promise.all(bodies))).toEqual(new Set(["o\n", 'c[4000,"bye"]\n']));
});

describe("origins that may not see answers", () => {
  test("get no headers that let them", async () => {
    const { echo, sessionUrl } = listen({
      route: (route) => ({
        ...route,
        sockjs: { allowsOrigin: (origin) => origin === ORIGIN.Origin },
      }),
    });
    for (const [origin, allowed] of [
      [ORIGIN.Origin, ORIGIN.Origin],
      ["https://evil.example", null],
      ["null", null],
    ] as const) {
      for (const { headers } of [
        await get(`${echo}/info`, { Origin: origin }),
        await post(`${sessionUrl()}/xhr`, undefined, { Origin: origin }),
        await ask(`${echo}/0/a/xhr_send`, "OPTIONS", { headers: { Origin: origin } }),
      ]) {
        expect(headers.get("access-control-allow-origin")).toBe(allowed);
        expect(headers.get("access-control-allow-credentials")).toBe(allowed && "true");
        expect(headers.get("vary")).toBe("Origin");
      }
    }
  });
});

describe("transports that are switched off", () => {
  test("are not found, others are", async () => {
    const server = listen({
      route: (route) => ({ ...route, sockjs: { disabled: ["jsonp", "htmlfile", "xhr"] } }),
    });
    const url = server.sessionUrl();
    for (const path of ["jsonp?c=x", "htmlfile?c=x"]) {
      expect((await get(`${url}/${path}`)).status).toBe(404);
    }
    for (const path of ["xhr", "jsonp_send"]) {
      expect((await post(`${url}/${path}`, "[]")).status).toBe(404);
    }
    const answer = await stream(`${url}/xhr_streaming`);
    expect([await answer.next(), await answer.next()]).toEqual([PRELUDE, "o\n"]);
    expect((await post(`${url}/xhr_send`, '["x"]')).status).toBe(204);
    const client = await websocket(`${url}/websocket`);
    expect((await client.next()).text).toBe("o");
  });

  test("an iframe's script may be elsewhere", async () => {
    const { echo } = listen({
      route: (route) => ({ ...route, sockjs: { scriptUrl: 'https://cdn.example/sockjs.js?a&"b' } }),
    });
    const { body } = await get(`${echo}/iframe.html`);
    expect(body).toContain('<script src="https://cdn.example/sockjs.js?a&amp;&quot;b"></script>');
  });
});
