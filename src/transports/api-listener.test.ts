/** The servers' listener on either of its servers: what a request is taken for, how bodies are read, refused and left, and how it ends. */
import { afterEach, describe, expect, test } from "bun:test";
import { connect as connectTcp } from "node:net";
import { exchange } from "../../test/support/hostile.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import type { AnswerCall, ApiAnswer } from "./api-call.ts";
import {
  BODIES_BYTES_MAX,
  REQUEST_TIMEOUT_MS,
  TIMEOUT_CHECK_MS,
  type ApiListenerOptions,
} from "./api-listener.ts";
import { WHOLE_BYTES_MAX } from "./bun-api-call.ts";
import { createApiListener } from "./create-api-listener.ts";
import { createMounts } from "./mounts.ts";

const cleanups: (() => void)[] = [];
afterEach(() => {
  for (const cleanup of cleanups.splice(0)) cleanup();
});

const text = (body: string | Uint8Array, status = 200): ApiAnswer => ({
  ...{ status, headers: { "Content-Type": "text/plain" }, body },
});

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

describe.each([true, false])("on node:http: %p", (onNode) => {
  async function listen(answer: AnswerCall, options: Partial<ApiListenerOptions> = {}) {
    const bugs: unknown[] = [];
    const runtime = createTestRuntime();
    const listener = await createApiListener({
      ...{ hostname: "127.0.0.1", port: 0, shared: false, readsGetBodies: onNode, answer },
      ...{ keepAliveTimeoutMs: 75_000, timers: runtime.timers },
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
    return { listener, bugs, runtime };
  }

  /** Answers with what it read, or why it did not. */
  const echo =
    (bytesMax: number): AnswerCall =>
    async (call) => {
      const body = await call.readBody(bytesMax);
      return text(typeof body === "string" ? `refused: ${body}` : body);
    };

  describe("the request line", () => {
    const where: AnswerCall = ({ url, mount }) => text(`${url} ${mount.app}`);

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

    test.each([
      ["no host", "GET / HTTP/1.1\r\n\r\n", 400],
      ["a negative length", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: -5\r\n\r\n", 400],
      [
        "a length beside chunks",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        400,
      ],
      [
        "two lengths",
        "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
        400,
      ],
      ["bytes that are no request", "\x16\x03\x01\x00\xa1\x01\x00\x00", 400],
      ["headers of 100 KB", `GET / HTTP/1.1\r\nHost: x\r\nX: ${"a".repeat(100_000)}\r\n\r\n`, 431],
    ])("%s is refused, and nobody asked", async (_, sent, status) => {
      const asked: string[] = [];
      const { listener } = await listen(({ path }) => {
        asked.push(path);
        return text("");
      });
      expect(await exchange(listener.url, sent)).toStartWith(`HTTP/1.1 ${status} `);
      expect(asked).toEqual([]);
    });

    test("a request inside a body is no request", async () => {
      const inner = "GET /inner HTTP/1.1\r\nHost: x\r\n\r\n";
      const asked: string[] = [];
      const { listener } = await listen(({ path }) => {
        asked.push(path);
        return text("x");
      });
      // Neither of a call whose body nobody reads, nor of a GET.
      const call = (method: string) =>
        `${method} /${method} HTTP/1.1\r\nHost: x\r\nContent-Length: ${inner.length}\r\n`;
      const client = caller(listener.url);
      client.write(`${call("POST")}\r\n${inner}`);
      await client.until("\r\n\r\nx");
      client.write(`${call("GET")}Connection: close\r\n\r\n${inner}`);
      await client.gone();
      expect(asked).toEqual(["/POST", "/GET"]);
    });

    test("HTTP/1.0 needs no host", async () => {
      const { listener } = await listen(where);
      expect(await exchange(listener.url, "GET /health HTTP/1.0\r\n\r\n")).toContain(" 200 ");
    });
  });

  describe("a body", () => {
    test("up to its handler's bound is read, also in chunks; one byte more is not", async () => {
      const { listener } = await listen(echo(5));
      const answers = async (head: string, rest: string) =>
        (
          await exchange(
            listener.url,
            ask(head, "Host: x", ...rest.split("|").slice(0, 1)) + rest.split("|")[1],
          )
        ).split("\r\n\r\n")[1];
      // Bun's own server drops the body of a GET: it is for dialects that have none.
      expect(await answers("GET / HTTP/1.1", "Content-Length: 5|12345")).toBe(
        onNode ? "12345" : "",
      );
      expect(await answers("POST / HTTP/1.1", "Content-Length: 5|12345")).toBe("12345");
      expect(await answers("POST / HTTP/1.1", "Content-Length: 6|123456")).toBe(
        "refused: too_large",
      );
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
      const { listener } = await listen(async (call) => {
        const answers = [
          await call.readBody(3),
          await call.readBody(10),
          await call.readBody(10),
          await call.readBody(4),
        ];
        const texts = answers.map((body) => Buffer.from(body).toString());
        return text(JSON.stringify(texts));
      });
      const body = "3\r\n123\r\n2\r\n45\r\n0\r\n\r\n";
      const sent = ask("POST / HTTP/1.1", "Host: x", "Transfer-Encoding: chunked") + body;
      const expected = '["too_large","12345","12345","too_large"]';
      expect(await exchange(listener.url, sent)).toEndWith(expected);
    });

    test.each([WHOLE_BYTES_MAX, WHOLE_BYTES_MAX + 1, 5 * WHOLE_BYTES_MAX + 7])(
      "of %d bytes arrives whole and in order, and others are answered meanwhile",
      async (bytes) => {
        const { listener } = await listen(echo(bytes));
        const body = Buffer.from(Array.from({ length: 251 }, (_, index) => index));
        const sent = Buffer.alloc(bytes, body);
        const answer = fetch(listener.url, { method: "POST", body: sent });
        const other = await fetch(listener.url, { method: "POST", body: "x" });
        expect(await other.text()).toBe("x");
        expect(sent.equals(await (await answer).bytes())).toBe(true);
      },
    );

    test("of many bytes whose sender leaves is no bug", async () => {
      const { listener, bugs } = await listen(echo(2 * WHOLE_BYTES_MAX));
      const client = caller(listener.url);
      const length = `Content-Length: ${2 * WHOLE_BYTES_MAX}`;
      client.write(`${ask("POST / HTTP/1.1", "Host: x", length)}123`);
      client.end();
      await client.gone();
      const other = await fetch(listener.url, { method: "POST", body: "x" });
      expect(await other.text()).toBe("x");
      expect(bugs).toEqual([]);
    });

    test.each(["gzip", "br", "GZIP", "identity, gzip"])("in %s is not read", async (coding) => {
      const { listener } = await listen(echo(10));
      const head = ["Host: x", "Content-Length: 3", `Content-Encoding: ${coding}`];
      const answer = await exchange(listener.url, `${ask("POST / HTTP/1.1", ...head)}123`);
      expect(answer).toEndWith("refused: compressed");
    });

    // Bun drops the connection of a caller that half closes it.
    test.skipIf(!onNode)("that is cut off is 400 and no bug", async () => {
      const { listener, bugs } = await listen(echo(100));
      const sent = `${ask("POST / HTTP/1.1", "Host: x", "Content-Length: 9")}123`;
      expect(await exchange(listener.url, sent, { end: true })).toStartWith("HTTP/1.1 400 ");
      expect(bugs).toEqual([]);
    });

    // Bun reads on and drops it, so that the connection can go on.
    test.skipIf(!onNode)(
      "that nobody asks for is not waited for, and the connection ends behind the answer",
      async () => {
        const { listener } = await listen(() => text("who?", 401));
        const client = caller(listener.url);
        client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n1");
        const answer = await client.until("who?");
        expect(answer).toStartWith("HTTP/1.1 401 ");
        expect(answer.toLowerCase()).toContain("connection: close");
        client.end();
        await client.gone();
      },
    );

    test("that is refused while it is sent does not cost its sender the answer", async () => {
      const { listener } = await listen(echo(1_000));
      const client = caller(listener.url);
      const bytes = 30_000_000;
      client.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${bytes}\r\n\r\n`);
      // Many times what the kernel holds for a listener that does not read.
      client.write(Buffer.alloc(bytes));
      expect(await client.until("refused: too_large")).toEndWith("refused: too_large");
      if (onNode) await client.gone();
      else {
        client.write(ask("GET / HTTP/1.1", "Host: x"));
        expect((await client.gone()).split("HTTP/1.1 ")).toHaveLength(3);
      }
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
      const { listener } = await listen(() => text("who?", 401));
      const client = caller(listener.url);
      const call = (end: string) =>
        `POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 7\r\n${end}\r\nGET / x`;
      client.write(call(""));
      await client.until("who?");
      client.write(call("Connection: close\r\n"));
      expect((await client.gone()).split("HTTP/1.1 ")).toHaveLength(3);
    });

    // Bun sends for every body at once.
    test.skipIf(!onNode)(
      "whose sender asks first is sent for when it is read, and never when it is refused",
      async () => {
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
      },
    );

    test("beyond what all may hold is refused until others are answered", async () => {
      const held = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const { listener } = await listen(async (call) => {
        const body = await call.readBody(BODIES_BYTES_MAX);
        if (call.path !== "/hold") return text(typeof body === "string" ? body : `${body.length}`);
        reached.resolve();
        await held.promise;
        return text("held");
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

  describe("the end", () => {
    test("is told with every answer once connections are to end, and each ends behind its own", async () => {
      const { listener } = await listen(echo(5));
      const client = caller(listener.url);
      client.write("GET /1 HTTP/1.1\r\nHost: x\r\n\r\n");
      expect((await client.until("\r\n\r\n")).toLowerCase()).not.toContain("connection: close");
      listener.endConnections();
      client.write("GET /2 HTTP/1.1\r\nHost: x\r\n\r\n");
      expect((await client.gone()).toLowerCase()).toContain("connection: close");
      expect(await exchange(listener.url, ask("GET /3 HTTP/1.1", "Host: x"))).toContain(" 200 ");
    });

    test("waits for the answers under way, and takes nothing new", async () => {
      const held = Promise.withResolvers<void>();
      const reached = Promise.withResolvers<void>();
      const { listener } = await listen(async () => {
        reached.resolve();
        await held.promise;
        return text("done");
      });
      const client = caller(listener.url);
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await reached.promise;
      const closed = listener.close();
      held.resolve();
      expect((await client.gone()).toLowerCase()).toContain("connection: close");
      await closed;
      expect(await exchange(listener.url, ask("GET / HTTP/1.1", "Host: x"))).toBe("");
    });

    test("is cut where an answer never comes", async () => {
      const reached = Promise.withResolvers<void>();
      const { listener } = await listen(() => {
        reached.resolve();
        return new Promise(() => {});
      });
      const client = caller(listener.url);
      client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
      await reached.promise;
      const closed = listener.close();
      listener.cut();
      expect(await client.gone()).toBe("");
      await closed;
    });
  });

  test("a call tells when its caller left, and a bug is its own call's alone", async () => {
    const left = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const { listener, bugs } = await listen((call) => {
      if (call.path === "/throws") throw new Error("thrown");
      if (call.path === "/rejects") return Promise.reject(new Error("rejected"));
      call.onLeave(() => left.resolve());
      reached.resolve();
      return new Promise(() => {});
    });
    for (const path of ["/throws", "/rejects"]) {
      expect((await fetch(listener.url + path)).status).toBe(500);
    }
    expect(bugs.map(String)).toEqual(["Error: thrown", "Error: rejected"]);
    const client = caller(listener.url);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    await reached.promise;
    client.end();
    await left.promise;
  });

  test("HEAD has no body, nor has 204 a length", async () => {
    const { listener } = await listen(({ path }) =>
      text(path === "/204" ? "" : "text", path === "/204" ? 204 : 200),
    );
    const head = await exchange(listener.url, ask("HEAD / HTTP/1.1", "Host: x"));
    expect(head).toEndWith("\r\n\r\n");
    const none = await exchange(listener.url, ask("GET /204 HTTP/1.1", "Host: x"));
    expect(none).toStartWith("HTTP/1.1 204 ");
    expect(none.toLowerCase()).not.toContain("content-length");
  });

  test("headers of one name are one list, and a router's request is like the call", async () => {
    const { listener } = await listen((call) => {
      const request = call.toRequest();
      const own = [call.method, call.url, call.headers.get("X-A"), call.headers.get("x-b")];
      expect([request.method, request.url, request.headers.get("x-a"), null]).toEqual(own);
      return text(String(call.headers.get("x-a")));
    });
    const sent = ask("POST /a%20b?c=%20 HTTP/1.1", "Host: x", "X-A: 1", "x-a: 2");
    expect(await exchange(listener.url, sent)).toEndWith("1, 2");
  });

  // `node:http` has a time-out of its own for whole requests, which no test's clock moves.
  test.skipIf(onNode)(
    "a body that does not arrive in time is cut, however it trickles",
    async () => {
      const { listener, runtime } = await listen(echo(100));
      const client = caller(listener.url);
      client.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1");
      while (runtime.pendingTimers === 0) await new Promise((resolve) => setImmediate(resolve));
      for (let ms = 0; ms <= REQUEST_TIMEOUT_MS; ms += TIMEOUT_CHECK_MS) {
        client.write("2");
        await runtime.advance(TIMEOUT_CHECK_MS);
      }
      expect((await client.gone()).toLowerCase()).toContain("connection: close");
    },
  );

  test("an idle connection is kept for as long as the options say, and callers are told", async () => {
    const { listener } = await listen(() => text("x"), { keepAliveTimeoutMs: 75_000 });
    expect((await fetch(listener.url)).headers.get("keep-alive")).toBe("timeout=75");
    const { listener: short } = await listen(() => text("x"), { keepAliveTimeoutMs: 1_000 });
    const client = caller(short.url);
    client.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    // By the server, within a second or two.
    expect(await client.gone()).toStartWith("HTTP/1.1 200 ");
  });
});
