/** When attempts are made, on a clock that the test moves (webhooks.md §7.2 to §7.4). */
import { describe, expect, test } from "bun:test";
import type { WebhookAttempt } from "../../src/webhooks/contract.ts";
import { SCHEDULE_MS } from "../../src/webhooks/verdict.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";
import { bootWebhooks, HOUR_MS, refusal, type WebhooksUnderTest } from "../support/webhooks.ts";

/** Moves to each next attempt until there is none; the attempts of this one message. */
async function runOut(under: WebhooksUnderTest): Promise<WebhookAttempt[]> {
  const attempts: WebhookAttempt[] = [];
  for (;;) {
    const attempt = await under.attempted(attempts.length + 1);
    attempts.push(attempt);
    if (attempt.nextAttemptAtMs === null) return attempts;
    await under.advanceTo(attempt.nextAttemptAtMs - 1);
    expect(under.attempts).toHaveLength(attempts.length);
    await under.runtime.advance(1);
  }
}

test.each([1, 2, 3])(
  "ten attempts at the documented times, then a dead letter (seed %d)",
  async (seed) => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks({ seed });
    const endpoint = await under.endpoint({ url: receiver.url });
    const id = await under.accept();
    const attempts = await runOut(under);
    expect(attempts).toHaveLength(10);
    expect(receiver.received).toHaveLength(10);
    const delays = attempts.slice(1).map(({ atMs }, index) => atMs - (attempts[index]?.atMs ?? 0));
    for (const [index, plannedMs] of SCHEDULE_MS.entries()) {
      expect(delays[index]).toBeGreaterThanOrEqual(plannedMs * 0.8 - 1);
      expect(delays[index]).toBeLessThanOrEqual(plannedMs * 1.2 + 1);
    }
    // Jitter that never jitters is none.
    expect(delays).not.toEqual([...SCHEDULE_MS]);
    const { owner, webhooks } = under;
    expect((await webhooks.messages.get(owner, id)).deliveries).toEqual([
      { endpointId: endpoint.id, status: "failed", attempts: 10, nextAttemptAtMs: null },
    ]);
    const { data } = await webhooks.deadLetters.list(owner, {}, { limit: 10 });
    expect(data).toMatchObject([
      { messageId: id, endpointId: endpoint.id, attempts: 10, reason: "exhausted" },
    ]);
    expect(under.notices.map(({ type }): string => type)).toEqual([
      ...["endpoint.created", "message.failing", "endpoint.failing", "message.exhausted"],
    ]);
  },
);

test("an endpoint's own schedule is used instead", async () => {
  await using receiver = await startReceiver({ answer: status(500) });
  await using under = await bootWebhooks();
  await under.endpoint({ url: receiver.url, retryScheduleS: [10, 20] });
  await under.accept();
  expect(await runOut(under)).toHaveLength(3);
});

test("a schedule without delays is one attempt", async () => {
  await using receiver = await startReceiver({ answer: status(500) });
  await using under = await bootWebhooks();
  await under.endpoint({ url: receiver.url, retryScheduleS: [] });
  await under.accept();
  expect(await runOut(under)).toHaveLength(1);
});

test("429 waits a minute, and Retry-After: 3600 an hour", async () => {
  await using receiver = await startReceiver({
    answer: (response, _, count) =>
      void response.writeHead(429, count === 2 ? { "retry-after": "3600" } : {}).end(),
  });
  await using under = await bootWebhooks();
  await under.endpoint({ url: receiver.url });
  await under.accept();
  const first = await under.attempted(1);
  expect((first.nextAttemptAtMs ?? 0) - first.atMs).toBeGreaterThanOrEqual(60_000);
  await under.runtime.advance(59_999);
  expect(receiver.received).toHaveLength(1);
  await under.advanceTo(first.nextAttemptAtMs ?? 0);
  const second = await under.attempted(2);
  expect((second.nextAttemptAtMs ?? 0) - second.atMs).toBeGreaterThanOrEqual(3_600_000);
});

test("a filter that changes leaves deliveries alone, and a retry goes to the new URL with the new secret", async () => {
  await using old = await startReceiver({ answer: status(500) });
  await using corrected = await startReceiver();
  await using under = await bootWebhooks();
  const { owner, webhooks } = under;
  const { id } = await under.endpoint({ url: old.url });
  const message = await under.accept({ eventType: "order.paid" });
  const { nextAttemptAtMs } = await under.attempted(1);
  await webhooks.endpoints.update(owner, id, { url: corrected.url, eventTypes: ["shipment.*"] });
  await webhooks.endpoints.rotateSecret(owner, id, { graceMs: 0 });
  await under.advanceTo(nextAttemptAtMs ?? 0);
  expect(await under.attempted(2)).toMatchObject({ status: "succeeded", messageId: message });
  expect([old.received.length, corrected.received.length]).toEqual([1, 1]);
  expect((await under.webhooks.messages.get(owner, await under.accept())).deliveries).toEqual([]);
});

describe("the failure clock", () => {
  /** One message an hour, each failing once. */
  async function failHours(under: WebhooksUnderTest, hours: number): Promise<void> {
    for (let hour = 0; hour < hours; hour += 1) {
      const made = under.attempts.length;
      await under.accept();
      await under.attempted(made + 1);
      await under.runtime.advance(HOUR_MS);
    }
  }

  const types = (under: WebhooksUnderTest, prefix: string) =>
    under.notices.map(({ type }) => type).filter((type) => type.startsWith(prefix));

  test("tells at 24 and 96 hours, disables at 120, on the stream and never to the failing endpoint", async () => {
    await using dead = await startReceiver({ answer: status(500) });
    await using alive = await startReceiver();
    await using operator = await startReceiver();
    await using under = await bootWebhooks({
      settings: {
        operator: { url: operator.url, secret: `whsec_${Buffer.alloc(24, 7).toString("base64")}` },
      },
    });
    const { owner, webhooks } = under;
    const failing = await under.endpoint({
      ...{
        url: dead.url,
        retryScheduleS: [],
        eventTypes: ["order.*", "endpoint.failing", "endpoint.disabled"],
      },
    });
    const other = await under.endpoint({ url: alive.url, eventTypes: ["endpoint.*"] });
    // One that lists nothing gets events, and no notices.
    await using silent = await startReceiver();
    await under.endpoint({ url: silent.url, channels: ["none"] });
    const startMs = under.runtime.clock.epochMs();
    const failed = () =>
      under.attempts.filter(({ endpointId }) => endpointId === failing.id).length;
    for (let hour = 0; hour <= 121; hour += 1) {
      const before = failed();
      await under.accept();
      while (hour <= 120 && failed() === before) await under.attempted(under.attempts.length + 1);
      await under.advanceTo(startMs + (hour + 1) * HOUR_MS);
      if (hour === 23) expect(types(under, "endpoint.failing")).toHaveLength(0);
      if (hour === 24) expect(types(under, "endpoint.failing")).toHaveLength(1);
      if (hour === 95) expect(types(under, "endpoint.failing")).toHaveLength(1);
      if (hour === 96) expect(types(under, "endpoint.failing")).toHaveLength(2);
      if (hour === 119) expect(types(under, "endpoint.disabled")).toHaveLength(0);
      if (hour === 24) {
        expect(await webhooks.endpoints.get(owner, failing.id)).toMatchObject({
          health: { state: "failing", failingSinceMs: startMs, consecutiveFailures: 25 },
        });
      }
    }
    expect(types(under, "endpoint.disabled")).toHaveLength(1);
    expect(await webhooks.endpoints.get(owner, failing.id)).toMatchObject({
      ...{ disabled: true, disabledReason: "failing" },
    });
    expect(dead.received).toHaveLength(121);
    const told = ({ body }: { readonly body: Buffer }) =>
      (JSON.parse(body.toString()) as { type: string }).type;
    expect(dead.received.map(told).filter((type) => type.startsWith("endpoint"))).toEqual([]);
    expect(alive.received.map(told)).toEqual([
      ...["endpoint.created", "endpoint.failing", "endpoint.failing", "endpoint.disabled"],
    ]);
    expect(alive.received.every(({ id }) => id.startsWith("msg_"))).toBe(true);
    expect(silent.received).toHaveLength(0);
    expect(operator.received.map(told).filter((type) => type.startsWith("endpoint"))).toEqual([
      ...["endpoint.created", "endpoint.created", "endpoint.created"],
      ...["endpoint.failing", "endpoint.failing", "endpoint.disabled"],
    ]);
    const second = under.notices.filter(({ type }) => type === "endpoint.failing")[1];
    expect(JSON.parse(second?.body ?? "")).toMatchObject({
      data: {
        ...{ organisation_id: owner.organisationId, endpoint_id: failing.id },
        disable_at: new Date(startMs + 120 * HOUR_MS).toISOString(),
      },
    });
    expect((await webhooks.endpoints.get(owner, other.id)).health.state).toBe("healthy");
  }, 30_000);

  test("a success in between begins anew, and one failure never disables", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { owner, webhooks } = under;
    const { id } = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    await failHours(under, 119);
    receiver.answer = status(200);
    await failHours(under, 1);
    expect((await webhooks.endpoints.get(owner, id)).health).toEqual({
      ...{ state: "healthy", failingSinceMs: null, consecutiveFailures: 0 },
    });
    receiver.answer = status(500);
    await failHours(under, 119);
    expect((await webhooks.endpoints.get(owner, id)).disabled).toBe(false);
    await under.runtime.advance(300 * HOUR_MS);
    await failHours(under, 1);
    expect((await webhooks.endpoints.get(owner, id)).disabled).toBe(false);
  }, 30_000);

  test("an endpoint that never succeeded is unproven, until it does, and again healthy while it fails later", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { owner, webhooks } = under;
    const { id, health } = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    const state = async () => (await webhooks.endpoints.get(owner, id)).health.state;
    expect(health.state).toBe("healthy");
    await failHours(under, 1);
    expect(await state()).toBe("unproven");
    await webhooks.endpoints.update(owner, id, { disabled: true });
    await webhooks.endpoints.update(owner, id, { disabled: false });
    await failHours(under, 24);
    expect(await state()).toBe("unproven");
    await failHours(under, 1);
    expect(await state()).toBe("failing");
    receiver.answer = status(200);
    await failHours(under, 1);
    expect(await state()).toBe("healthy");
    receiver.answer = status(500);
    await failHours(under, 1);
    expect(await state()).toBe("healthy");
    await webhooks.endpoints.update(owner, id, { disabled: true });
    await webhooks.endpoints.update(owner, id, { disabled: false });
    await failHours(under, 1);
    expect((await webhooks.endpoints.get(owner, id)).health).toEqual({
      ...{ state: "healthy", failingSinceMs: null, consecutiveFailures: 1 },
    });
  });

  test("after the disable: enabled again, replay-missing brings exactly the gap", async () => {
    await using receiver = await startReceiver({ answer: status(410) });
    await using under = await bootWebhooks();
    const { owner, webhooks, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url, eventTypes: ["order.*"] });
    const gone = await under.accept();
    await under.attempted(1);
    const gap: string[] = [];
    for (let index = 0; index < 5; index += 1) {
      await runtime.advance(60_000);
      gap.push(await under.accept({ eventType: `order.e${index}` }));
      await under.accept({ eventType: "shipment.updated" });
    }
    await runtime.advance(60_000);
    receiver.answer = status(200);
    await webhooks.endpoints.update(owner, id, { disabled: false });
    const after = await under.accept();
    await under.attempted(2);
    const task = await webhooks.replays.missing(owner, id, {
      ...{ sinceMs: runtime.clock.epochMs() - HOUR_MS, eventTypes: null },
    });
    for (let count = 3; count <= 7; count += 1) {
      await runtime.advance(20);
      await under.attempted(count);
    }
    await runtime.advance(60_000);
    const received = receiver.received.map((one) => one.id);
    expect(received).toEqual([gone, after, ...gap]);
    expect(await webhooks.replays.task(owner, task.id)).toMatchObject({
      ...{ status: "finished", done: 5, total: 5 },
    });
  });

  test("enabling twice within 5 minutes is refused, and a change that changes nothing leaves the clock", async () => {
    await using receiver = await startReceiver({ answer: status(410) });
    await using under = await bootWebhooks();
    const { owner, webhooks, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url });
    const trip = async (count: number) => {
      await under.accept();
      await under.attempted(count);
    };
    const enable = () => webhooks.endpoints.update(owner, id, { disabled: false });
    await trip(1);
    expect((await enable()).health.consecutiveFailures).toBe(0);
    await runtime.advance(1_000);
    await trip(2);
    await runtime.advance(298_999);
    const error = await refusal(enable());
    expect([error.code, error.retryAfterMs]).toEqual(["rate_limited", 1]);
    await runtime.advance(1);
    expect((await enable()).disabled).toBe(false);
    receiver.answer = status(500);
    await runtime.advance(1_000);
    await trip(3);
    const before = await webhooks.endpoints.get(owner, id);
    expect(before.health.consecutiveFailures).toBe(1);
    const notices = under.notices.length;
    expect(await enable()).toEqual(before);
    expect(await webhooks.endpoints.update(owner, id, { description: null })).toEqual(before);
    expect(under.notices).toHaveLength(notices);
  });
});

describe("what limits an endpoint", () => {
  test("a rate of 5 lets at most 6 requests go in any second", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { runtime } = under;
    await under.endpoint({ url: receiver.url, rateLimit: 5 });
    await Promise.all(Array.from({ length: 30 }, () => under.accept()));
    await under.attempted(1);
    const moments: number[] = [];
    for (let elapsed = 0; receiver.received.length < 30; elapsed += 50) {
      while (moments.length < receiver.received.length) moments.push(elapsed);
      // Time for requests that the moved clock has let go.
      for (let turn = 0; turn < 20; turn += 1) await runtime.settle();
      await runtime.advance(50);
    }
    for (const from of moments) {
      expect(moments.filter((ms) => ms >= from && ms < from + 1000).length).toBeLessThanOrEqual(6);
    }
    expect(moments.at(-1)).toBeLessThanOrEqual(6_500);
  });

  test("no more than ten requests are in flight", async () => {
    const held: (() => void)[] = [];
    await using receiver = await startReceiver({
      answer: (response) => void held.push(() => response.end()),
    });
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url, rateLimit: 1000 });
    await Promise.all(Array.from({ length: 25 }, () => under.accept()));
    await under.runtime.advance(1_000);
    await receiver.reached(10);
    await under.runtime.advance(1_000);
    expect(receiver.received).toHaveLength(10);
    expect(under.webhooks.stats().inFlight).toBe(10);
    held.shift()?.();
    await receiver.reached(11);
    await under.attempted(1);
    while (under.attempts.length < 25) {
      held.shift()?.();
      await under.runtime.advance(20);
    }
    expect(receiver.received).toHaveLength(25);
  });

  test("ten failures in a row open the breaker: a minute's wait, one probe, and nothing is counted", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { runtime, webhooks } = under;
    await under.endpoint({ url: receiver.url, retryScheduleS: [600], rateLimit: 1000 });
    const ids = await Promise.all(Array.from({ length: 10 }, () => under.accept()));
    await runtime.advance(10);
    await under.attempted(10);
    expect(webhooks.stats().openBreakers).toBe(1);
    const waiting = await under.accept();
    await runtime.advance(59_000);
    expect(receiver.received).toHaveLength(10);
    // It waits on purpose; one that is slow by itself would be behind.
    expect(webhooks.stats()).toMatchObject({ openBreakers: 1, behindMs: 0 });
    await runtime.advance(1_000);
    await under.attempted(11);
    expect(under.attempts[10]?.messageId).toBe(waiting);
    // The probe failed: twice the wait for the next.
    const next = await under.accept();
    await runtime.advance(119_000);
    expect(receiver.received).toHaveLength(11);
    receiver.answer = status(200);
    await runtime.advance(1_000);
    await under.attempted(12);
    expect(webhooks.stats().openBreakers).toBe(0);
    expect(under.attempts[11]).toMatchObject({ messageId: next, number: 1 });
    await runtime.advance(720_000);
    await under.attempted(23);
    expect(new Set(receiver.received.map(({ id }) => id))).toEqual(
      new Set([...ids, waiting, next]),
    );
  });

  test("a pause by hand keeps what waits, and lets it go on", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { owner, webhooks, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url });
    const message = await under.accept();
    await under.attempted(1);
    expect(await webhooks.endpoints.update(owner, id, { disabled: true })).toMatchObject({
      ...{ disabled: true, disabledReason: "manual" },
    });
    await runtime.advance(HOUR_MS);
    expect(receiver.received).toHaveLength(1);
    expect((await webhooks.messages.get(owner, message)).deliveries[0]?.status).toBe("pending");
    receiver.answer = status(200);
    await webhooks.endpoints.update(owner, id, { disabled: false });
    expect(await under.attempted(2)).toMatchObject({ messageId: message, number: 2 });
  });
});
