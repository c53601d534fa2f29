/** The servers' listener: what a request is taken for, and how bodies are read, refused and left. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { exchange } from "../../test/support/hostile.ts";
import { BODIES_BYTES_MAX, createApiListener, type ApiListenerOptions } from "./api-listener.ts";
import { createMounts } from "./mounts.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

type Fetch = ApiListenerOptions["fetch"];

async function listen(fetch: Fetch, options: Partial<ApiListenerOptions> = {}) {
  const bugs: unknown[] = [];
  const listener = await createApiListener({
    ...{ hostname: "127.0.0.1", port: 0, keepAliveTimeoutMs: 75_000, fetch },
    findMount: createMounts([{ app: "blue", hosts: [], pathPrefix: "/blue" }], {
      ...{ app: undefined, exclusive: false },
    }),
    onBug: (error) => bugs.push(error),
    ...options,
  });
  cleanups.push(() => {
    listener.cut();
    void listener.close();
  });
  return { listener, bugs };
}

/** Answers with what it read, or why it did not. */
const echo =
  (bytesMax: number): Fetch =>
  async (_, { readBody }) => {
    const body = await readBody(bytesMax);
    return new Response(typeof body === "string" ? `refused: ${body}` : body);
  };

/** A connection of a caller that sends when told to. */
function caller(url: string) {
  const socket = connectTcp({ port: Number(new URL(url).port), host: "127.0.0.1" });
  cleanups.push(() => socket.destroy());
  let received = "";
  const waiting: (() => void)[] = [];
  const wake = () => waiting.splice(0).forEach((go) => go());
  socket.on("data", (chunk: Buffer) => {
    received += chunk.toString("latin1");
    wake();
  });
  let ended = false;
  const failed: string[] = [];
  socket.on("error", (error: NodeJS.ErrnoException) => failed.push(error.code ?? ""));
  socket.on("close", () => {
    ended = true;
    wake();
  });
  return {
    failed,
    write: (text: string | Uint8Array) => socket.write(text),
    end: () => socket.end(),
    async until(text: string): Promise<string> {
      while (!received.includes(text) && !ended) {
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
      return received;
    },
    async gone(): Promise<string> {
      while (!ended) await new Promise<void>((resolve) => waiting.push(resolve));
      return received;
    },
  };
}

const ask = (line: string, ...headers: string[]) =>
  [line, ...headers, "Connection: close", "", ""].join("\r\n");

describe("the request line", () => {
  const where: Fetch = ({ url }, { mount }) => new Response(`${url} ${mount.app}`);

  test.each([
    ["GET /a?b=c HTTP/1.1", "http://localhost/a?b=c undefined"],
    ["GET //evil.example/a HTTP/1.1", "http://localhost//evil.example/a undefined"],
    ["GET http://evil.example/a?b HTTP/1.1", "http://localhost/a?b undefined"],
    ["GET /blue/a?b HTTP/1.1", "http://localhost/a?b blue"],
    ["GET /a/../blue/a HTTP/1.1", "http://localhost/a blue"],
    ["GET /bluebell HTTP/1.1", "http://localhost/bluebell undefined"],
  ])("%s says where", async (line, answer) => {
    const { listener } = await listen(where);
    expect(await exchange(listener.url, ask(line, "Host: x"))).toEndWith(`\r\n\r\n${answer}`);
  });

  test.each([
    [["Host: x/metrics?"]],
    [["Host: x", "Host: x"]],
    [["Host: x", "host: y"]],
    [["Host: x#"]],
    [["Host: a@b"]],
    [["Host: a\\b"]],
    [["Host:"]],
  ])("%p is 400", async (headers) => {
    const { listener } = await listen(where);
    const answer = await exchange(listener.url, ask("GET /health HTTP/1.1", ...headers));
    expect(answer).toStartWith("HTTP/1.1 400 ");
  });

  test("HTTP/1.0 needs no host", async () => {
    const { listener } = await listen(where);
    expect(await exchange(listener.url, "GET /health HTTP/1.0\r\n\r\n")).toContain(" 200 ");
  });
});

describe("a body", () => {
  test("up to its handler's bound is read, also of a GET and in chunks; one byte more is not", async () => {
    const { listener } = await listen(echo(5));
    const answers = async (head: string, rest: string) =>
      (
        await exchange(
          listener.url,
          ask(head, "Host: x", ...rest.split("|").slice(0, 1)) + rest.split("|")[1],
        )
      ).split("\r\n\r\n")[1];
    expect(await answers("GET / HTTP/1.1", "Content-Length: 5|12345")).toBe("12345");
    expect(await answers("POST / HTTP/1.1", "Content-Length: 5|12345")).toBe("12345");
    expect(await answers("POST / HTTP/1.1", "Content-Length: 6|123456")).toBe("refused: too_large");
    const chunked = "Transfer-Encoding: chunked";
    expect(await answers("POST / HTTP/1.1", `${chunked}|2\r\n12\r\n3\r\n345\r\n0\r\n\r\n`)).toBe(
      "12345",
    );
    expect(await answers("POST / HTTP/1.1", `${chunked}|2\r\n12\r\n4\r\n3456\r\n0\r\n\r\n`)).toBe(
      "refused: too_large",
    );
    expect(await answers("POST / HTTP/1.1", "X: y|")).toBe("");
  });

  test("is the same when it is asked for again, with a larger bound as well", async () => {
    const { listener } = await listen(async (_, { readBody }) => {
      const answers = [
        await readBody(3),
        await readBody(10),
        await readBody(10),
        await readBody(4),
      ];
      return Response.json(
        answers.map((body) => (typeof body === "string" ? body : Buffer.from(body).toString())),
      );
    });
    const body = "3\r\n123\r\n2\r\n45\r\n0\r\n\r\n";
    const sent = ask("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") + body;
    const expected = '["too_large","12345","12345","too_large"]';
    expect(await exchange(listener.url, sent)).toEndWith(expected);
  });

  test.each(["gzip", "br", "GZIP", "identity, gzip"])("in %s is not read", async (coding) => {
    const { listener } = await listen(echo(10));
    const head = ["Host: x", "Content-Length: 3", `Content-Encoding: ${coding}`];
    const answer = await exchange(listener.url, `${ask("POST / HTTP/1.1", ...head)}123`);
    expect(answer).toEndWith("refused: compressed");
  });

  test("that is cut off is 400 and no bug", async () => {
    const { listener, bugs } = await listen(echo(100));
    const sent = `${ask("POST / HTTP/1.1", "Host: x", "Content-Length: 9")}123`;
    expect(await exchange(listener.url, sent, { end: true })).toStartWith("HTTP/1.1 400 ");
    expect(bugs).toEqual([]);
  });

  test("that nobody asks for is not waited for, and the connection ends behind the answer", async () => {
    const { listener } = await listen(() => new Response("who?", { status: 401 }));
    const client = caller(listener.url);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n1");
    const answer = await client.until("who?");
    expect(answer).toStartWith("HTTP/1.1 401 ");
    expect(answer.toLowerCase()).toContain("connection: close");
    client.end();
    await client.gone();
  });

  test("that is refused while it is sent does not cost its sender the answer", async () => {
    const { listener } = await listen(echo(1_000));
    const client = caller(listener.url);
    const bytes = 30_000_000;
    client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
    // Many times what the kernel holds for a listener that does not read.
    client.write(Buffer.alloc(bytes));
    expect(await client.gone()).toEndWith("refused: too_large");
    expect(client.failed).toEqual([]);
  });

  test("that is not sent to its end holds up no listener that closes", async () => {
    const { listener } = await listen(echo(1_000));
    const client = caller(listener.url);
    client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n1");
    await client.until("refused: too_large");
    await listener.close();
    await client.gone();
  });

  test("of little that was not read is dropped, and the connection goes on", async () => {
    const { listener } = await listen(() => new Response("who?", { status: 401 }));
    const client = caller(listener.url);
    const call = (end: string) =>
      `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n${end}\r\nGET / x`;
    client.write(call(""));
    await client.until("who?");
    client.write(call("Connection: close\r\n"));
    expect((await client.gone()).split("HTTP/1.1 ")).toHaveLength(3);
  });

  test("whose sender asks first is sent for when it is read, and never when it is refused", async () => {
    const { listener } = await listen(echo(5));
    const expecting = (bytes: number) =>
      ask("POST / HTTP/1.1", "Host: x", "Expect: 100-continue", `Content-Length: ${bytes}`);
    const taken = caller(listener.url);
    taken.write(expecting(5));
    await taken.until("100 Continue");
    taken.write("12345");
    expect(await taken.gone()).toEndWith("12345");
    const refused = caller(listener.url);
    refused.write(expecting(99_999));
    const answer = await refused.until("refused: too_large");
    expect(answer).toStartWith("HTTP/1.1 200 ");
    refused.end();
  });

  test("beyond what all may hold is refused until others are answered", async () => {
    const held = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { listener } = await listen(async (request, { readBody }) => {
      const body = await readBody(BODIES_BYTES_MAX);
      if (!request.url.endsWith("/hold"))
        return new Response(String(typeof body === "string" ? body : body.length));
      reached.resolve();
      await held.promise;
      return new Response("held");
    });
    const post = (path: string, bytes: number) =>
      fetch(listener.url + path, { method: "POST", body: new Uint8Array(bytes) });
    const holding = post("/hold", BODIES_BYTES_MAX - 10);
    await reached.promise;
    expect(await (await post("/", 10)).text()).toBe("10");
    expect(await (await post("/", 11)).text()).toBe("busy");
    held.resolve();
    await holding;
    expect(await (await post("/", 11)).text()).toBe("11");
  });
});

test("an idle connection is kept for as long as the options say, and callers are told", async () => {
  const { listener } = await listen(() => new Response("x"), { keepAliveTimeoutMs: 75_000 });
  expect((await fetch(listener.url)).headers.get("keep-alive")).toBe("timeout=75");
  const { listener: short } = await listen(() => new Response("x"), { keepAliveTimeoutMs: 1_000 });
  const client = caller(short.url);
  client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  // By the server, within a second or two.
  expect(await client.gone()).toStartWith("HTTP/1.1 200 ");
});
