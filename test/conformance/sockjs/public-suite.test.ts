/**
 * What SockJS's public test suite (sockjs-protocol 0.3.3) asserts, on the services that it asks for; the names are its classes'. Its one
 * test that is left out, `test_haproxy`, speaks a draft of WebSocket that no browser has used for ten years.
 */
import { describe, expect, test } from "bun:test";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";
import { get, openAnswer, openByPoll, post, PRELUDE, useSockJs } from "../../support/sockjs.ts";
import {
  expectCached,
  expectCors,
  expectNotCached,
  expectOptions,
} from "../../support/sockjs-headers.ts";

const { listen, websocket } = useSockJs();

describe("BaseUrlGreeting", () => {
  test("the base with and without a slash greets", async () => {
    const { echo } = listen();
    for (const url of [echo, `${echo}/`]) {
      const { status, headers, body } = await get(url);
      expect([status, body]).toEqual([200, "Welcome to SockJS!\n"]);
      expect(headers.get("content-type")).toBe("text/plain; charset=UTF-8");
      expect(headers.get("content-length")).toBe("19");
      expect(headers.get("set-cookie")).toBeNull();
    }
  });

  test("other paths are not found", async () => {
    const { echo } = listen();
    for (const path of ["/a", "/a.html", "//", "///", "/a/a", "/a/a/", "/a/"]) {
      expect([path, (await get(echo + path)).status]).toEqual([path, 404]);
    }
  });
});

const IFRAME =
  /^<!DOCTYPE html>\n<html>\n<head>\n {2}<meta http-equiv="X-UA-Compatible" content="IE=edge" \/>\n {2}<meta http-equiv="Content-Type" content="text\/html; charset=UTF-8" \/>\n {2}<script src="([^"]*)"><\/script>\n {2}<script>\n {4}document.domain = document.domain;\n {4}SockJS.bootstrap_iframe\(\);\n {2}<\/script>\n<\/head>\n<body>\n {2}<h2>Don't panic!<\/h2>\n {2}<p>This is a SockJS hidden iframe. It's used for cross domain magic.<\/p>\n<\/body>\n<\/html>$/;

describe("IframePage", () => {
  test.each([
    "/iframe.html",
    "/iframe-a.html",
    "/iframe-.html",
    "/iframe-0.1.2.html",
    "/iframe-0.1.2abc-dirty.2144.html",
    "/iframe-a.html?t=1234",
    "/iframe-0.1.2abc-dirty.2144.html?t=qweqweq123",
  ])("%s is the page, and its script is served beside it", async (path) => {
    const { echo, url } = listen();
    const { status, headers, body } = await get(echo + path);
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("text/html; charset=UTF-8");
    expectCached(headers);
    expect(headers.get("set-cookie")).toBeNull();
    const [, script = ""] = IFRAME.exec(body) ?? [];
    expect(script).toStartWith("/echo/");
    const library = await get(url + script);
    expect(library.headers.get("content-type")).toBe("application/javascript; charset=UTF-8");
    expect(library.headers.get("x-content-type-options")).toBe("nosniff");
    expect(library.body).toContain("SockJS");
  });

  test.each([
    ...["/iframe.htm", "/iframe", "/IFRAME.HTML", "/IFRAME", "/iframe.HTML", "/iframe.xml"],
    "/iframe-/.html",
  ])("%s is not found", async (path) => {
    expect((await get(listen().echo + path)).status).toBe(404);
  });

  test("its ETag stays, and a page that has it is not sent again", async () => {
    const { echo } = listen();
    const etag = (await get(`${echo}/iframe.html`)).headers.get("etag") ?? "";
    expect((await get(`${echo}/iframe-1.html?t=1`)).headers.get("etag")).toBe(etag);
    expect(etag).not.toBe("");
    const again = await get(`${echo}/iframe.html`, { "If-None-Match": etag });
    expect([again.status, again.body, again.headers.get("content-type")]).toEqual([304, "", null]);
  });
});

describe("InfoTest", () => {
  test("what it says, and its headers", async () => {
    const { status, headers, body } = await get(`${listen().echo}/info`, { Origin: "test" });
    expect(status).toBe(200);
    expect(headers.get("content-type")).toBe("application/json; charset=UTF-8");
    expect(headers.get("set-cookie")).toBeNull();
    expectNotCached(headers);
    expectCors(headers, "test");
    expect(JSON.parse(body)).toEqual({
      ...{ websocket: true, cookie_needed: false, origins: ["*:*"] },
      entropy: expect.any(Number),
    });
  });

  test("entropy is another one in each of 1,000 answers, of 32 bits", async () => {
    const { echo } = listen();
    const seen = new Set<number>();
    for (let at = 0; at < 1_000; at += 1) {
      const { entropy } = (await (await fetch(`${echo}/info`)).json()) as { entropy: number };
      expect(Number.isInteger(entropy) && entropy >= 0 && entropy < 2 ** 32).toBe(true);
      seen.add(entropy);
    }
    expect(seen.size).toBe(1_000);
  });

  test("OPTIONS", () => expectOptions(`${listen().echo}/info`, "OPTIONS, GET"));

  test("switched-off WebSockets are said, and not found", async () => {
    const off = `${listen().url}/disabled_websocket_echo`;
    expect(JSON.parse((await get(`${off}/info`)).body)).toMatchObject({ websocket: false });
    for (const path of ["/websocket", "/0/0/websocket"]) {
      expect((await handshake(off + path)).status).toBe(404);
    }
  });
});

describe("SessionURLs", () => {
  test("any server and session may be named", async () => {
    const { echo } = listen();
    for (const path of ["/a/a", "/_/_", "/1/", "/abcdefgh_i-j%20/abcdefg_i-j%20"]) {
      await openByPoll(`${echo}${path}1`);
    }
  });

  test.each(["//", "/a./a", "/a/a.", "/./.", "/", "///"])("%s names none", async (path) => {
    const { echo } = listen();
    for (const method of ["GET", "POST"]) {
      const answer = await openAnswer(`${echo}${path}/xhr`, method, { Connection: "close" });
      expect(answer.status).toBe(404);
      await answer.gone;
    }
  });

  test("the server's name means nothing", async () => {
    const { echo } = listen();
    await openByPoll(`${echo}/000/same`);
    expect((await post(`${echo}/000/same/xhr_send`, '["a"]')).status).toBe(204);
    expect((await post(`${echo}/999/same/xhr`)).body).toBe('a["a"]\n');
  });
});

describe("Protocol", () => {
  test("a session is opened, sent to and received from; a second receiver is told so", async () => {
    const { sessionUrl, echo } = listen();
    const url = sessionUrl();
    await openByPoll(url);
    const sent = await post(`${url}/xhr_send`, '["a"]');
    expect([sent.status, sent.body]).toEqual([204, ""]);
    const received = await post(`${url}/xhr`);
    expect([received.status, received.body]).toEqual([200, 'a["a"]\n']);
    expect((await post(`${echo}/000/bad_session/xhr_send`, '["a"]')).status).toBe(404);
    const waiting = post(`${url}/xhr`);
    const second = await post(`${url}/xhr`);
    expect([second.status, second.body]).toEqual([
      200,
      'c[2010,"Another connection still open"]\n',
    ]);
    await post(`${url}/xhr_send`, '["b"]');
    expect((await waiting).body).toBe('a["b"]\n');
  });

  test("a close is told again and again", async () => {
    const url = listen().sessionUrl("/close");
    await openByPoll(url);
    for (let at = 0; at < 3; at += 1) {
      const { status, body } = await post(`${url}/xhr`);
      expect([status, body]).toEqual([200, 'c[3000,"Go away!"]\n']);
    }
  });
});

describe("WebsocketHttpErrors", () => {
  test("what is no handshake is refused", async () => {
    const { echo } = listen();
    for (const path of ["/0/0/websocket", "/websocket"]) {
      const url = echo + path;
      expect((await get(url)).status).toBe(400);
      const closing = { upgrade: "WebSocket", connection: "close" };
      expect((await handshake(url, { headers: closing })).status).toBe(400);
      const old = { "sec-websocket-version": "8" };
      expect((await handshake(url, { headers: old })).status).toBe(400);
      for (const headers of [{}, { Upgrade: "WebSocket", Connection: "Upgrade" }]) {
        const refused = await openAnswer(url, "POST", { ...headers, "Content-Length": "0" });
        expect(refused.status).toBe(405);
        expect(refused.headers.get("allow")).toBe("GET");
        expect(refused.headers.has("content-type")).toBe(false);
        refused.destroy();
      }
    }
  });
});

describe("Websocket", () => {
  test("messages are echoed, and the session's id may be used again and at once", async () => {
    const url = `${listen().sessionUrl()}/websocket`;
    for (let at = 0; at < 2; at += 1) {
      const clients = [await websocket(url), await websocket(url)];
      for (const [number, client] of clients.entries()) {
        expect((await client.next()).text).toBe("o");
        client.send(`["${number}"]`);
        expect((await client.next()).text).toBe(`a["${number}"]`);
      }
      for (const client of clients) client.close(1000);
    }
  });

  test("a close is told as a frame, and then by WebSocket", async () => {
    const client = await websocket(`${listen().sessionUrl("/close")}/websocket`);
    const frames = await client.rest();
    expect(frames.map(({ opcode, text, code }) => [opcode, text, code])).toEqual([
      [1, "o", undefined],
      [1, 'c[3000,"Go away!"]', undefined],
      [8, "Go away!", 3000],
    ]);
  });

  test("the handshake's answer", async () => {
    const headers = { "sec-websocket-key": "x3JJHMbDL1EzLkh9GBhXDw==" };
    const client = await connectRaw(`${listen().sessionUrl()}/websocket`, { headers });
    const { response } = client;
    expect(response.status).toBe(101);
    expect(response.headers.get("sec-websocket-accept")).toBe("HSmrc0sMlYUkAGmm5OPpG2HaGWk=");
    expect(response.headers.get("connection")?.toLowerCase()).toBe("upgrade");
    expect(response.headers.get("upgrade")?.toLowerCase()).toBe("websocket");
    expect(response.headers.has("content-length")).toBe(false);
    client.destroy();
  });

  test("empty frames and empty arrays are nothing", async () => {
    const client = await websocket(`${listen().sessionUrl()}/websocket`);
    for (const frame of ["", "[]", '["a"]']) client.send(frame);
    expect((await client.next()).text).toBe("o");
    expect((await client.next()).text).toBe('a["a"]');
  });

  test("broken JSON ends it", async () => {
    const client = await websocket(`${listen().sessionUrl()}/websocket`);
    client.send('["a');
    const [open, close] = await client.rest();
    expect(open?.text).toBe("o");
    expect([close?.code, close?.text]).toEqual([3000, "Broken framing."]);
  });
});

describe("RawWebsocket", () => {
  test("a message is a frame, at both of its paths", async () => {
    const { echo } = listen();
    for (const url of [`${echo}/websocket`, echo]) {
      const client = await websocket(url);
      client.send("Hello world!\uffff");
      expect((await client.next()).text).toBe("Hello world!\uffff");
    }
  });

  test("a close at once has its code and reason", async () => {
    const client = await websocket(`${listen().url}/close/websocket`);
    const close = await client.next();
    expect([close.opcode, close.code, close.text]).toEqual([8, 3000, "Go away!"]);
  });
});

describe("Http10, Http11", () => {
  test("the greeting of HTTP/1.0 is not in chunks", async () => {
    const answer = await openAnswer(listen().echo, "GET", {}, "1.0");
    expect(answer.status).toBe(200);
    expect(answer.headers.has("transfer-encoding")).toBe(false);
    expect(await answer.next()).toBe("Welcome to SockJS!\n");
    answer.destroy();
  });

  test("a stream of HTTP/1.0 has no chunks and ends with its connection", async () => {
    const url = `${listen().sessionUrl("/close")}/xhr_streaming`;
    const answer = await openAnswer(url, "POST", {}, "1.0");
    expect(answer.status).toBe(200);
    expect(answer.headers.has("transfer-encoding")).toBe(false);
    expect(answer.headers.has("content-length")).toBe(false);
    let body = "";
    for (let part = await answer.next(); part !== undefined; part = await answer.next())
      body += part;
    expect(body).toBe(`${PRELUDE}o\nc[3000,"Go away!"]\n`);
    await answer.gone;
  });

  test("a POST without length and body is an empty one", async () => {
    const answer = await openAnswer(`${listen().sessionUrl()}/xhr`, "POST");
    expect(await answer.next()).toBe("o\n");
    answer.destroy();
  });
});
