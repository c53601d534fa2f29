/** Whom every address of messaging lets in (messaging.md §4.1, §4.2, §6.2 by each transport; §15, items 1 to 4, 34). */
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import { tokenOf } from "../../support/messaging.ts";
import { handshake } from "../../support/raw-websocket.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { ask, openAnswer, PRELUDE, type ChunkedAnswer } from "../../support/sockjs.ts";

let server: BootedServer;
let base: string;
beforeAll(async () => {
  server = await bootServer();
  base = `${server.clientsUrl}/messaging`;
});
afterAll(() => server[Symbol.asyncDispose]());

const answers: ChunkedAnswer[] = [];
afterEach(() => {
  for (const answer of answers.splice(0)) answer.destroy();
});

const TOKEN = tokenOf("1");
const ORIGIN = "https://app.example";
/** The statuses without a token, with one that is wrong, and with a good one that is not a subscriber's. */
const CREDENTIALS = ["", "?access_token=wrong", "?access_token=dev-api-key"] as const;

const RECEIVING = [
  ["xhr", "POST"],
  ["xhr_streaming", "POST"],
  ["eventsource", "GET"],
  ["htmlfile", "GET"],
  ["jsonp", "GET"],
] as const;
const SENDING = ["xhr_send", "jsonp_send"] as const;

let sessions = 0;
const sessionUrl = () => `${base}/000/s${(sessions += 1)}`;
const statuses = (url: string, method = "GET") =>
  Promise.all(CREDENTIALS.map(async (query) => (await ask(url + query, method)).status));

describe("without a subscriber's token", () => {
  test("there is greeting, iframe and OPTIONS, and /info for those that send none", async () => {
    for (const path of ["", "/", "/iframe.html", "/iframe-1.6.1.html"]) {
      expect(await statuses(base + path)).toEqual([200, 200, 200]);
    }
    for (const path of ["/info", "/000/a/xhr", "/000/a/xhr_streaming", "/000/a/xhr_send"]) {
      expect(await statuses(base + path, "OPTIONS")).toEqual([204, 204, 204]);
    }
    expect(await statuses(`${base}/info`)).toEqual([200, 401, 403]);
  });

  test("there is no session, whichever way it is asked for", async () => {
    for (const [transport, method] of RECEIVING) {
      const found = await statuses(`${sessionUrl()}/${transport}`, method);
      expect([transport, ...found]).toEqual([transport, 401, 401, 403]);
    }
    for (const sender of SENDING) {
      expect(await statuses(`${sessionUrl()}/${sender}`, "POST")).toEqual([401, 401, 403]);
    }
    for (const url of [base, `${base}/websocket`, `${sessionUrl()}/websocket`]) {
      const found = CREDENTIALS.map(async (query) => (await handshake(url + query)).status);
      expect(await Promise.all(found)).toEqual([401, 401, 403]);
    }
  });

  test.each([
    ["?access_token=wrong", 'Bearer realm="messaging", error="invalid_token"', "invalid_token"],
    ["", 'Bearer realm="messaging"', "unauthorized"],
  ])("a page of another origin sees why: %p", async (query, challenge, error) => {
    const headers = { Origin: ORIGIN };
    const refused = await ask(`${sessionUrl()}/xhr${query}`, "POST", { headers });
    expect(JSON.parse(refused.body)).toMatchObject({ error });
    expect(Object.fromEntries(refused.headers)).toMatchObject({
      "www-authenticate": challenge,
      "content-type": "application/json; charset=UTF-8",
      "cache-control": "no-store",
      "access-control-allow-origin": ORIGIN,
      "access-control-allow-credentials": "true",
    });
  });
});

/** What of a session's answers is needed to see messages in them: escapes are left as they are. */
interface Session {
  send(message: object): Promise<number>;
  /** Resolves with the text that has this in it. */
  receive(part: string): Promise<string>;
}

async function open(transport: string, method: string, as: "query" | "header"): Promise<Session> {
  const url = sessionUrl();
  const query = as === "query" ? `?access_token=${TOKEN}&c=cb` : "?c=cb";
  const headers: Record<string, string> =
    as === "header" ? { authorization: `bearer ${TOKEN}` } : {};
  const streams = transport !== "xhr" && transport !== "jsonp";
  let stream: ChunkedAnswer | undefined;
  const next = async (): Promise<string> => {
    if (!streams) return (await ask(`${url}/${transport}${query}`, method, { headers })).body;
    stream ??= await openAnswer(`${url}/${transport}${query}`, method, headers);
    if (!answers.includes(stream)) answers.push(stream);
    return (await stream.next()) ?? "";
  };
  return {
    async send(message) {
      const array = JSON.stringify([JSON.stringify(message)]);
      const form = transport === "jsonp";
      const body = form ? new URLSearchParams({ d: array }) : array;
      const sender = form ? "jsonp_send" : "xhr_send";
      return (await ask(`${url}/${sender}${query}`, "POST", { headers, body })).status;
    },
    async receive(part) {
      for (;;) {
        const text = await next();
        if (text !== PRELUDE && text.includes(part)) return text;
      }
    },
  };
}

describe.each(RECEIVING)("%s", (transport, method) => {
  test.each(["query", "header"] as const)("takes a token by %s, and messages", async (as) => {
    const session = await open(transport, method, as);
    await session.receive("o");
    expect(await session.send({ type: "ping", id: "p" })).toBe(transport === "jsonp" ? 200 : 204);
    await session.receive("pong");
    await session.send({ type: "whoami", id: "w" });
    await session.receive("identity");
  });

  test("refuses a token that is sent twice", async () => {
    const headers = { Authorization: `Bearer ${TOKEN}` };
    const url = `${sessionUrl()}/${transport}?access_token=${TOKEN}`;
    const { status, body } = await ask(url, method, { headers });
    expect([status, JSON.parse(body)]).toMatchObject([400, { error: "invalid_request" }]);
  });
});

test("the base with an upgrade is the raw WebSocket", async () => {
  const url = `${base}?access_token=${TOKEN}`.replace("http", "ws");
  const socket = new WebSocket(url);
  const received = new Promise((resolve) => (socket.onmessage = ({ data }) => resolve(data)));
  socket.onopen = () => socket.send('{"type":"ping","id":"1"}');
  expect(JSON.parse(String(await received))).toMatchObject({ type: "pong" });
  socket.close();
});
