/** Sending again: one message, what failed, what is missing; and the dead letters (webhooks.md §5.3, §5.4). */
import { describe, expect, test } from "bun:test";
import { WEBHOOK_LIMITS, type WebhookTask } from "../../src/webhooks/contract.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";
import {
  bootWebhooks,
  DAY_MS,
  HOUR_MS,
  refusal,
  type WebhooksUnderTest,
} from "../support/webhooks.ts";

const PAGE = { limit: 250 };

/** Moves time a little until the task has ended; what it queued may still be under way. */
async function ended({ webhooks, owner, runtime }: WebhooksUnderTest, id: string) {
  for (let turn = 0; turn < 1_000; turn += 1) {
    const task = await webhooks.replays.task(owner, id);
    if (task.status !== "running") return task;
    await runtime.advance(1);
  }
  throw new Error("The task does not end");
}

/** Lets everything that is due go out and come back. */
async function quiet(under: WebhooksUnderTest, count: number): Promise<void> {
  while (under.attempts.length < count) {
    await under.runtime.advance(20);
    for (let turn = 0; turn < 10; turn += 1) await under.runtime.settle();
  }
}

/** Messages that failed for good, a minute apart, oldest first. */
async function failed(under: WebhooksUnderTest, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    await under.runtime.advance(60_000);
    const made = under.attempts.length;
    ids.push(await under.accept({ eventType: `order.e${index % 2}` }));
    await under.attempted(made + 1);
  }
  return ids;
}

const statusOf = async (under: WebhooksUnderTest, message: string, endpoint: string) =>
  (await under.webhooks.messages.get(under.owner, message)).deliveries.find(
    ({ endpointId }) => endpointId === endpoint,
  );

describe("one message", () => {
  test("is sent once more, without retries, and a success makes the failed delivery one", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    const [message = ""] = await failed(under, 1);
    await webhooks.replays.one(owner, message, id);
    await quiet(under, 2);
    expect(await under.attempted(2)).toMatchObject({
      ...{ number: 2, trigger: "manual", status: "failed", nextAttemptAtMs: null },
    });
    await runtime.advance(DAY_MS);
    expect(receiver.received).toHaveLength(2);
    expect((await statusOf(under, message, id))?.status).toBe("failed");
    receiver.answer = status(200);
    await webhooks.replays.one(owner, message, id);
    await under.attempted(3);
    expect(await statusOf(under, message, id)).toMatchObject({ status: "succeeded", attempts: 3 });
    expect((await webhooks.deadLetters.list(owner, {}, PAGE)).data).toEqual([]);
    expect(under.notices.map(({ type }): string => type)).toEqual([
      ...["endpoint.created", "message.exhausted", "message.recovered"],
    ]);
  });

  test("goes to an endpoint whose filters it never matched, and its retries elsewhere go on", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const first = await under.endpoint({ url: receiver.url });
    const message = await under.accept({ eventType: "order.paid" });
    const { nextAttemptAtMs } = await under.attempted(1);
    await using other = await startReceiver({ answer: status(500) });
    const { id } = await under.endpoint({ url: other.url, eventTypes: ["x.y"] });
    await webhooks.replays.one(owner, message, id);
    await under.attempted(2);
    expect(await statusOf(under, message, id)).toMatchObject({ status: "failed", attempts: 1 });
    other.answer = status(200);
    await webhooks.replays.one(owner, message, id);
    await quiet(under, 3);
    expect(await statusOf(under, message, id)).toMatchObject({ status: "succeeded", attempts: 2 });
    // A success by hand is one: the schedule ends with it.
    receiver.answer = status(200);
    await webhooks.replays.one(owner, message, first.id);
    await quiet(under, 4);
    await under.advanceTo((nextAttemptAtMs ?? 0) + HOUR_MS);
    expect(receiver.received).toHaveLength(2);
    expect(await statusOf(under, message, first.id)).toMatchObject({ status: "succeeded" });
  });

  test("is refused for a disabled endpoint, and for one that is unknown", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const { id } = await under.endpoint({ url: "http://127.0.0.1:9999/" });
    const message = await under.accept();
    await webhooks.endpoints.update(owner, id, { disabled: true });
    expect((await refusal(webhooks.replays.one(owner, message, id))).code).toBe(
      "endpoint_disabled",
    );
    expect((await refusal(webhooks.replays.one(owner, "msg_x", id))).code).toBe("not_found");
    expect((await refusal(webhooks.replays.one(owner, message, "ep_x"))).code).toBe("not_found");
  });
});

describe("recover", () => {
  test("sends what failed within the window, oldest first, with the whole schedule again", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url, retryScheduleS: [5], ordered: true });
    const startMs = runtime.clock.epochMs();
    const ids: string[] = [];
    for (let index = 0; index < 6; index += 1) {
      ids.push(await under.accept());
      await quiet(under, 2 * (index + 1));
      await under.advanceTo(startMs + (index + 1) * 60_000);
    }
    // One that was made good meanwhile, and one that was discarded.
    receiver.answer = status(200);
    await webhooks.replays.one(owner, ids[2] ?? "", id);
    await quiet(under, 13);
    const [letter] = (await webhooks.deadLetters.list(owner, {}, PAGE)).data.filter(
      ({ messageId }) => messageId === ids[3],
    );
    expect(await webhooks.deadLetters.discard(owner, { ids: [letter?.id ?? ""] })).toBe(1);
    receiver.answer = status(500);
    const sent = receiver.received.length;
    const task = await webhooks.replays.recover(owner, id, {
      ...{ sinceMs: startMs + 60_000, untilMs: startMs + 300_000 },
    });
    expect(task).toMatchObject({ type: "recover", status: "running", done: 0 });
    expect(await ended(under, task.id)).toMatchObject({ status: "finished", done: 3, total: 3 });
    await quiet(under, 13 + 6);
    const again = receiver.received.slice(sent).map((received) => received.id);
    expect(again).toEqual([1, 1, 4, 4, 5, 5].map((index) => ids[index] ?? ""));
    expect(await statusOf(under, ids[1] ?? "", id)).toMatchObject({
      status: "failed",
      attempts: 4,
    });
    const dead = (await webhooks.deadLetters.list(owner, {}, PAGE)).data;
    expect(dead.map(({ messageId }) => ids.indexOf(messageId))).toEqual([5, 4, 1, 0]);
  });

  test("goes back 14 days and five minutes, and no further", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: "http://127.0.0.1:9999/" });
    const oldestMs = () => runtime.clock.epochMs() - 14 * DAY_MS - 300_000;
    const eventTypes = null;
    const recover = (sinceMs: number) => webhooks.replays.recover(owner, id, { sinceMs });
    const missing = (sinceMs: number) =>
      webhooks.replays.missing(owner, id, { sinceMs, eventTypes });
    expect((await refusal(recover(oldestMs() - 1))).code).toBe("invalid_request");
    expect((await refusal(missing(oldestMs() - 1))).code).toBe("invalid_request");
    await ended(under, (await recover(oldestMs())).id);
    await ended(under, (await missing(oldestMs())).id);
  });

  test("is one task per endpoint at a time", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const url = "http://127.0.0.1:9999/";
    const [one, other] = [await under.endpoint({ url }), await under.endpoint({ url })];
    const sinceMs = runtime.clock.epochMs();
    const starts = await Promise.allSettled(
      Array.from({ length: 5 }, () => webhooks.replays.recover(owner, one.id, { sinceMs })),
    );
    const [task, ...rest] = starts.flatMap((start): WebhookTask[] =>
      start.status === "fulfilled" ? [start.value] : [],
    );
    expect(rest).toEqual([]);
    await webhooks.replays.recover(owner, other.id, { sinceMs });
    await ended(under, task?.id ?? "");
    await ended(under, (await webhooks.replays.recover(owner, one.id, { sinceMs })).id);
  });
});

describe("replay-missing", () => {
  test("sends what matches now and was never sent: from before, and from a pause", async () => {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const sinceMs = runtime.clock.epochMs();
    const before = [
      await under.accept({ eventType: "order.paid", channels: ["orders"] }),
      await under.accept({ eventType: "order.paid", channels: ["other"] }),
      await under.accept({ eventType: "shipment.updated", channels: ["orders"] }),
    ];
    await runtime.advance(1_000);
    const { id } = await under.endpoint({
      ...{ url: receiver.url, eventTypes: ["order.*"], channels: ["orders"] },
    });
    const sent = await under.accept({ eventType: "order.paid", channels: ["orders"] });
    await under.attempted(1);
    await webhooks.endpoints.test(owner, id, "order.paid");
    await webhooks.endpoints.update(owner, id, { disabled: true });
    await runtime.advance(1_000);
    const paused = await under.accept({ eventType: "order.late", channels: ["orders"] });
    const unwanted = await under.accept({ eventType: "order.other", channels: ["orders"] });
    await webhooks.endpoints.update(owner, id, { disabled: false });
    const tested = receiver.received.length;
    const task = await webhooks.replays.missing(owner, id, {
      ...{ sinceMs, eventTypes: ["order.paid", "order.late"] },
    });
    expect(await ended(under, task.id)).toMatchObject({
      ...{ type: "replay_missing", status: "finished", done: 2, total: 2 },
    });
    await quiet(under, 3);
    const again = receiver.received.slice(tested).map((received) => received.id);
    expect(again).toEqual([before[0] ?? "", paused]);
    const rest = await webhooks.replays.missing(owner, id, { sinceMs, eventTypes: null });
    await ended(under, rest.id);
    await quiet(under, 4);
    expect(receiver.received.at(-1)?.id).toBe(unwanted);
    const none = await webhooks.replays.missing(owner, id, { sinceMs, eventTypes: null });
    expect(await ended(under, none.id)).toMatchObject({ done: 0, total: 0 });
    expect(receiver.received.filter((received) => received.id === sent)).toHaveLength(1);
  });

  test("sends the oldest 10,000 at the most, in their order, and can be stopped", async () => {
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime, engine } = under;
    const most = WEBHOOK_LIMITS.taskMessages;
    const ids: string[] = [];
    for (let index = 0; index < most + 150; index += 50) {
      ids.push(
        ...(await Promise.all(Array.from({ length: 50 }, () => under.accept({ body: "{}" })))),
      );
      await runtime.advance(1);
    }
    const { id } = await under.endpoint({ url: "http://127.0.0.1:9999/", rateLimit: 1 });
    // What is queued waits: the endpoint takes nothing while it is paused, and is looked at in its queue.
    const sinceMs = runtime.clock.epochMs() - HOUR_MS;
    const task = await webhooks.replays.missing(owner, id, { sinceMs, eventTypes: null });
    for (;;) {
      const { status: state, done, total } = await webhooks.replays.task(owner, task.id);
      expect(total).toBeLessThanOrEqual(most);
      if (state !== "running") break;
      if (done === most) expect(total).toBe(most);
      await runtime.settle();
    }
    expect(await webhooks.replays.task(owner, task.id)).toMatchObject({
      ...{ status: "finished", done: most, total: most },
    });
    const queue = `webhooks/${owner.applicationId}/${id}`;
    const { waiting, leased } = await engine.queue.counts(queue);
    // One or two went out meanwhile, and come back as retries.
    expect(waiting + leased).toBe(most);
    const states = await Promise.all(
      [0, most - 1, most, most + 149].map(
        async (index) => (await statusOf(under, ids[index] ?? "", id))?.status,
      ),
    );
    expect(states.map((state) => state !== undefined)).toEqual([true, true, false, false]);
    await webhooks.endpoints.delete(owner, id);

    const other = await under.endpoint({ url: "http://127.0.0.1:9999/", rateLimit: 1 });
    const stopped = await webhooks.replays.missing(owner, other.id, { sinceMs, eventTypes: null });
    await webhooks.replays.cancelTask(owner, stopped.id);
    await runtime.advance(1_000);
    const after = await webhooks.replays.task(owner, stopped.id);
    expect(after.status).toBe("cancelled");
    expect(after.done).toBeLessThan(most);
    // The endpoint is free again.
    await webhooks.replays.cancelTask(owner, stopped.id);
    const next = await webhooks.replays.recover(owner, other.id, { sinceMs });
    await ended(under, next.id);
  }, 60_000);
});

test("a task that a stop interrupted goes on with the next start", async () => {
  await using under = await bootWebhooks();
  const { webhooks, owner, runtime } = under;
  for (let index = 0; index < 1_000; index += 50) {
    await Promise.all(Array.from({ length: 50 }, () => under.accept({ body: "{}" })));
  }
  await runtime.advance(1);
  const { id } = await under.endpoint({ url: "http://127.0.0.1:9999/", rateLimit: 1 });
  const asked = { sinceMs: runtime.clock.epochMs() - HOUR_MS, eventTypes: null };
  const { id: task } = await webhooks.replays.missing(owner, id, asked);
  // A settled runtime would have settled the task too.
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  while ((await webhooks.replays.task(owner, task)).total < 300) await turn();
  await webhooks.close();
  const before = await webhooks.replays.task(owner, task);
  expect(before.status).toBe("running");
  await using next = await bootWebhooks({ beside: under });
  const ended = async () => {
    for (;;) {
      const now = await next.webhooks.replays.task(owner, task);
      if (now.status !== "running") return now;
      await runtime.settle();
    }
  };
  expect(await ended()).toMatchObject({ status: "finished", done: 1_000, total: 1_000 });
  const { waiting, leased } = await under.engine.queue.counts(
    `webhooks/${owner.applicationId}/${id}`,
  );
  expect(waiting + leased).toBe(1_000);
});

describe("dead letters", () => {
  test("are listed newest first, by endpoint, type and time", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const startMs = runtime.clock.epochMs();
    const { id } = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    const ids = await failed(under, 4);
    await runtime.advance(60_000);
    const other = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    await under.accept({ eventType: "order.e9" });
    await quiet(under, 6);
    const list = async (filter: Parameters<typeof webhooks.deadLetters.list>[1], limit = 250) =>
      (await webhooks.deadLetters.list(owner, filter, { limit })).data.map(
        ({ messageId, endpointId }) =>
          `${ids.indexOf(messageId)}${endpointId === id ? "" : " other"}`,
      );
    expect((await list({})).toSorted()).toEqual(["-1", "-1 other", "0", "1", "2", "3"]);
    expect(await list({ endpointId: id }, 3)).toEqual(["-1", "3", "2"]);
    expect(await list({ endpointId: other.id })).toEqual(["-1 other"]);
    expect(await list({ eventType: "order.e1" })).toEqual(["3", "1"]);
    expect(await list({ sinceMs: startMs + 120_000, untilMs: startMs + 180_000 })).toEqual([
      "2",
      "1",
    ]);
    await runtime.advance(30 * DAY_MS);
    expect(await list({})).toEqual([]);
  });

  test("are replayed by id or all of an endpoint, and discarded likewise", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const { id } = await under.endpoint({ url: receiver.url, retryScheduleS: [] });
    const ids = await failed(under, 6);
    const letters = (await webhooks.deadLetters.list(owner, {}, PAGE)).data.toReversed();
    const letterIds = letters.map((letter) => letter.id);
    receiver.answer = status(200);
    const chosen = [letterIds[3] ?? "", letterIds[1] ?? "", letterIds[1] ?? "", "dl_unknown"];
    const task = await webhooks.deadLetters.replay(owner, { ids: chosen });
    expect(task).toMatchObject({ type: "replay_dead_letters", total: 2 });
    await ended(under, task.id);
    await quiet(under, 8);
    expect(receiver.received.slice(6).map((received) => received.id)).toEqual([
      ...[ids[1] ?? "", ids[3] ?? ""],
    ]);
    expect(await webhooks.deadLetters.discard(owner, { ids: [letterIds[0] ?? "", "x"] })).toBe(1);
    await ended(under, (await webhooks.deadLetters.replay(owner, { endpointId: id })).id);
    await quiet(under, 11);
    expect(receiver.received.slice(8).map((received) => received.id)).toEqual([
      ...[ids[2] ?? "", ids[4] ?? "", ids[5] ?? ""],
    ]);
    expect((await webhooks.deadLetters.list(owner, {}, PAGE)).data).toEqual([]);
    expect((await statusOf(under, ids[0] ?? "", id))?.status).toBe("failed");
    receiver.answer = status(500);
    await failed(under, 3);
    expect(await webhooks.deadLetters.discard(owner, { endpointId: id })).toBe(3);
    expect(await webhooks.deadLetters.discard(owner, { endpointId: id })).toBe(0);
  });

  test("100 ids at a time, and not one more", async () => {
    await using under = await bootWebhooks();
    const { deadLetters } = under.webhooks;
    const ids = Array.from({ length: 101 }, (_, index) => `dl_${index}`);
    expect(await deadLetters.discard(under.owner, { ids: ids.slice(1) })).toBe(0);
    expect((await refusal(deadLetters.discard(under.owner, { ids }))).code).toBe("invalid_request");
    expect((await refusal(deadLetters.replay(under.owner, { ids }))).code).toBe("invalid_request");
  });
});
