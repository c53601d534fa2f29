import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { createServer, type IncomingMessage } from "node:http";
import { createServer as createSecureServer } from "node:https";
import {
  type AddressInfo,
  createServer as createRawServer,
  type Server,
  type Socket,
} from "node:net";
import { gzipSync } from "node:zlib";
import { isPublicAddress } from "./addresses.ts";
import { fetchJson } from "./fetch-json.ts";
import {
  OutboundError,
  type OutboundErrorReason,
  type OutboundRequest,
  request,
} from "./request.ts";

const fixtures = new URL("../../test/fixtures/tls/", import.meta.url);
const cert = readFileSync(new URL("cert.pem", fixtures), "utf8");
const key = readFileSync(new URL("key.pem", fixtures), "utf8");

const defaults = {
  timeoutMs: 5000,
  responseBytesMax: 1000,
  allowAddress: () => true,
  lookup: async () => ["127.0.0.1"],
};

const ask = (url: string, options: Partial<OutboundRequest> = {}) =>
  request({ ...defaults, url, ...options });

async function failureOf(outcome: Promise<unknown>): Promise<OutboundError> {
  const error = await outcome.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OutboundError))
    throw new Error("Expected an OutboundError", { cause: error });
  return error;
}

const reasonOf = async (outcome: Promise<unknown>): Promise<OutboundErrorReason> =>
  (await failureOf(outcome)).reason;

const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

async function listen(server: Server, host = "127.0.0.1"): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, host, resolve);
  await promise;
  return (server.address() as AddressInfo).port;
}

/** Answers every connection as `answer` says, once its request began to arrive. */
async function rawServer(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const server = createRawServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket));
  });
  const port = await listen(server);
  return {
    url: `http://raw.test:${port}/`,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

interface Seen {
  method: string;
  url: string;
  headers: Record<string, string>;
  body: string;
  servername: string | false | null;
}

function echo(incoming: IncomingMessage & { socket: object }, body: string): string {
  const servername = "servername" in incoming.socket ? incoming.socket.servername : null;
  const { method, url, headers } = incoming;
  return JSON.stringify({ method, url, headers, body, servername });
}

let connections = 0;
const handler: Parameters<typeof createServer>[1] = (incoming, response) => {
  let body = "";
  incoming.on("data", (chunk) => (body += String(chunk)));
  incoming.on("end", () => {
    if (incoming.url === "/redirect") {
      response.writeHead(302, { location: "/elsewhere" }).end("moved");
    } else if (incoming.url === "/twice") {
      response
        .writeHead(
          200,
          [
            ["x-many", "a"],
            ["x-many", "b"],
          ].flat(),
        )
        .end();
    } else if (incoming.url?.startsWith("/bytes/")) {
      response.end("x".repeat(Number(incoming.url.slice("/bytes/".length))));
    } else if (incoming.url === "/gzip") {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync(Buffer.alloc(100_000)));
    } else if (incoming.url === "/503") {
      response.writeHead(503).end("{}");
    } else {
      response.end(echo(incoming, body));
    }
  });
};
const plain = createServer(handler);
const secure = createSecureServer({ cert, key }, handler);
plain.on("connection", () => (connections += 1));

let http = 0;
let https = 0;
beforeAll(async () => {
  http = await listen(plain);
  https = await listen(secure);
});
afterAll(() => {
  plain.close();
  secure.close();
});

const seen = async (outcome: ReturnType<typeof ask>): Promise<Seen> =>
  JSON.parse(text((await outcome).body)) as Seen;

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

  test("opens a connection of its own every time", async () => {
    const before = connections;
    for (let count = 0; count < 3; count++) await ask(`http://a.test:${http}/`);
    expect(connections - before).toBe(3);
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
    "http://user@a.test/",
    "http://user:s3cret@a.test/",
    "https://:s3cret@a.test/",
    "http://[fe80::1%25eth0]/",
    "http://1.2.3.400/",
  ])("'%s' is refused without being quoted", async (url) => {
    const error = await failureOf(ask(url));
    expect(error.reason).toBe("invalid_url");
    expect(error.message).not.toContain("s3cret");
  });
});

describe("addresses", () => {
  test.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://１２７.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://169.254.169.254/latest/meta-data/",
  ])("literal %s is checked", async (url) => {
    const lookup = () => Promise.reject(new Error("Must not be asked"));
    const error = await failureOf(ask(url, { allowAddress: isPublicAddress, lookup }));
    expect(error.reason).toBe("blocked_address");
  });

  test("are all checked, and one that is blocked refuses the host without being named", async () => {
    const checked: string[] = [];
    const error = await failureOf(
      ask(`http://mixed.test:${http}/`, {
        lookup: async () => ["1.1.1.1", "::ffff:10.9.8.7"],
        allowAddress: (address) => {
          checked.push(address);
          return isPublicAddress(address);
        },
      }),
    );
    expect(error.reason).toBe("blocked_address");
    expect(checked).toEqual(["1.1.1.1", "10.9.8.7"]);
    expect(error.message).not.toContain("10.9.8.7");
  });

  test("with a zone suffix, or that are none, are refused", async () => {
    for (const address of ["fe80::1%eth0", "a.test", ""]) {
      const error = await failureOf(
        ask(`http://a.test:${http}/`, { lookup: async () => [address] }),
      );
      expect(error.reason).toBe("blocked_address");
    }
  });

  test("are resolved once, and the connection goes to the checked one", async () => {
    let asked = 0;
    const lookup = async (hostname: string) => {
      expect(hostname).toBe("rebinding.test");
      asked += 1;
      return asked === 1 ? ["127.0.0.1"] : ["192.0.2.1"];
    };
    expect((await ask(`http://rebinding.test:${http}/`, { lookup })).status).toBe(200);
    expect(asked).toBe(1);
  });

  test("that refuse the connection give way to the next one", async () => {
    const lookup = async () => ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
    expect((await ask(`http://a.test:${http}/`, { lookup })).status).toBe(200);
  });

  test("are tried only so far", async () => {
    const lookup = async () => ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.1"];
    expect(await reasonOf(ask(`http://a.test:${http}/`, { lookup }))).toBe("connect");
  });

  test("embedded in IPv6 are connected to as IPv4", async () => {
    const sent = await seen(ask(`http://[::ffff:127.0.0.1]:${http}/`));
    expect(sent.headers.host).toBe(`[::ffff:7f00:1]:${http}`);
  });

  test("of the system's resolver serve when none is given", async () => {
    const response = await request({
      url: `http://localhost:${http}/`,
      timeoutMs: 5000,
      responseBytesMax: 1000,
      allowAddress: () => true,
    });
    expect(response.status).toBe(200);
  });

  test("that cannot be found are a dns error", async () => {
    const lookup = () => Promise.reject(new Error("ENOTFOUND"));
    expect(await reasonOf(ask("http://a.test/", { lookup }))).toBe("dns");
    expect(await reasonOf(ask("http://a.test/", { lookup: async () => [] }))).toBe("dns");
  });
});

describe("https", () => {
  test("sends the URL's name as server name and Host", async () => {
    const sent = await seen(ask(`https://localhost:${https}/`, { ca: cert }));
    expect(sent).toMatchObject({
      servername: "localhost",
      headers: { host: `localhost:${https}` },
    });
  });

  test("checks a literal address against the certificate's addresses, without server name", async () => {
    const sent = await seen(ask(`https://127.0.0.1:${https}/`, { ca: cert }));
    expect(sent.servername || null).toBeNull();
    const unnamed = createSecureServer({ cert, key }, handler);
    const port = await listen(unnamed, "127.0.0.2");
    expect(await reasonOf(ask(`https://127.0.0.2:${port}/`, { ca: cert }))).toBe("tls");
    unnamed.close();
  });

  test("refuses a certificate for another name, whatever the address", async () => {
    expect(await reasonOf(ask(`https://other.test:${https}/`, { ca: cert }))).toBe("tls");
  });

  test("refuses a certificate it does not trust, also when the environment says otherwise", async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      expect(await reasonOf(ask(`https://localhost:${https}/`))).toBe("tls");
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  test("to a server that speaks plain HTTP is a tls error", async () => {
    expect(await reasonOf(ask(`https://localhost:${http}/`, { ca: cert }))).toBe("tls");
  });
});

describe("failures", () => {
  test("a closed port is a connect error", async () => {
    const server = createRawServer();
    const port = await listen(server);
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    server.close(() => resolve());
    await closed;
    expect(await reasonOf(ask(`http://a.test:${port}/`))).toBe("connect");
  });

  test.each([
    ["cut within its length", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort", "protocol"],
    [
      "cut within a chunk",
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nabc",
      "protocol",
    ],
    [
      "with both length and chunks",
      "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
      "protocol",
    ],
    [
      "that switches protocols",
      "HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n",
      "protocol",
    ],
    ["that is not HTTP", "SSH-2.0-OpenSSH_9.9\r\n", "protocol"],
    ["of nothing", "", "protocol"],
    ["with endless headers", `HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(100_000)}`, "too_large"],
    ["too long, without length", `HTTP/1.1 200 OK\r\n\r\n${"a".repeat(1001)}`, "too_large"],
  ] as const)("an answer %s is an error", async (_, answer, reason) => {
    await using server = await rawServer((socket) => socket.end(answer));
    expect(await reasonOf(ask(server.url))).toBe(reason);
  });

  test("a reset connection is a protocol error", async () => {
    await using server = await rawServer((socket) => socket.resetAndDestroy());
    expect(await reasonOf(ask(server.url))).toBe("protocol");
  });

  test("a request that was sent is not repeated at the next address", async () => {
    let requests = 0;
    await using server = await rawServer((socket) => {
      requests += 1;
      socket.end();
    });
    const lookup = async () => ["127.0.0.1", "127.0.0.1", "::ffff:127.0.0.1"];
    expect(await reasonOf(ask(server.url, { lookup }))).toBe("protocol");
    expect(requests).toBe(1);
  });

  test("messages name neither path nor query", async () => {
    const { message } = await failureOf(ask(`https://localhost:${http}/s3cret?s3cret=1`));
    expect(message).not.toContain("s3cret");
  });
});

describe("the response body", () => {
  test("may be as large as the limit, and not one byte larger", async () => {
    expect((await ask(`http://a.test:${http}/bytes/1000`)).body.length).toBe(1000);
    expect(await reasonOf(ask(`http://a.test:${http}/bytes/1001`))).toBe("too_large");
  });

  test("is not decompressed", async () => {
    const { body } = await ask(`http://a.test:${http}/gzip`);
    expect([...body.subarray(0, 2)]).toEqual([0x1f, 0x8b]);
  });

  test("that never ends is cut off, and its connection closed", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    await using server = await rawServer((socket) => {
      socket.on("close", () => resolve());
      socket.write("HTTP/1.1 200 OK\r\n\r\n");
      const more = () => {
        while (socket.write("x".repeat(500)));
      };
      socket.on("drain", more);
      more();
    });
    expect(await reasonOf(ask(server.url))).toBe("too_large");
    await closed;
  });
});

describe("the deadline", () => {
  const soon = { timeoutMs: 50 };

  test("covers resolution", async () => {
    const lookup = () => new Promise<never>(() => {});
    expect(await reasonOf(ask("http://a.test/", { ...soon, lookup }))).toBe("timeout");
  });

  test("covers the TLS handshake", async () => {
    await using server = await rawServer(() => {});
    expect(await reasonOf(ask(`https://a.test:${server.port}/`, soon))).toBe("timeout");
  });

  test("covers a response that never comes, and closes the connection", async () => {
    const { promise: closed, resolve } = Promise.withResolvers<void>();
    await using server = await rawServer((socket) => socket.on("close", () => resolve()));
    expect(await reasonOf(ask(server.url, soon))).toBe("timeout");
    await closed;
  });

  test("covers a body that trickles", async () => {
    let trickle: Timer | undefined;
    await using server = await rawServer((socket) => {
      socket.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\n");
      trickle = setInterval(() => socket.write("x"), 5);
    });
    expect(await reasonOf(ask(server.url, soon))).toBe("timeout");
    clearInterval(trickle);
  });
});

describe("fetchJson()", () => {
  const askJson = (url: string) => fetchJson({ ...defaults, url });

  test("answers the parsed body and says what it accepts", async () => {
    expect(await askJson(`http://a.test:${http}/json`)).toMatchObject({
      method: "GET",
      headers: { accept: "application/json" },
    });
  });

  test("takes status 200 and JSON only, and quotes neither", async () => {
    for (const path of ["503", "redirect", "bytes/10"]) {
      const error = await failureOf(askJson(`http://a.test:${http}/${path}`));
      expect(error.reason).toBe("protocol");
      expect(error.message).not.toContain("xxx");
    }
  });
});
