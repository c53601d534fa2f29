/** What SockJS's public test suite (sockjs-protocol 0.3.3) asserts of sessions that requests carry; see `public-suite.test.ts`. */
import { describe, expect, test } from "bun:test";
import { ask, get, NO_CACHE, openByPoll, post, PRELUDE, useSockJs } from "../../support/sockjs.ts";
import { expectCors, expectNotCached, expectOptions } from "../../support/sockjs-headers.ts";

const { listen, stream } = useSockJs();

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
