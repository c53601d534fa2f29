/**
 * What SockJS's public test suite (sockjs-protocol 0.3.3) asserts, on the services that it asks for; the names are its classes'. Its one
 * test that is left out, `test_haproxy`, speaks a draft of WebSocket that no browser has used for ten years.
 */
import { describe, expect, test } from "bun:test";
import { connectRaw, handshake } from "../../support/raw-websocket.ts";
import {
  ask,
  get,
  NO_CACHE,
  openAnswer,
  openByPoll,
  post,
  PRELUDE,
  useSockJs,
} from "../../support/sockjs.ts";

const { listen, stream, websocket } = useSockJs();

function expectCors(headers: Headers, origin?: string): void {
  expect(headers.get("access-control-allow-origin")).toBe(origin ?? "*");
  expect(headers.get("access-control-allow-credentials")).toBe(
    origin === undefined ? null : "true",
  );
  expect(headers.get("vary")).toBe("Origin");
}

function expectNotCached(headers: Headers): void {
  expect(headers.get("cache-control")).toBe(NO_CACHE);
  expect(headers.get("expires")).toBeNull();
  expect(headers.get("last-modified")).toBeNull();
}

function expectCached(headers: Headers): void {
  expect(headers.get("cache-control")).toBe("public, max-age=31536000");
  expect(Date.parse(headers.get("expires") ?? "")).toBeGreaterThan(0);
  expect(headers.get("last-modified")).toBeNull();
}

async function expectOptions(url: string, methods: string): Promise<void> {
  for (const origin of ["test", "null"]) {
    const headers = { "Access-Control-Request-Method": methods, Origin: origin };
    const answer = await ask(url, "OPTIONS", { headers });
    expect([answer.status, answer.body]).toEqual([204, ""]);
    expectCached(answer.headers);
    expect(answer.headers.get("access-control-max-age")).toBe("31536000");
    expect(answer.headers.get("access-control-allow-methods")).toBe(methods);
    expectCors(answer.headers, origin);
  }
}

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

describe("XhrPolling", () => {
  test.each(["xhr", "xhr_send", "xhr_streaming"])("OPTIONS of %s", (action) =>
    expectOptions(`${listen().echo}/abc/abc/${action}`, "OPTIONS, POST"),
  );

  test("headers of both directions", async () => {
    const url = listen().sessionUrl();
    const opened = await post(`${url}/xhr`, undefined, { Origin: "test" });
    expect(opened.body).toBe("o\n");
    expect(opened.headers.get("content-type")).toBe("application/javascript; charset=UTF-8");
    const sent = await post(`${url}/xhr_send`, '["x"]', { Origin: "test" });
    expect([sent.status, sent.body]).toEqual([204, ""]);
    expect(sent.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
    for (const { headers } of [opened, sent]) {
      expectCors(headers, "test");
      expectNotCached(headers);
    }
    expect((await post(`${url}/xhr`)).body).toBe('a["x"]\n');
  });

  test("a body that is no array is refused, and the session goes on", async () => {
    const url = listen().sessionUrl();
    expect((await post(`${url}/xhr_send`, '["x"]')).status).toBe(404);
    await openByPoll(url);
    for (const [body, said] of [
      ['["x', "Broken JSON encoding."],
      ["", "Payload expected."],
      ['{"a":1}', "Payload expected."],
    ]) {
      const refused = await post(`${url}/xhr_send`, body);
      expect([refused.status, refused.body]).toEqual([500, said!]);
    }
    expect((await post(`${url}/xhr_send`, "[]")).status).toBe(204);
    expect((await post(`${url}/xhr_send`, '["a"]')).status).toBe(204);
    expect((await post(`${url}/xhr`)).body).toBe('a["a"]\n');
  });

  test("any content type is taken", async () => {
    const url = listen().sessionUrl();
    await openByPoll(url);
    const types = [
      ...["text/plain", "T", "application/json", "application/xml", ""],
      ...["application/json; charset=utf-8", "text/xml; charset=utf-8", "text/xml"],
    ];
    for (const type of types) {
      const { status, body } = await post(`${url}/xhr_send`, '["a"]', { "Content-Type": type });
      expect([status, body]).toEqual([204, ""]);
    }
    expect((await post(`${url}/xhr`)).body).toBe(`a[${types.map(() => '"a"').join(",")}]\n`);
  });

  test("the headers that a page asks for are repeated", async () => {
    const url = `${listen().sessionUrl()}/xhr`;
    const asked = { Origin: "test", "Access-Control-Request-Method": "POST" };
    for (const [wanted, allowed] of [
      ["a, b, c", "a, b, c"],
      ["", null],
      [undefined, null],
    ] as const) {
      const headers = {
        ...asked,
        ...(wanted === undefined ? {} : { "Access-Control-Request-Headers": wanted }),
      };
      const answer = await ask(url, "OPTIONS", { headers });
      expectCors(answer.headers, "test");
      expect(answer.headers.get("access-control-allow-headers")).toBe(allowed);
    }
  });
});

/** Each streaming transport with its wrapping; `of` is of the frame. */
const STREAMS = [
  ["xhr_streaming", "POST", (frame: string) => `${frame}\n`],
  ["eventsource", "GET", (frame: string) => `data: ${frame}\r\n\r\n`],
  [
    "htmlfile?c=%63allback",
    "GET",
    (frame: string) => `<script>\np(${JSON.stringify(frame)});\n</script>\r\n`,
  ],
] as const;

const HTML_HEAD = `<!doctype html>
<html><head>
  <meta http-equiv="X-UA-Compatible" content="IE=edge" />
  <meta http-equiv="Content-Type" content="text/html; charset=UTF-8" />
</head><body><h2>Don't panic!</h2>
  <script>
    document.domain = document.domain;
    var c = parent.callback;
    c.start();
    function p(d) {c.message(d);};
    window.onload = function() {c.stop();};
  </script>`;

describe("XhrStreaming, EventSource, HtmlFile", () => {
  test.each(STREAMS)("%s: head, prelude, and each frame a chunk", async (path, method, of) => {
    const url = listen().sessionUrl();
    const answer = await stream(`${url}/${path}`, method, { Origin: "test" });
    expect(answer.status).toBe(200);
    const { headers } = answer;
    expect(headers.get("cache-control")).toBe(NO_CACHE);
    expect(headers.get("access-control-allow-origin")).toBe("test");
    expect(headers.get("access-control-allow-credentials")).toBe("true");
    expect(headers.has("content-length")).toBe(false);
    const prelude = (await answer.next()) ?? "";
    switch (path) {
      case "xhr_streaming":
        expect(headers.get("content-type")).toBe("application/javascript; charset=UTF-8");
        expect(prelude).toBe(PRELUDE);
        break;
      case "eventsource":
        expect(headers.get("content-type")).toBe("text/event-stream");
        expect(prelude).toBe("\r\n");
        break;
      case "htmlfile?c=%63allback":
        expect(headers.get("content-type")).toBe("text/html; charset=UTF-8");
        expect(prelude.trim()).toBe(HTML_HEAD);
        expect(prelude).toEndWith("\r\n\r\n");
        expect(prelude.length).toBeGreaterThan(1_024);
    }
    expect(await answer.next()).toBe(of("o"));
    await post(`${url}/xhr_send`, '["x"]');
    expect(await answer.next()).toBe(of('a["x"]'));
    await post(`${url}/xhr_send`, String.raw`["  \u0000\n\r "]`);
    expect(await answer.next()).toBe(of(String.raw`a["  \u0000\n\r "]`));
  });

  test("the response limit ends a stream at the 31st frame of 134 bytes, and keeps its connection", async () => {
    const url = listen().sessionUrl();
    const answer = await stream(`${url}/xhr_streaming`);
    expect(await answer.next()).toBe(PRELUDE);
    expect(await answer.next()).toBe("o\n");
    const message = `"${"x".repeat(128)}"`;
    for (let at = 0; at < 31; at += 1) {
      expect((await post(`${url}/xhr_send`, `[${message}]`)).status).toBe(204);
      expect(await answer.next()).toBe(`a[${message}]\n`);
    }
    expect(await answer.next()).toBeUndefined();
    expect(answer.tcp.destroyed).toBe(false);
  });

  test.each(STREAMS)("%s: the response limit", async (path, method, of) => {
    const url = listen().sessionUrl();
    const answer = await stream(`${url}/${path}`, method);
    await answer.next();
    expect(await answer.next()).toBe(of("o"));
    const message = `"${"x".repeat(4_096)}"`;
    await post(`${url}/xhr_send`, `[${message}]`);
    expect(await answer.next()).toBe(of(`a[${message}]`));
    expect(await answer.next()).toBeUndefined();
  });
});

describe.each(["htmlfile", "jsonp"])("callbacks of %s", (action) => {
  test("one has to be named, as a name", async () => {
    const url = `${listen().echo}/a/a/${action}`;
    const missing = await get(url);
    expect([missing.status, missing.body]).toEqual([500, '"callback" parameter required']);
    for (const callback of ["%20", "*", "abc(", "abc%28"]) {
      const wrong = await get(`${url}?c=${callback}`);
      expect([wrong.status, wrong.body]).toEqual([500, 'invalid "callback" parameter']);
    }
  });
});

const FORM = { "Content-Type": "application/x-www-form-urlencoded" };

describe("JsonPolling", () => {
  test("frames, and the headers of both directions", async () => {
    const url = listen().sessionUrl();
    const opened = await get(`${url}/jsonp?c=%63allback`);
    expect([opened.status, opened.body]).toEqual([200, '/**/callback("o");\r\n']);
    expect(opened.headers.get("content-type")).toBe("application/javascript; charset=UTF-8");
    expect(opened.headers.get("x-content-type-options")).toBe("nosniff");
    const sent = await post(`${url}/jsonp_send`, "d=%5B%22x%22%5D", FORM);
    expect([sent.status, sent.body]).toEqual([200, "ok"]);
    expect(sent.headers.get("content-type")).toBe("text/plain; charset=UTF-8");
    for (const { headers } of [opened, sent]) expectNotCached(headers);
    expect((await get(`${url}/jsonp?c=%63allback`)).body).toBe('/**/callback("a[\\"x\\"]");\r\n');
  });

  test("bad bodies are refused; forms are decoded, plain text is not", async () => {
    const url = listen().sessionUrl();
    await get(`${url}/jsonp?c=x`);
    const broken = await post(`${url}/jsonp_send`, "d=%5B%22x", FORM);
    expect([broken.status, broken.body]).toEqual([500, "Broken JSON encoding."]);
    for (const body of ["", "d=", "p=p"]) {
      const missing = await post(`${url}/jsonp_send`, body, FORM);
      expect([missing.status, missing.body]).toEqual([500, "Payload expected."]);
    }
    expect((await post(`${url}/jsonp_send`, "d=%5B%5D", FORM)).body).toBe("ok");
    expect((await post(`${url}/jsonp_send`, "d=%5B%22abc%22%5D", FORM)).body).toBe("ok");
    const plain = { "Content-Type": "text/plain" };
    expect((await post(`${url}/jsonp_send`, '["%61bc"]', plain)).body).toBe("ok");
    const { body } = await get(`${url}/jsonp?c=x`);
    expect(body).toBe('/**/x("a[\\"abc\\",\\"%61bc\\"]");\r\n');
  });

  test("a close is told again and again", async () => {
    const url = listen().sessionUrl("/close");
    expect((await get(`${url}/jsonp?c=x`)).body).toBe('/**/x("o");\r\n');
    for (let at = 0; at < 2; at += 1) {
      expect((await get(`${url}/jsonp?c=x`)).body).toBe('/**/x("c[3000,\\"Go away!\\"]");\r\n');
    }
  });
});

describe("JsessionidCookie", () => {
  test("is on every answer of a session's, given back as it came, and nowhere else", async () => {
    const { url, sessionUrl } = listen();
    const service = `${url}/cookie_needed_echo`;
    const info = await get(`${service}/info`);
    expect(JSON.parse(info.body)).toMatchObject({ cookie_needed: true });
    for (const { headers } of [info, await get(service), await get(`${service}/iframe.html`)]) {
      expect(headers.get("set-cookie")).toBeNull();
    }
    const session = sessionUrl("/cookie_needed_echo");
    const known = { Cookie: "a=b; JSESSIONID=abcdef" };
    for (const answer of [
      await post(`${session}/xhr`),
      await post(`${session}/xhr_send`, "[]"),
      await ask(`${session}/xhr`, "OPTIONS"),
      await get(`${session}/jsonp`),
      await post(`${session}/jsonp_send`, "d=[]", FORM),
    ]) {
      expect(answer.headers.get("set-cookie")).toBe("JSESSIONID=dummy; path=/");
    }
    for (const [path, method] of STREAMS) {
      const at = `${sessionUrl("/cookie_needed_echo")}/${path}`;
      const streamed = await stream(at, method, known);
      expect(streamed.headers.get("set-cookie")).toBe("JSESSIONID=abcdef; path=/");
    }
    expect((await post(`${sessionUrl()}/xhr`)).headers.get("set-cookie")).toBeNull();
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

describe("HandlingClose", () => {
  test("this stream and the next one are told of the close, and end", async () => {
    const url = `${listen().sessionUrl("/close")}/xhr_streaming`;
    const first = await stream(url);
    for (const chunk of [PRELUDE, "o\n", 'c[3000,"Go away!"]\n', undefined]) {
      expect(await first.next()).toBe(chunk);
    }
    const second = await stream(url);
    for (const chunk of [PRELUDE, 'c[3000,"Go away!"]\n', undefined]) {
      expect(await second.next()).toBe(chunk);
    }
  });

  test("a second stream is told of the first, which goes on", async () => {
    const url = listen().sessionUrl();
    const first = await stream(`${url}/xhr_streaming`);
    expect([await first.next(), await first.next()]).toEqual([PRELUDE, "o\n"]);
    const second = await stream(`${url}/xhr_streaming`);
    expect([await second.next(), await second.next(), await second.next()]).toEqual([
      ...[PRELUDE, 'c[2010,"Another connection still open"]\n', undefined],
    ]);
    await post(`${url}/xhr_send`, '["x"]');
    expect(await first.next()).toBe('a["x"]\n');
  });

  test("a stream or poll whose client left ends its session", async () => {
    const server = listen();
    const url = server.sessionUrl();
    const first = await stream(`${url}/xhr_streaming`);
    expect([await first.next(), await first.next()]).toEqual([PRELUDE, "o\n"]);
    const { session } = server;
    const closed = new Promise<void>((resolve) => (session.onClosed = resolve));
    first.destroy();
    await closed;
    await openByPoll(url);
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
