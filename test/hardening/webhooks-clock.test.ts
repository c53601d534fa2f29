/** A clock that is set back two hours: no retry, and no other delay of webhooks, is longer for it. */
import { expect, test } from "bun:test";
import { HubError } from "../../src/core/errors.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";
import { bootWebhooks, HOUR_MS } from "../support/webhooks.ts";

const BACK_MS = -2 * HOUR_MS;

test("retries are made at their time, before and behind it", async () => {
  await using receiver = await startReceiver({ answer: status(500) });
  await using under = await bootWebhooks();
  const { runtime } = under;
  await under.endpoint({ url: receiver.url, retryScheduleS: [600, 600] });
  await under.accept();
  const first = await under.attempted(1);
  const waitMs = (first.nextAttemptAtMs ?? 0) - runtime.clock.epochMs();
  expect(waitMs).toBeGreaterThan(0);
  await runtime.advance(waitMs / 2);
  runtime.setClock(BACK_MS);
  await runtime.advance(waitMs / 2 - 1);
  expect(under.attempts).toHaveLength(1);
  await runtime.advance(2);
  const second = await under.attempted(2);
  expect(second.atMs).toBeLessThan(first.atMs);
  await under.advanceTo(second.nextAttemptAtMs ?? 0);
  expect((await under.attempted(3)).number).toBe(3);
});

test("a job whose worker could not put it back, and comes again with its lease's end, waits no longer than planned", async () => {
  await using receiver = await startReceiver({ answer: status(500) });
  let away = false;
  await using under = await bootWebhooks({
    wrap: (engine) => ({
      ...engine,
      queue: {
        ...engine.queue,
        retry: (...args) =>
          away
            ? Promise.reject(new HubError("unavailable", "The engine is away"))
            : engine.queue.retry(...args),
      },
    }),
  });
  const { runtime, webhooks } = under;
  await under.endpoint({ url: receiver.url, retryScheduleS: [1_800, 1_800] });
  away = true;
  const id = await under.accept();
  await receiver.reached(1);
  while ((await webhooks.messages.get(under.owner, id)).deliveries[0]?.attempts !== 1) {
    await runtime.settle();
  }
  const [delivery] = (await webhooks.messages.get(under.owner, id)).deliveries;
  const waitMs = (delivery?.nextAttemptAtMs ?? 0) - runtime.clock.epochMs();
  away = false;
  runtime.setClock(BACK_MS);
  // The lease ends within it, and nothing is sent.
  await runtime.advance(waitMs - 1);
  expect(receiver.received).toHaveLength(1);
  await runtime.advance(61_000);
  expect(receiver.received).toHaveLength(2);
  expect(await under.attempted(1)).toMatchObject({ number: 2 });
  under.errors.length = 0;
});

test("an endpoint that was enabled again may be so once more", async () => {
  await using receiver = await startReceiver({ answer: status(410) });
  await using under = await bootWebhooks();
  const { runtime, webhooks, owner } = under;
  const { id } = await under.endpoint({ url: receiver.url });
  await under.accept();
  await under.attempted(1);
  await webhooks.endpoints.update(owner, id, { disabled: false });
  await runtime.advance(1_000);
  await under.accept();
  await under.attempted(2);
  runtime.setClock(BACK_MS);
  expect((await webhooks.endpoints.update(owner, id, { disabled: false })).disabled).toBe(false);
});
