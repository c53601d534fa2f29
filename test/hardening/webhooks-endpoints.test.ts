/** Endpoints: what is shown of them and what is not, secrets and their rotation, bounds, and their end (webhooks.md §5.1, §8). */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { WEBHOOK_LIMITS } from "../../src/webhooks/contract.ts";
import { signatureHeader } from "../../src/webhooks/signature.ts";
import { temporaryDir } from "../support/server.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";
import { bootWebhooks, DAY_MS, refusal, type WebhooksUnderTest } from "../support/webhooks.ts";

const URL = "http://127.0.0.1:9999/in";
const PAGE = { limit: 50 };

function secretOf(length: number, fill = 1): string {
  return `whsec_${Buffer.alloc(length, fill).toString("base64")}`;
}

/** The signatures that a live delivery carries, as `old` or `new` or by number. */
async function signedBy(
  under: WebhooksUnderTest,
  receiver: Awaited<ReturnType<typeof startReceiver>>,
  secrets: readonly string[],
): Promise<number[]> {
  const count = under.attempts.length + 1;
  await under.runtime.advance(20);
  await under.accept();
  await under.attempted(count);
  const received = receiver.received.at(-1);
  if (received === undefined) throw new Error("Nothing was received");
  const signed = {
    ...{ id: received.id, body: received.body },
    timestamp: Number(received.headers["webhook-timestamp"]),
  };
  const header = String(received.headers["webhook-signature"]);
  return header
    .split(" ")
    .map((signature) =>
      secrets.findIndex((secret) => signatureHeader([secret], signed) === signature),
    );
}

describe("what is shown", () => {
  test("everything that was set, and defaults for the rest", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const given = {
      url: "http://user:s3cret@127.0.0.1:9999/in?a=1",
      ...{ description: "warehouse", eventTypes: ["order.paid", "shipment.*"], channels: ["a"] },
      ...{ headers: { "X-Tenant": "42" }, rateLimit: 20, ordered: true, retryScheduleS: [1, 2] },
      metadata: { team: "ops" },
    };
    const nowMs = runtime.clock.epochMs();
    const { endpoint, secret } = await webhooks.endpoints.create(owner, given);
    expect(endpoint).toEqual({
      ...{ ...owner, ...given, url: "http://***:***@127.0.0.1:9999/in?a=1", id: endpoint.id },
      ...{ signature: "hmac", disabled: false, disabledReason: null, disabledAtMs: null },
      health: { state: "healthy", failingSinceMs: null, consecutiveFailures: 0 },
      ...{ createdAtMs: nowMs, updatedAtMs: nowMs },
    });
    expect(endpoint.id).toMatch(/^ep_[0-9A-Za-z]{27}$/);
    const shown = [
      await webhooks.endpoints.get(owner, endpoint.id),
      ...(await webhooks.endpoints.list(owner, PAGE)).data,
    ];
    for (const one of shown) {
      expect(one).toEqual(endpoint);
      expect(JSON.stringify(one)).not.toContain(secret);
      expect(JSON.stringify(one)).not.toContain("s3cret");
    }
    const plain = await under.endpoint({ url: URL });
    expect(plain).toMatchObject({
      ...{ description: null, eventTypes: null, channels: null, headers: {}, rateLimit: 50 },
      ...{ ordered: false, retryScheduleS: null, metadata: {} },
    });
  });

  test("newest first, by pages", async () => {
    await using under = await bootWebhooks();
    const made: string[] = [];
    for (let index = 0; index < 5; index += 1) made.push((await under.endpoint({ url: URL })).id);
    const { endpoints } = under.webhooks;
    const first = await endpoints.list(under.owner, { limit: 3 });
    const next = { limit: 3, iterator: first.iterator ?? "" };
    const second = await endpoints.list(under.owner, next);
    expect([...first.data, ...second.data].map(({ id }) => id)).toEqual(made.toReversed());
    expect([first.done, second.done]).toEqual([false, true]);
  });

  test("a change shows, and null removes a filter", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: URL, eventTypes: ["a.b"], headers: { "X-A": "1" } });
    await runtime.advance(5);
    const changed = await webhooks.endpoints.update(owner, id, {
      ...{ eventTypes: null, description: "d", headers: { "X-B": "2" } },
    });
    expect(changed).toMatchObject({
      ...{ eventTypes: null, description: "d", headers: { "X-B": "2" }, url: URL },
      updatedAtMs: runtime.clock.epochMs(),
    });
    expect(await webhooks.endpoints.get(owner, id)).toEqual(changed);
  });
});

describe("secrets", () => {
  test("of the caller are taken at 24 and 64 bytes, and refused one beyond", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    for (const length of [24, 64]) {
      const secret = secretOf(length);
      expect((await webhooks.endpoints.create(owner, { url: URL, secret })).secret).toBe(secret);
    }
    for (const length of [23, 65]) {
      const create = webhooks.endpoints.create(owner, { url: URL, secret: secretOf(length) });
      expect((await refusal(create)).code).toBe("invalid_request");
    }
    const mixed = { url: URL, secret: secretOf(24), signature: "ed25519" } as const;
    expect((await refusal(webhooks.endpoints.create(owner, mixed))).code).toBe("invalid_request");
  });

  test("are nowhere in the engine's file, nor are header values and passwords", async () => {
    const dataDir = temporaryDir();
    await using receiver = await startReceiver();
    await using under = await bootWebhooks({ dataDir });
    const given = {
      url: `http://user:p4ssw0rd@127.0.0.1:${receiver.port}/in`,
      headers: { Authorization: "Bearer t0pSecret" },
      eventTypes: ["visible.type"],
    };
    const { id, secret } = await under.endpoint(given);
    const rotated = await under.webhooks.endpoints.rotateSecret(under.owner, id, { graceMs: 1000 });
    await under.accept({ eventType: "visible.type" });
    await under.attempted(1);
    const pair = await under.endpoint({ ...given, signature: "ed25519" });
    expect(pair.secret).toMatch(/^whpk_/);
    await under.dispose();
    const bytes = Buffer.concat(
      readdirSync(dataDir).map((name) => readFileSync(join(dataDir, name))),
    ).toString("latin1");
    expect(bytes).toContain("visible.type");
    for (const text of [secret, rotated.secret]) {
      expect(bytes).not.toContain(text.slice("whsec_".length));
    }
    for (const text of ["p4ssw0rd", "t0pSecret", "Ed25519"]) expect(bytes).not.toContain(text);
  });

  test("sign for the grace time beside the new one, newest first, and then no more", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id, secret: first } = await under.endpoint({ url: receiver.url });
    const nowMs = runtime.clock.epochMs();
    const rotated = await webhooks.endpoints.rotateSecret(owner, id, { graceMs: 60_000 });
    expect(rotated.previousExpiresAtMs).toBe(nowMs + 60_000);
    const secrets = [first, rotated.secret];
    expect(await signedBy(under, receiver, secrets)).toEqual([1, 0]);
    expect(await webhooks.endpoints.secret(owner, id)).toEqual({
      ...{ secret: rotated.secret, previous: [{ expiresAtMs: nowMs + 60_000 }] },
    });
    await runtime.advance(60_000);
    expect(await signedBy(under, receiver, secrets)).toEqual([1]);
    expect((await webhooks.endpoints.secret(owner, id)).previous).toEqual([]);
    const own = secretOf(32);
    const third = await webhooks.endpoints.rotateSecret(owner, id, { secret: own, graceMs: 0 });
    expect(third.secret).toBe(own);
    expect(await signedBy(under, receiver, [...secrets, own])).toEqual([2]);
    expect(under.notices.map(({ type }): string => type)).toEqual([
      ...["endpoint.created", "endpoint.secret_rotated", "endpoint.secret_rotated"],
    ]);
  });

  test("the 11th older one that is live is refused, and an hour has five rotations", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: URL });
    const rotate = () => webhooks.endpoints.rotateSecret(owner, id, { graceMs: 7 * DAY_MS });
    for (let index = 0; index < 10; index += 1) {
      await rotate();
      if (index === 4) {
        const error = await refusal(rotate());
        expect([error.code, error.retryAfterMs]).toEqual(["rate_limited", 3_600_000]);
        await runtime.advance(3_600_000);
      }
    }
    expect((await webhooks.endpoints.secret(owner, id)).previous).toHaveLength(10);
    await runtime.advance(3_600_000);
    expect((await refusal(rotate())).code).toBe("too_many_secrets");
    await runtime.advance(7 * DAY_MS);
    await rotate();
  });
});

describe("a test event", () => {
  test("is sent at once, also to a disabled endpoint, and is in the log alone", async () => {
    await using receiver = await startReceiver({ answer: status(418, {}, "teapot") });
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const { id } = await under.endpoint({ url: receiver.url, eventTypes: ["order.paid"] });
    await webhooks.endpoints.update(owner, id, { disabled: true });
    const attempt = await webhooks.endpoints.test(owner, id, "webhook.test");
    expect(attempt).toMatchObject({
      ...{ status: "failed", responseStatus: 418, responseBody: "teapot", trigger: "manual" },
      ...{ number: 1, nextAttemptAtMs: null, endpointId: id },
    });
    const [received] = receiver.received;
    expect(JSON.parse(received?.body.toString() ?? "")).toMatchObject({ type: "webhook.test" });
    expect(received?.id).toBe(attempt.messageId);
    const { data } = await webhooks.messages.attemptsOf(owner, id, {}, PAGE);
    expect(data.map((row) => row.id)).toEqual([attempt.id]);
    expect((await webhooks.endpoints.get(owner, id)).health.consecutiveFailures).toBe(0);
    expect((await webhooks.deadLetters.list(owner, {}, PAGE)).data).toEqual([]);
    await under.runtime.advance(600_000);
    expect(receiver.received).toHaveLength(1);
  });

  test("can be had ten times a minute", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url });
    const other = await under.endpoint({ url: receiver.url });
    const send = (endpoint = id) => under.webhooks.endpoints.test(under.owner, endpoint, "a.b");
    for (let index = 0; index < 10; index += 1) await send();
    expect((await refusal(send())).retryAfterMs).toBe(60_000);
    await send(other.id);
    await under.runtime.advance(60_000);
    await send();
  });
});

describe("bounds", () => {
  test("50 endpoints, and a new one in place of a deleted one", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const made = [];
    for (let index = 0; index < WEBHOOK_LIMITS.endpoints; index += 1) {
      made.push(await under.endpoint({ url: URL }));
    }
    const create = () => webhooks.endpoints.create(owner, { url: URL });
    expect((await refusal(create())).code).toBe("limit_reached");
    await webhooks.endpoints.delete(owner, made[0]?.id ?? "");
    await create();
    // Of one organisation.
    await webhooks.endpoints.create({ ...owner, applicationId: "app_other" }, { url: URL });
  });

  test("a body of 256 KiB, in bytes, and not one more", async () => {
    await using under = await bootWebhooks();
    const most = `"${"é".repeat(WEBHOOK_LIMITS.bodyBytes / 2 - 1)}"`;
    await under.accept({ body: most });
    expect((await refusal(under.accept({ body: `${most} ` }))).code).toBe("payload_too_large");
  });
});

test("what is another organisation's is not found", async () => {
  await using under = await bootWebhooks();
  const { webhooks, owner } = under;
  const { id } = await under.endpoint({ url: URL });
  const message = await under.accept();
  const { id: task } = await webhooks.replays.recover(owner, id, {
    sinceMs: under.runtime.clock.epochMs(),
  });
  const other = { ...owner, applicationId: "app_2iFmwXASMpS3l4IZsauPs8I1eOx" };
  const window = { sinceMs: under.runtime.clock.epochMs(), eventTypes: null };
  const calls = [
    webhooks.endpoints.get(other, id),
    webhooks.endpoints.update(other, id, { description: "x" }),
    webhooks.endpoints.delete(other, id),
    webhooks.endpoints.secret(other, id),
    webhooks.endpoints.rotateSecret(other, id, { graceMs: 0 }),
    webhooks.endpoints.test(other, id, "a.b"),
    webhooks.endpoints.stats(other, id, {}),
    webhooks.messages.get(other, message),
    webhooks.messages.attempts(other, message, PAGE),
    webhooks.messages.attemptsOf(other, id, {}, PAGE),
    webhooks.messages.erase(other, message),
    webhooks.replays.one(other, message, id),
    webhooks.replays.recover(other, id, window),
    webhooks.replays.missing(other, id, window),
    webhooks.replays.task(other, task),
    webhooks.replays.cancelTask(other, task),
    webhooks.deadLetters.replay(other, { endpointId: id }),
    webhooks.deadLetters.discard(other, { endpointId: id }),
  ];
  for (const call of calls) expect((await refusal(call)).code).toBe("not_found");
  expect((await webhooks.endpoints.list(other, PAGE)).data).toEqual([]);
  expect((await webhooks.messages.list(other, {}, PAGE)).data).toEqual([]);
  expect((await webhooks.endpoints.get(owner, id)).description).toBeNull();
});

describe("the end", () => {
  test("a deleted endpoint's deliveries are cancelled, and nothing more is sent", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url, rateLimit: 1 });
    const messages = [await under.accept(), await under.accept()];
    await under.attempted(1);
    await webhooks.endpoints.delete(owner, id);
    expect((await refusal(webhooks.endpoints.delete(owner, id))).code).toBe("not_found");
    await runtime.advance(4 * DAY_MS);
    expect(receiver.received).toHaveLength(1);
    for (const message of messages) {
      const { deliveries } = await webhooks.messages.get(owner, message);
      expect(deliveries).toMatchObject([{ endpointId: id, status: "cancelled" }]);
    }
    expect(await under.engine.queue.counts(`webhooks/${owner.applicationId}/${id}`)).toEqual({
      ...{ waiting: 0, leased: 0 },
    });
  });

  test("deprovisioning deletes, cancels and stops, tells how much, and is over the second time", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime, engine } = under;
    await under.endpoint({ url: receiver.url, rateLimit: 1 });
    await under.endpoint({ url: receiver.url, rateLimit: 1, ordered: true });
    for (let index = 0; index < 3; index += 1) await under.accept();
    await under.attempted(2);
    const other = { ...owner, applicationId: "app_2iFmwXASMpS3l4IZsauPs8I1eOx" };
    await webhooks.endpoints.create(other, { url: receiver.url });
    expect(await webhooks.deprovisioned(owner)).toEqual({
      ...{ endpointsDeleted: 2, deliveriesCancelled: 6 },
    });
    expect(await webhooks.deprovisioned(owner)).toEqual({
      ...{ endpointsDeleted: 0, deliveriesCancelled: 0 },
    });
    await runtime.advance(DAY_MS);
    expect(receiver.received).toHaveLength(2);
    expect((await webhooks.endpoints.list(other, PAGE)).data).toHaveLength(1);
    // The log stays for 30 days.
    const left = () => engine.records.list("webhooks/", { limit: 1000 });
    const mine = (await left()).filter(({ key }) => key.includes(owner.applicationId));
    expect(mine.length).toBeGreaterThan(0);
    expect(mine.some(({ key }) => /endpoint|health|waiting/.test(key))).toBe(false);
    await runtime.advance(30 * DAY_MS);
    expect((await left()).filter(({ key }) => key.includes(owner.applicationId))).toEqual([]);
    expect((await left()).length).toBeGreaterThan(0);
  });

  test("an erased message is gone from reads, retries and replays", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url });
    const message = await under.accept({ body: '{"s3cret":true}' });
    await under.attempted(1);
    await webhooks.messages.erase(owner, message);
    await webhooks.messages.erase(owner, message);
    const shown = await webhooks.messages.get(owner, message);
    expect(shown).toMatchObject({ body: null, deliveries: [{ status: "cancelled" }] });
    expect((await refusal(webhooks.replays.one(owner, message, id))).code).toBe("not_found");
    const window = { sinceMs: runtime.clock.epochMs() - DAY_MS, eventTypes: null };
    await webhooks.replays.missing(owner, id, window);
    await runtime.advance(4 * DAY_MS);
    expect(receiver.received).toHaveLength(1);
    const kept = await under.engine.records.list("webhooks/", { limit: 1000 });
    expect(kept.some(({ value }) => value.includes("s3cret"))).toBe(false);
  });

  test("bodies are gone after their retention, answers after 7 days, attempts after 30", async () => {
    await using receiver = await startReceiver({ answer: status(200, {}, "answer") });
    await using under = await bootWebhooks({ settings: { retentionMs: 40 * DAY_MS } });
    const { webhooks, owner, runtime } = under;
    await under.endpoint({ url: receiver.url });
    const message = await under.accept();
    await under.attempted(1);
    const attempts = () => webhooks.messages.attempts(owner, message, PAGE);
    await runtime.advance(7 * DAY_MS - 1);
    expect((await attempts()).data[0]?.responseBody).toBe("answer");
    await runtime.advance(1);
    expect((await attempts()).data[0]?.responseBody).toBeNull();
    await runtime.advance(23 * DAY_MS);
    expect((await attempts()).data).toEqual([]);
    expect((await webhooks.messages.get(owner, message)).body).not.toBeNull();
    await runtime.advance(10 * DAY_MS);
    expect((await refusal(webhooks.messages.get(owner, message))).code).toBe("not_found");
    expect((await webhooks.messages.list(owner, {}, PAGE)).data).toEqual([]);
  });
});

test("attempts and answers are kept no longer than messages", async () => {
  await using receiver = await startReceiver({ answer: status(200, {}, "answer") });
  await using under = await bootWebhooks({ settings: { retentionMs: 5 * DAY_MS } });
  const { webhooks, owner, runtime } = under;
  const { id } = await under.endpoint({ url: receiver.url });
  await under.accept();
  await under.attempted(1);
  const attempts = () => webhooks.messages.attemptsOf(owner, id, {}, PAGE);
  await runtime.advance(5 * DAY_MS - 1);
  expect((await attempts()).data).toMatchObject([{ responseBody: "answer" }]);
  await runtime.advance(1);
  expect((await attempts()).data).toEqual([]);
  const left = await under.engine.records.list("webhooks/", { limit: 1000 });
  expect(left.filter(({ key }) => /message|log|delivery|attempt|response/.test(key))).toEqual([]);
});

test("no id contains a dot", async () => {
  await using receiver = await startReceiver({ answer: status(410) });
  await using under = await bootWebhooks();
  const { webhooks, owner } = under;
  const { id } = await under.endpoint({ url: receiver.url });
  const message = await under.accept();
  const attempt = await under.attempted(1);
  const [letter] = (await webhooks.deadLetters.list(owner, {}, PAGE)).data;
  const ids = [id, message, attempt.id, letter?.id ?? "", ...under.notices.map((one) => one.id)];
  for (const one of ids) expect(one).toMatch(/^[a-z]+_[0-9A-Za-z]+$/);
});
