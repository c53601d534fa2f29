/** Receivers that do everything but answer well: each is a failure with its name, and none costs more than its time or memory. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { RECEIVER_CERT, startReceiver, status } from "../support/webhook-receiver.ts";
import { HubError } from "../../src/core/errors.ts";
import { WEBHOOK_LIMITS } from "../../src/webhooks/contract.ts";
import { bootWebhooks, DAY_MS, type WebhooksUnderTest } from "../support/webhooks.ts";

/** Answers each connection as `answer` says, once its request began to arrive. */
async function rawReceiver(answer: (socket: Socket, count: number) => void) {
  const sockets = new Set<Socket>();
  let count = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.once("data", () => answer(socket, (count += 1)));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

async function firstAttempt(under: WebhooksUnderTest, url: string) {
  await under.endpoint({ url });
  await under.accept();
  return under.attempted(1);
}

/** From one message to the next, by the rate of an endpoint that names none. */
const RATE_MS = 1000 / WEBHOOK_LIMITS.rateLimitDefault;
const GOOD = "HTTP/1.1 204 No Content\r\n\r\n";

test.each([
  ["reset", (socket: Socket) => void socket.resetAndDestroy()],
  ["closed without an answer", (socket: Socket) => void socket.end()],
  ["cut within the head", (socket: Socket) => void socket.end("HTTP/1.1 200 O")],
  [
    "cut within the body",
    (socket: Socket) => void socket.end("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nshort"),
  ],
  ["of another protocol", (socket: Socket) => void socket.end("SSH-2.0-OpenSSH_9.9\r\n")],
])("a connection %s is a failure, and the retry arrives", async (_, misbehave) => {
  await using receiver = await rawReceiver((socket, count) => {
    if (count === 1) misbehave(socket);
    else socket.end(GOOD);
  });
  await using under = await bootWebhooks();
  const attempt = await firstAttempt(under, receiver.url);
  expect(attempt).toMatchObject({ status: "failed", error: "connect", responseStatus: null });
  await under.advanceTo(attempt.nextAttemptAtMs ?? 0);
  expect((await under.attempted(2)).status).toBe("succeeded");
});

test("a closed port is a connect failure", async () => {
  const receiver = await startReceiver();
  await receiver[Symbol.asyncDispose]();
  await using under = await bootWebhooks();
  expect(await firstAttempt(under, receiver.url)).toMatchObject({ error: "connect" });
});

test("a name that cannot be resolved any more is a dns failure", async () => {
  let known = true;
  await using under = await bootWebhooks({
    policy: {
      lookup: async () => {
        if (!known) throw new Error("ENOTFOUND");
        return ["127.0.0.1"];
      },
    },
  });
  await under.endpoint({ url: "http://hooks.example.org:8000/" });
  known = false;
  await under.accept();
  expect(await under.attempted(1)).toMatchObject({ error: "dns", responseStatus: null });
});

test("a certificate that nobody trusts is a tls failure; a trusted one is good", async () => {
  await using receiver = await startReceiver({ tls: true });
  const url = `https://localhost:${receiver.port}/in`;
  const lookup = async () => ["127.0.0.1"];
  {
    await using under = await bootWebhooks({ policy: { lookup } });
    expect(await firstAttempt(under, url)).toMatchObject({ status: "failed", error: "tls" });
    expect(receiver.received).toHaveLength(0);
  }
  await using under = await bootWebhooks({ policy: { lookup }, ca: RECEIVER_CERT });
  expect((await firstAttempt(under, url)).status).toBe("succeeded");
});

describe("what fails before a byte is sent is an attempt, and an ordered endpoint goes on behind it:", () => {
  test("a header that cannot be sent", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const endpoint = { url: receiver.url, ordered: true, retryScheduleS: [1] };
    const { id } = await under.endpoint({ ...endpoint, headers: { Trailer: "X-A" } });
    await under.accept();
    await under.accept();
    const first = await under.attempted(1);
    expect(first).toMatchObject({ status: "failed", error: "connect", number: 1 });
    await under.advanceTo(first.nextAttemptAtMs ?? 0);
    expect(await under.attempted(2)).toMatchObject({ messageId: first.messageId, number: 2 });
    await under.runtime.advance(RATE_MS);
    const behind = await under.attempted(3);
    expect(behind).toMatchObject({ status: "failed", number: 1 });
    expect(behind.messageId).not.toBe(first.messageId);
    const page = { limit: 10 };
    expect((await under.webhooks.messages.attemptsOf(under.owner, id, {}, page)).data).toHaveLength(
      3,
    );
    expect(receiver.received).toHaveLength(0);
  });

  test("secrets that were sealed under a key which is gone", async () => {
    await using receiver = await startReceiver();
    const dataDir = mkdtempSync(join(tmpdir(), "carillon-webhooks-"));
    using _ = { [Symbol.dispose]: () => rmSync(dataDir, { recursive: true }) };
    {
      await using under = await bootWebhooks({ dataDir });
      await under.endpoint({ url: receiver.url, ordered: true, retryScheduleS: [] });
    }
    // Another key is made with each start.
    await using under = await bootWebhooks({ dataDir });
    const ids = [await under.accept(), await under.accept()];
    await under.attempted(1);
    await under.runtime.advance(RATE_MS);
    await under.attempted(2);
    expect(under.attempts.map(({ messageId, status: state }) => [messageId, state])).toEqual(
      ids.map((id) => [id, "failed"]),
    );
    expect(under.errors.splice(0).map(String)).toEqual(
      Array(2).fill(expect.stringContaining("unable to authenticate")),
    );
  });
});

test("no answer within 15 seconds is a timeout", async () => {
  await using receiver = await startReceiver({ answer: () => {} });
  await using under = await bootWebhooks();
  await under.endpoint({ url: receiver.url });
  await under.accept();
  await receiver.reached(1);
  await under.runtime.advance(14_999);
  expect(under.attempts).toHaveLength(0);
  await under.runtime.advance(1);
  const attempt = await under.attempted(1);
  expect(attempt).toMatchObject({ error: "timeout", durationMs: 15_000, responseStatus: null });
  expect((attempt.nextAttemptAtMs ?? 0) - attempt.atMs).toBeGreaterThanOrEqual(75_000);
});

test("a connection that is not made within 5 seconds fails", async () => {
  // The server speaks no TLS, and nothing else either.
  await using receiver = await rawReceiver(() => {});
  await using under = await bootWebhooks();
  await under.endpoint({ url: `https://127.0.0.1:${receiver.port}/` });
  const { promise: connected, resolve } = Promise.withResolvers<void>();
  await using second = await rawReceiver(() => resolve());
  await under.endpoint({ url: `https://127.0.0.1:${second.port}/` });
  await under.accept();
  await connected;
  await under.runtime.advance(5_000);
  expect(await under.attempted(1)).toMatchObject({ error: "timeout", durationMs: 5_000 });
  await under.attempted(2);
});

test("a body that trickles is cut at 15 seconds", async () => {
  const sockets: Socket[] = [];
  await using receiver = await rawReceiver((socket) => {
    sockets.push(socket);
    socket.write("HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nx");
  });
  await using under = await bootWebhooks();
  await under.endpoint({ url: receiver.url });
  await under.accept();
  while (sockets.length === 0) await under.runtime.settle();
  const { promise: closed, resolve } = Promise.withResolvers<void>();
  sockets[0]?.on("close", () => resolve());
  for (let second = 0; second < 15; second += 1) {
    sockets[0]?.write("x");
    expect(under.attempts).toHaveLength(0);
    await under.runtime.advance(1_000);
  }
  expect((await under.attempted(1)).error).toBe("timeout");
  await closed;
});

test("a 10 MB answer is read no further than 64 KiB, and its start is kept", async () => {
  const bytes = 10_000_000;
  let written = 0;
  const answer = (code: number) => (socket: Socket) => {
    socket.write(`HTTP/1.1 ${code} X\r\ncontent-length: ${bytes}\r\n\r\n`);
    const chunk = "é".repeat(8_192);
    const more = () => {
      while (written < bytes && !socket.destroyed) {
        written += chunk.length * 2;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on("drain", more);
    more();
  };
  for (const [code, state, error] of [
    [200, "succeeded", null],
    [500, "failed", "response_too_large"],
  ] as const) {
    written = 0;
    await using receiver = await rawReceiver(answer(code));
    await using under = await bootWebhooks();
    const attempt = await firstAttempt(under, receiver.url);
    expect(attempt).toMatchObject({
      ...{ status: state, error, responseStatus: code, responseTruncated: true },
      responseBody: "é".repeat(10_000),
    });
    // What the kernel took in besides; the rest was never sent.
    expect(written).toBeLessThan(bytes);
  }
});

test("endless headers are response_too_large", async () => {
  await using receiver = await rawReceiver((socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nx-a: ${"a".repeat(200_000)}`);
  });
  await using under = await bootWebhooks();
  expect(await firstAttempt(under, receiver.url)).toMatchObject({ error: "response_too_large" });
});

test.each([
  [20_000, false],
  [20_001, true],
])("of an answer of %d bytes the first 20,000 are kept (truncated: %p)", async (bytes, cut) => {
  await using receiver = await startReceiver({ answer: status(200, {}, "x".repeat(bytes)) });
  await using under = await bootWebhooks();
  const attempt = await firstAttempt(under, receiver.url);
  expect(attempt.responseBody).toHaveLength(20_000);
  expect(attempt.responseTruncated).toBe(cut);
  const { data } = await under.webhooks.messages.attempts(under.owner, attempt.messageId, {
    limit: 1,
  });
  expect(data[0]?.responseBody).toHaveLength(20_000);
});

test("a dead endpoint costs its ten requests, and no other waits for it", async () => {
  await using dead = await startReceiver({ answer: () => {} });
  await using alive = await startReceiver();
  await using under = await bootWebhooks();
  await under.endpoint({ url: dead.url, rateLimit: 1000, eventTypes: ["order.paid"] });
  await under.endpoint({ url: alive.url, rateLimit: 1000, eventTypes: ["order.paid"] });
  await Promise.all(Array.from({ length: 50 }, () => under.accept()));
  for (let ms = 0; ms < 100 && alive.received.length < 50; ms += 1) {
    await under.runtime.advance(1);
    for (let turn = 0; turn < 50; turn += 1) await under.runtime.settle();
  }
  await under.attempted(50);
  expect(alive.received).toHaveLength(50);
  expect(dead.received.length).toBeLessThanOrEqual(10);
  expect(under.runtime.clock.monotonicMs()).toBeLessThan(1_000);
});

test("a crowd of dead endpoints that takes half of all requests leaves room for the others", async () => {
  await using dead = await startReceiver({ answer: () => {} });
  await using alive = await startReceiver();
  await using under = await bootWebhooks({ settings: { requestsMax: 40 } });
  for (let index = 0; index < 20; index += 1) {
    await under.endpoint({ url: dead.url, rateLimit: 1000, eventTypes: ["order.dead"] });
  }
  await under.endpoint({ url: alive.url, rateLimit: 1000, eventTypes: ["order.alive"] });
  await Promise.all(Array.from({ length: 15 }, () => under.accept({ eventType: "order.dead" })));
  await under.runtime.advance(100);
  await dead.reached(20);
  await under.runtime.advance(1_000);
  expect(under.webhooks.stats().inFlight).toBeLessThan(40);
  await Promise.all(Array.from({ length: 20 }, () => under.accept({ eventType: "order.alive" })));
  for (let count = 1; count <= 20; count += 1) {
    while (under.attempts.length < count) {
      await under.runtime.advance(1);
      for (let turn = 0; turn < 20; turn += 1) await under.runtime.settle();
    }
  }
  expect(alive.received).toHaveLength(20);
  expect(under.runtime.clock.monotonicMs()).toBeLessThan(5_000);
  await under.runtime.advance(15_000);
});

test("an engine that is away refuses what is accepted, and deliveries go on once it is back", async () => {
  let away = false;
  const refuse = () => Promise.reject(new HubError("unavailable", "The engine is away"));
  await using receiver = await startReceiver({ answer: status(500) });
  await using under = await bootWebhooks({
    wrap: (engine) => ({
      ...engine,
      records: {
        get: (...args) => (away ? refuse() : engine.records.get(...args)),
        put: (...args) => (away ? refuse() : engine.records.put(...args)),
        delete: (...args) => (away ? refuse() : engine.records.delete(...args)),
        change: (...args) => (away ? refuse() : engine.records.change(...args)),
        list: (...args) => (away ? refuse() : engine.records.list(...args)),
      },
    }),
  });
  await under.endpoint({ url: receiver.url });
  const id = await under.accept();
  const { nextAttemptAtMs } = await under.attempted(1);
  away = true;
  const refused: unknown = await under.accept().catch((error: unknown) => error);
  expect(refused instanceof HubError ? refused.code : refused).toBe("unavailable");
  await under.advanceTo((nextAttemptAtMs ?? 0) + 10_000);
  expect(receiver.received).toHaveLength(1);
  expect(under.errors.length).toBeGreaterThan(0);
  // Looked after every second, not in a loop.
  expect(under.errors.length).toBeLessThan(30);
  away = false;
  receiver.answer = status(200);
  await under.runtime.advance(61_000);
  expect(await under.attempted(2)).toMatchObject({ messageId: id, status: "succeeded" });
  under.errors.length = 0;
});

test("a request whose outcome cannot be written is made again when its lease ends", async () => {
  let away = false;
  await using receiver = await startReceiver();
  await using under = await bootWebhooks({
    wrap: (engine) => ({
      ...engine,
      records: {
        ...engine.records,
        put: (...args) =>
          away
            ? Promise.reject(new HubError("unavailable", "The disk is full"))
            : engine.records.put(...args),
      },
    }),
  });
  await under.endpoint({ url: receiver.url });
  receiver.answer = (response) => {
    away = true;
    response.writeHead(204).end();
  };
  const id = await under.accept();
  await receiver.reached(1);
  while (under.errors.length === 0) await under.runtime.settle();
  away = false;
  receiver.answer = status(204);
  await under.runtime.advance(60_000);
  await under.attempted(1);
  expect(receiver.received.map((received) => received.id)).toEqual([id, id]);
  await under.runtime.advance(DAY_MS);
  expect(receiver.received).toHaveLength(2);
  under.errors.length = 0;
});
