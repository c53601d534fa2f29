/** What a request carries, to whom, and what it takes for a URL. */
import { afterAll, describe, expect, test } from "bun:test";
import { createServer as createRawServer } from "node:net";
import { ask, failureOf, seen, text } from "./test-asking.ts";
import { cert, listen, startEchoServers } from "./test-servers.ts";

const { http, https, connections, close } = await startEchoServers();
afterAll(close);

describe("a request", () => {
  test("carries method, path, query, headers, body and the Host of the URL", async () => {
    const sent = await seen(
      ask(`http://name.test:${http}/a/b?c=d%20e#fragment`, {
        method: "POST",
        headers: { "X-Own": "1", "content-type": "text/plain" },
        body: "grüße",
      }),
    );
    expect(sent).toMatchObject({ method: "POST", url: "/a/b?c=d%20e", body: "grüße" });
    expect(sent.headers).toMatchObject({
      host: `name.test:${http}`,
      "x-own": "1",
      "content-type": "text/plain",
      "content-length": "7",
      connection: "close",
      "accept-encoding": "identity",
    });
  });

  test("carries bytes, and an empty body", async () => {
    const bytes = new Uint8Array([104, 105]);
    expect(
      await seen(ask(`http://a.test:${http}/`, { method: "POST", body: bytes })),
    ).toMatchObject({
      body: "hi",
    });
    const empty = await seen(ask(`http://a.test:${http}/`, { method: "POST", body: "" }));
    expect(empty.headers["content-length"]).toBe("0");
  });

  test("does not let a caller choose Host or the framing", async () => {
    const { headers } = await seen(
      ask(`http://name.test:${http}/`, {
        method: "POST",
        headers: {
          HOST: "evil.test",
          "Content-Length": "1",
          "Transfer-Encoding": "chunked",
          Connection: "x",
        },
        body: "four",
      }),
    );
    expect(headers).toMatchObject({
      host: `name.test:${http}`,
      "content-length": "4",
      connection: "close",
    });
    expect(headers["transfer-encoding"]).toBeUndefined();
  });

  test("with a line break in a header fails before anything is sent", async () => {
    const error = await failureOf(
      ask(`http://a.test:${http}/`, { headers: { "x-a": "s3cret\r\nx-b: 1" } }),
    );
    expect(error.reason).toBe("protocol");
    expect(`${error.message}${String(error.cause)}`).not.toContain("s3cret");
  });

  test("with a header that its framing rules out fails before anything is sent", async () => {
    const before = connections();
    const options = { method: "POST", headers: { trailer: "x-a" }, body: "four" };
    expect((await failureOf(ask(`http://a.test:${http}/`, options))).reason).toBe("protocol");
    expect(connections()).toBe(before);
  });

  test.each([
    ["user:pass", "user:pass"],
    ["user", "user:"],
    [":p%40ss", ":p@ss"],
    ["100%:%C3%BC", "100%:ü"],
  ])("turns the URL's %s into Basic authorization", async (given, credentials) => {
    const { headers, url } = await seen(ask(`http://${given}@a.test:${http}/`));
    expect(headers["authorization"]).toBe(`Basic ${Buffer.from(credentials).toString("base64")}`);
    expect(headers.host).toBe(`a.test:${http}`);
    expect(url).toBe("/");
  });

  test("prefers an authorization among its headers", async () => {
    const own = { Authorization: "Bearer own" };
    const { headers } = await seen(ask(`http://user:pass@a.test:${http}/`, { headers: own }));
    expect(headers["authorization"]).toBe("Bearer own");
  });

  test("opens a connection of its own every time", async () => {
    const before = connections();
    for (let count = 0; count < 3; count++) await ask(`http://a.test:${http}/`);
    expect(connections() - before).toBe(3);
  });

  test("follows no redirect", async () => {
    const response = await ask(`http://a.test:${http}/redirect`);
    expect(response).toMatchObject({ status: 302, headers: { location: "/elsewhere" } });
    expect(text(response.body)).toBe("moved");
  });

  test("joins repeated response headers", async () => {
    expect((await ask(`http://a.test:${http}/twice`)).headers["x-many"]).toBe("a, b");
  });

  test("is not diverted by proxy variables", async () => {
    let proxied = 0;
    const proxy = createRawServer((socket) => {
      proxied += 1;
      socket.destroy();
    });
    const at = `http://127.0.0.1:${await listen(proxy)}`;
    const script = `
      import { request } from ${JSON.stringify(new URL("request.ts", import.meta.url).pathname)};
      const options = { timeoutMs: 5000, responseBytesMax: 1000, allowAddress: () => true, ca: process.env.TEST_CA };
      for (const url of ["http://127.0.0.1:${http}/", "https://127.0.0.1:${https}/"]) {
        console.log((await request({ ...options, url })).status);
      }`;
    const child = Bun.spawn([process.execPath, "-e", script], {
      env: {
        PATH: process.env.PATH,
        TEST_CA: cert,
        http_proxy: at,
        HTTP_PROXY: at,
        https_proxy: at,
        HTTPS_PROXY: at,
        ALL_PROXY: at,
        NODE_USE_ENV_PROXY: "1",
      },
    });
    expect(await new Response(child.stdout).text()).toBe("200\n200\n");
    expect(proxied).toBe(0);
    proxy.close();
  });
});

describe("the URL", () => {
  test.each([
    "",
    "nonsense",
    "/path",
    "ftp://a.test/",
    "file:///etc/passwd",
    "data:text/plain,a",
    "http://",
    "http://[fe80::1%25eth0]/",
    "http://1.2.3.400/",
    "ftp://user:s3cret@a.test/",
  ])("'%s' is refused without being quoted", async (url) => {
    const error = await failureOf(ask(url));
    expect(error.reason).toBe("invalid_url");
    expect(error.message).not.toContain("s3cret");
  });
});
