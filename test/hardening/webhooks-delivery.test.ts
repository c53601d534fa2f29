/** What is sent and what the answers do (webhooks.md §6, §7.1), against real receivers on a clock that the test moves. */
import { createPublicKey, verify } from "node:crypto";
import { join } from "node:path";
import { describe, expect, setSystemTime, test } from "bun:test";
import { Webhook } from "standardwebhooks";
import { createTestRuntime } from "../support/runtime.ts";
import { temporaryDir } from "../support/server.ts";
import { startReceiver, status, type Received } from "../support/webhook-receiver.ts";
import { bootWebhooks, refusal } from "../support/webhooks.ts";

/** As a receiver's own library takes them. */
function headersOf({ headers }: Received): Record<string, string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [name, String(value)] as const),
  );
}

/** Libraries compare timestamps with the machine's clock. */
function runtimeOfToday() {
  const moved = createTestRuntime();
  const startMs = Date.now() - moved.clock.monotonicMs();
  const monotonicMs = () => moved.clock.monotonicMs();
  const epochMs = () => startMs + monotonicMs();
  return { ...moved, clock: { epochMs, monotonicMs } };
}

function at<Item>(items: readonly Item[], index: number): Item {
  const item = items.at(index);
  if (item === undefined) throw new Error(`No item ${index}`);
  return item;
}

const BODIES = [
  '{"type":"order.paid","timestamp":"2026-01-05T10:00:00.000Z","data":{"id":"ord_1"}}',
  '{"type":"order.paid","data":{"big":9007199254740993,"n":1.10,"s":"é 😀 \u2028 \\u00e9 日本"}}',
  `{"type":"order.paid","data":{"long":"${"x".repeat(200_000)}"}}`,
];

describe("a request", () => {
  test("carries the accepted bytes, and a stock library verifies it", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks({ runtime: runtimeOfToday() });
    const { secret } = await under.endpoint({ url: receiver.url });
    for (const [index, body] of BODIES.entries()) {
      const id = await under.accept({ body });
      await under.attempted(index + 1);
      await under.runtime.advance(20);
      const received = at(receiver.received, -1);
      expect(received.body.equals(Buffer.from(body))).toBe(true);
      expect(received.id).toBe(id);
      expect(new Webhook(secret).verify(received.body.toString(), headersOf(received))).toEqual(
        JSON.parse(body),
      );
      const forged = received.body.toString().replace("order", "ordes");
      expect(() => new Webhook(secret).verify(forged, headersOf(received))).toThrow();
    }
  });

  test("has the documented form", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    await under.endpoint({
      url: `http://us%40er:p%3Ass@127.0.0.1:${receiver.port}/in/here?q=1`,
      headers: { "X-Tenant": "42", "Content-Type": "text/plain", "webhook-id": "own" },
    });
    const id = await under.accept();
    const attempt = await under.attempted(1);
    const { method, path, headers, body } = at(receiver.received, 0);
    expect([method, path]).toEqual(["POST", "/in/here?q=1"]);
    expect(headers).toMatchObject({
      host: `127.0.0.1:${receiver.port}`,
      "content-type": "application/json",
      "content-length": String(body.length),
      "user-agent": "Carillon-Webhooks/1.0",
      "webhook-id": id,
      "webhook-timestamp": `${Math.floor(under.runtime.clock.epochMs() / 1000)}`,
      "x-tenant": "42",
      authorization: `Basic ${Buffer.from("us@er:p:ss").toString("base64")}`,
    });
    expect(headers["webhook-signature"]).toMatch(/^v1,[A-Za-z0-9+/]{43}=$/);
    expect(headers["cookie"]).toBeUndefined();
    expect(attempt.url).toBe(`http://***:***@127.0.0.1:${receiver.port}/in/here?q=1`);
  });

  test("of an ed25519 endpoint is signed with v1a, and only its public key is shown", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { id, secret } = await under.endpoint({ url: receiver.url, signature: "ed25519" });
    expect(secret).toMatch(/^whpk_/);
    expect((await under.webhooks.endpoints.secret(under.owner, id)).secret).toBe(secret);
    await under.accept();
    await under.attempted(1);
    const { headers, body } = at(receiver.received, 0);
    const [version, signature = ""] = String(headers["webhook-signature"]).split(",");
    expect(version).toBe("v1a");
    const x = Buffer.from(secret.slice("whpk_".length), "base64").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    const signed = [headers["webhook-id"], headers["webhook-timestamp"], body.toString()];
    const text = signed.map(String).join(".");
    expect(verify(null, Buffer.from(text), key, Buffer.from(signature, "base64"))).toBe(true);
  });

  test("of an ed25519 endpoint is verified by the code that docs/receive-a-webhook.md prints", async () => {
    const page = await Bun.file(new URL("../../docs/receive-a-webhook.md", import.meta.url)).text();
    const [code = ""] = /(?<=### Without a shared secret[^]*?```js\n)[^]*?(?=```)/.exec(page) ?? [];
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { secret } = await under.endpoint({ url: receiver.url, signature: "ed25519" });
    await under.accept();
    await under.attempted(1);
    const { headers, body } = at(receiver.received, 0);
    const file = join(temporaryDir(), "receiver.mjs");
    await Bun.write(file, code);
    process.env["WEBHOOK_PUBLIC_KEY"] = secret;
    const { isGenuine } = (await import(file)) as {
      isGenuine: (body: Buffer, headers: Readonly<Record<string, unknown>>) => boolean;
    };
    delete process.env["WEBHOOK_PUBLIC_KEY"];
    const nowMs = under.runtime.clock.epochMs();
    const judge = (sent: object, text: Buffer, atMs: number) => {
      setSystemTime(new Date(atMs));
      try {
        return isGenuine(text, { ...headers, ...sent });
      } finally {
        setSystemTime();
      }
    };
    expect(judge({}, body, nowMs)).toBe(true);
    const signature = String(headers["webhook-signature"]);
    expect(judge({ "webhook-signature": `v1,x v1a,y ${signature}` }, body, nowMs)).toBe(true);
    for (const wrong of [signature.replace("v1a", "v1"), signature.slice(0, -8), "", undefined]) {
      expect(judge({ "webhook-signature": wrong }, body, nowMs)).toBe(false);
    }
    expect(judge({}, Buffer.concat([body, Buffer.from(" ")]), nowMs)).toBe(false);
    expect(judge({ "webhook-timestamp": undefined }, body, nowMs)).toBe(false);
    expect(judge({}, body, nowMs + 302_000)).toBe(false);
  });

  test("keeps its id over all attempts and replays, and has a new timestamp each time", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const endpoint = await under.endpoint({ url: receiver.url, retryScheduleS: [5] });
    const id = await under.accept();
    await under.attempted(1);
    await under.runtime.advance(6_000);
    await under.attempted(2);
    await under.runtime.advance(60_000);
    await under.webhooks.replays.one(under.owner, id, endpoint.id);
    await under.attempted(3);
    await under.runtime.advance(1_000);
    receiver.answer = status(200);
    await under.webhooks.deadLetters.replay(under.owner, { endpointId: endpoint.id });
    await under.attempted(4);
    expect(new Set(receiver.received.map((received) => received.id))).toEqual(new Set([id]));
    const timestamps = receiver.received.map(({ headers }) => headers["webhook-timestamp"]);
    expect(new Set(timestamps).size).toBe(4);
    const signatures = receiver.received.map(({ headers }) => headers["webhook-signature"]);
    expect(new Set(signatures).size).toBe(4);
  });

  test("uses its connection again", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url });
    for (let count = 1; count <= 20; count += 1) {
      await under.accept();
      await under.attempted(count);
      await under.runtime.advance(20);
    }
    expect(receiver.connections).toBe(1);
  });
});

describe("the answer", () => {
  test.each([200, 204, 299])("%d is a success", async (code) => {
    await using receiver = await startReceiver({ answer: status(code) });
    await using under = await bootWebhooks();
    const endpoint = await under.endpoint({ url: receiver.url });
    const id = await under.accept();
    expect(await under.attempted(1)).toMatchObject({
      ...{ status: "succeeded", responseStatus: code, error: null, nextAttemptAtMs: null },
      ...{ number: 1, trigger: "scheduled", messageId: id, endpointId: endpoint.id },
    });
    const log = await under.webhooks.messages.attempts(under.owner, id, { limit: 10 });
    expect(log.data).toEqual([await under.attempted(1)]);
    expect(log.data[0]?.responseBody).toBe("");
    const { deliveries } = await under.webhooks.messages.get(under.owner, id);
    expect(deliveries).toEqual([
      { endpointId: endpoint.id, status: "succeeded", attempts: 1, nextAttemptAtMs: null },
    ]);
  });

  test.each([300, 301, 302, 307, 308])("%d is not followed", async (code) => {
    await using elsewhere = await startReceiver();
    const answer = status(code, { location: elsewhere.url });
    await using receiver = await startReceiver({ answer });
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url });
    await under.accept();
    expect(await under.attempted(1)).toMatchObject({
      ...{ status: "failed", responseStatus: code, error: "redirect" },
    });
    await under.runtime.advance(6_000);
    await under.attempted(2);
    expect(elsewhere.connections).toBe(0);
  });

  test.each([400, 404, 500, 503])("%d fails, with what it said", async (code) => {
    await using receiver = await startReceiver({ answer: status(code, {}, "busy é") });
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url });
    await under.accept();
    expect(await under.attempted(1)).toMatchObject({
      ...{ status: "failed", responseStatus: code, error: null, responseBody: "busy é" },
      responseTruncated: false,
    });
  });

  test("410 ends the delivery and disables the endpoint, with what waits for it", async () => {
    await using receiver = await startReceiver({ answer: status(410) });
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url, rateLimit: 1 });
    const messages = await Promise.all([under.accept(), under.accept(), under.accept()]);
    await under.attempted(1);
    await under.runtime.advance(60_000);
    expect(receiver.received).toHaveLength(1);
    const { owner, webhooks } = under;
    expect(await webhooks.endpoints.get(owner, id)).toMatchObject({
      ...{ disabled: true, disabledReason: "gone" },
    });
    const states = await Promise.all(
      messages.map(async (message) => (await webhooks.messages.get(owner, message)).deliveries),
    );
    expect(states.flat().map((delivery): string => delivery.status)).toEqual([
      ...["failed", "cancelled", "cancelled"],
    ]);
    expect((await refusal(webhooks.replays.one(owner, at(messages, 0), id))).code).toBe(
      "endpoint_disabled",
    );
    const { data } = await webhooks.deadLetters.list(owner, {}, { limit: 10 });
    expect(data.map(({ reason }) => reason)).toEqual(["gone"]);
    // A disabled endpoint is not matched.
    const later = await under.accept();
    expect((await webhooks.messages.get(owner, later)).deliveries).toEqual([]);
  });

  test("webhook-delivery: disable disables, also with a success", async () => {
    const answer = status(200, { "webhook-delivery": "disable" });
    await using receiver = await startReceiver({ answer });
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url });
    const message = await under.accept();
    expect((await under.attempted(1)).status).toBe("succeeded");
    const { owner, webhooks } = under;
    expect(await webhooks.endpoints.get(owner, id)).toMatchObject({
      ...{ disabled: true, disabledReason: "receiver" },
    });
    expect(at((await webhooks.messages.get(owner, message)).deliveries, 0).status).toBe(
      "succeeded",
    );
  });

  test("webhook-delivery: abort-message ends the delivery", async () => {
    const answer = status(500, { "webhook-delivery": "abort-message" });
    await using receiver = await startReceiver({ answer });
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url });
    const message = await under.accept();
    expect((await under.attempted(1)).nextAttemptAtMs).toBeNull();
    await under.runtime.advance(3_600_000);
    expect(receiver.received).toHaveLength(1);
    const { owner, webhooks } = under;
    expect(await webhooks.messages.get(owner, message)).toMatchObject({
      deliveries: [{ endpointId: id, status: "failed" }],
    });
    const { data } = await webhooks.deadLetters.list(owner, {}, { limit: 10 });
    expect(data).toMatchObject([{ messageId: message, endpointId: id, reason: "aborted" }]);
  });
});

describe("what the log shows", () => {
  test("attempts of a message and of an endpoint, newest first, with filters", async () => {
    await using receiver = await startReceiver({
      answer: (response, _, count) =>
        void response.writeHead(count < 3 ? 503 : 200).end(`${count}`),
    });
    await using under = await bootWebhooks();
    const { owner, webhooks } = under;
    const endpoint = await under.endpoint({ url: receiver.url, retryScheduleS: [60, 60, 60] });
    const id = await under.accept();
    for (const count of [1, 2, 3]) {
      await under.attempted(count);
      await under.runtime.advance(80_000);
    }
    const page = { limit: 50 };
    const of = await webhooks.messages.attempts(owner, id, page);
    expect(of.data.map(({ number, responseBody }) => [number, responseBody])).toEqual([
      [3, "3"],
      [2, "2"],
      [1, "1"],
    ]);
    const all = await webhooks.messages.attemptsOf(owner, endpoint.id, {}, page);
    expect(all.data).toEqual(of.data);
    const some = async (filter: Parameters<typeof webhooks.messages.attemptsOf>[2]) =>
      (await webhooks.messages.attemptsOf(owner, endpoint.id, filter, page)).data.map(
        ({ number }) => number,
      );
    expect(await some({ status: "failed" })).toEqual([2, 1]);
    expect(await some({ statusClass: 2 })).toEqual([3]);
    expect(await some({ sinceMs: at(of.data, 1).atMs })).toEqual([3, 2]);
    expect(await some({ untilMs: at(of.data, 1).atMs })).toEqual([2, 1]);
    expect(await webhooks.endpoints.stats(owner, endpoint.id, {})).toMatchObject({
      ...{ pending: 0, succeeded: 1, failed: 0, cancelled: 0 },
    });
    for (const { id: attempt } of of.data) expect(attempt).toMatch(/^atmpt_[0-9A-Za-z]{27}$/);
  });

  test("messages by type, channel and time, newest first", async () => {
    await using under = await bootWebhooks();
    const { owner, webhooks } = under;
    const startMs = under.runtime.clock.epochMs();
    const ids: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      const eventType = index % 2 === 0 ? "order.paid" : "order.shipped";
      ids.push(await under.accept({ eventType, channels: index < 3 ? ["orders"] : [] }));
      await under.runtime.advance(1_000);
    }
    const list = async (filter: Parameters<typeof webhooks.messages.list>[1], limit = 50) =>
      (await webhooks.messages.list(owner, filter, { limit })).data.map(({ id }) =>
        ids.indexOf(id),
      );
    expect(await list({})).toEqual([5, 4, 3, 2, 1, 0]);
    expect(await list({ eventType: "order.paid" })).toEqual([4, 2, 0]);
    expect(await list({ channel: "orders" })).toEqual([2, 1, 0]);
    const window = { sinceMs: startMs + 1_000, untilMs: startMs + 4_000 };
    expect(await list(window)).toEqual([4, 3, 2, 1]);
    expect(await list(window, 2)).toEqual([4, 3]);
  });
});
