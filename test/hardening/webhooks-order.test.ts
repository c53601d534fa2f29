/** Ordered endpoints, leases, and what a stop or a kill leaves behind (webhooks.md §7.5, §7.6). */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { WEBHOOK_LIMITS } from "../../src/webhooks/contract.ts";
import { createRandom } from "../support/random.ts";
import { temporaryDir } from "../support/server.ts";
import { startReceiver, status } from "../support/webhook-receiver.ts";
import { bootWebhooks, HOUR_MS, type WebhooksUnderTest } from "../support/webhooks.ts";

const PAGE = { limit: 250 };

/** Lets time pass until this many attempts have ended. */
async function passUntil(under: WebhooksUnderTest, count: number, stepMs = 20): Promise<void> {
  while (under.attempts.length < count) {
    await under.runtime.advance(stepMs);
    for (let turn = 0; turn < 10; turn += 1) await under.runtime.settle();
  }
}

describe("an ordered endpoint", () => {
  test("gets 100 messages in order, one at a time, whatever fails", async () => {
    const random = createRandom("ordered endpoint");
    let open = 0;
    let mostOpen = 0;
    const arrived: string[] = [];
    await using receiver = await startReceiver({
      answer(response, { id }) {
        open += 1;
        mostOpen = Math.max(mostOpen, open);
        setImmediate(() => {
          open -= 1;
          const good = !random.chance(0.4);
          if (good) arrived.push(id);
          response.writeHead(good ? 200 : random.pick([400, 500, 404])).end();
        });
      },
    });
    await using under = await bootWebhooks();
    await under.endpoint({
      ...{ url: receiver.url, ordered: true, rateLimit: 1000 },
      retryScheduleS: Array.from({ length: 15 }, () => 1),
    });
    const ids: string[] = [];
    for (let index = 0; index < 100; index += 1) ids.push(await under.accept());
    while (arrived.length < 100) await passUntil(under, under.attempts.length + 1);
    expect(arrived).toEqual(ids);
    expect(mostOpen).toBe(1);
  }, 30_000);

  test("stands still behind a failing message, and goes on once that is exhausted", async () => {
    await using receiver = await startReceiver({
      answer: (response, { body }) =>
        void response.writeHead(body.includes("stuck") ? 500 : 200).end(),
    });
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url, ordered: true, retryScheduleS: [60, 60] });
    const stuck = await under.accept({ body: '"stuck"' });
    const rest = [await under.accept(), await under.accept()];
    await under.attempted(1);
    await under.runtime.advance(30_000);
    expect(receiver.received).toHaveLength(1);
    await passUntil(under, 5, 1_000);
    expect(receiver.received.map(({ id }) => id)).toEqual([stuck, stuck, stuck, ...rest]);
  });

  test("lets a replay by hand go past what it waits for", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner } = under;
    const { id } = await under.endpoint({ url: receiver.url, ordered: true });
    const first = await under.accept();
    await under.attempted(1);
    const second = await under.accept();
    await under.runtime.advance(1_000);
    receiver.answer = status(200);
    await webhooks.replays.one(owner, second, id);
    await under.attempted(2);
    expect(receiver.received.map((received) => received.id)).toEqual([first, second]);
  });

  test("keeps 10,000 messages behind the first, and lets the oldest of them go", async () => {
    await using receiver = await startReceiver({ answer: status(500) });
    await using under = await bootWebhooks();
    const { webhooks, owner, runtime } = under;
    const { id } = await under.endpoint({ url: receiver.url, ordered: true });
    const stuck = await under.accept({ body: "{}" });
    await under.attempted(1);
    const ids: string[] = [];
    const add = async (count: number) => {
      for (let left = count; left > 0; left -= 100) {
        const share = Array.from({ length: Math.min(left, 100) }, () =>
          under.accept({ body: "{}" }),
        );
        ids.push(...(await Promise.all(share)));
      }
    };
    await add(WEBHOOK_LIMITS.orderedMessages);
    const dead = async () =>
      (await webhooks.deadLetters.list(owner, {}, PAGE)).data.map(({ messageId, reason }) => [
        ids.indexOf(messageId),
        reason,
      ]);
    expect(await dead()).toEqual([]);
    await add(1);
    expect(await dead()).toEqual([[0, "overflow"]]);
    await add(2);
    expect(await dead()).toEqual([2, 1, 0].map((index) => [index, "overflow"]));
    const queue = `webhooks/${owner.applicationId}/${id}`;
    const { waiting, leased } = await under.engine.queue.counts(queue);
    expect(waiting + leased).toBe(WEBHOOK_LIMITS.orderedMessages + 1);
    const shown = await webhooks.messages.get(owner, ids[0] ?? "");
    expect(shown.deliveries).toMatchObject([{ status: "failed", attempts: 0 }]);
    receiver.answer = status(200);
    await runtime.advance(6_000);
    await passUntil(under, 4);
    expect(receiver.received.slice(0, 4).map((received) => received.id)).toEqual([
      ...[stuck, stuck, ids[3] ?? "", ids[4] ?? ""],
    ]);
  }, 60_000);
});

describe("leases", () => {
  test("two senders on one engine never send the same attempt while a lease holds", async () => {
    const held: (() => void)[] = [];
    await using receiver = await startReceiver({
      answer: (response) => void held.push(() => response.writeHead(200).end()),
    });
    await using one = await bootWebhooks();
    await using two = await bootWebhooks({ beside: one });
    await one.endpoint({ url: receiver.url, rateLimit: 1000 });
    // The other one learns of it as after a start.
    await two.webhooks.start();
    const ids = await Promise.all(Array.from({ length: 20 }, () => one.accept()));
    await one.runtime.advance(100);
    await receiver.reached(20);
    await one.runtime.advance(10_000);
    expect(receiver.received).toHaveLength(20);
    expect(new Set(receiver.received.map(({ id }) => id))).toEqual(new Set(ids));
    for (const answer of held) answer();
    while (one.attempts.length + two.attempts.length < 20) await one.runtime.settle();
    await one.runtime.advance(HOUR_MS);
    expect(receiver.received).toHaveLength(20);
    expect(one.attempts.length).toBeGreaterThan(0);
    expect(two.attempts.length).toBeGreaterThan(0);
  });

  test("a sender that is gone with a request is replaced a minute later, under the same id", async () => {
    await using receiver = await startReceiver({
      answer: (response, _, count) => void (count > 1 && response.end()),
    });
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url });
    const { owner, engine } = under;
    await under.webhooks.endpoints.update(owner, id, { disabled: true });
    await under.webhooks.endpoints.update(owner, id, { disabled: false });
    // Taken and never settled, as by a process that was killed.
    await under.webhooks.close();
    const message = await under.accept();
    const queue = `webhooks/${owner.applicationId}/${id}`;
    await engine.queue.take(queue, { limit: 1, leaseMs: 60_000 });
    await using next = await bootWebhooks({ beside: under });
    await next.runtime.advance(59_000);
    expect(receiver.received).toHaveLength(0);
    await next.runtime.advance(1_000);
    await receiver.reached(1);
    await next.runtime.advance(15_000);
    await next.attempted(1);
    expect(receiver.received[0]?.id).toBe(message);
  });

  test("a stop lets requests end, for 20 seconds, and gives the rest back at once", async () => {
    const held: (() => void)[] = [];
    await using receiver = await startReceiver({
      answer: (response) => void held.push(() => response.writeHead(200).end()),
    });
    await using under = await bootWebhooks();
    const { id } = await under.endpoint({ url: receiver.url, rateLimit: 1000 });
    const messages = [await under.accept(), await under.accept()];
    await under.runtime.advance(1);
    await receiver.reached(2);
    const closed = under.webhooks.close();
    const later = await under.accept();
    held[0]?.();
    await under.attempted(1);
    // The other one's deadline comes first, so it fails in time and is put back for its retry.
    await under.runtime.advance(20_000);
    await closed;
    expect(receiver.received).toHaveLength(2);
    expect(under.attempts.map(({ error }) => error)).toEqual([null, "timeout"]);
    const queue = `webhooks/${under.owner.applicationId}/${id}`;
    expect(await under.engine.queue.counts(queue)).toEqual({ waiting: 2, leased: 0 });
    receiver.answer = status(200);
    await using next = await bootWebhooks({ beside: under });
    await next.attempted(1);
    await next.runtime.advance(120_000);
    await next.attempted(2);
    expect(next.attempts.map(({ messageId }) => messageId)).toEqual([later, messages[1] ?? ""]);
  });
});

describe("several nodes", () => {
  test("share the endpoints out, learn of new and enabled ones, and take over from one that left", async () => {
    await using receiver = await startReceiver();
    const nodes = ["a", "b"];
    const cluster = (self: string) => ({ self, nodes: async () => nodes });
    await using a = await bootWebhooks({ cluster: cluster("a") });
    await using b = await bootWebhooks({ beside: a, cluster: cluster("b") });
    const endpoints = [];
    for (let index = 0; index < 20; index += 1) {
      endpoints.push(await (index % 2 === 0 ? a : b).endpoint({ url: receiver.url }));
    }
    const sent = () => [...a.attempts, ...b.attempts].length;
    const pass = async (count: number) => {
      while (sent() < count) {
        await a.runtime.advance(500);
        for (let turn = 0; turn < 50; turn += 1) await a.runtime.settle();
      }
    };
    for (let round = 1; round <= 3; round += 1) {
      await (round === 2 ? b : a).accept();
      await pass(20 * round);
    }
    const ofA = new Set(a.attempts.map(({ endpointId }) => endpointId));
    const ofB = new Set(b.attempts.map(({ endpointId }) => endpointId));
    expect(ofA.size + ofB.size).toBe(20);
    expect(Math.min(ofA.size, ofB.size)).toBeGreaterThan(2);
    expect(a.webhooks.stats().lanes + b.webhooks.stats().lanes).toBe(20);

    // Paused and enabled on the node that does not deliver to it.
    const [other = ""] = ofB;
    await a.webhooks.endpoints.update(a.owner, other, { disabled: true });
    await a.accept();
    await pass(79);
    await a.runtime.advance(5);
    await a.webhooks.endpoints.update(a.owner, other, { disabled: false });
    await a.accept();
    await pass(99);

    nodes.pop();
    await b.webhooks.close();
    await a.accept();
    await pass(119);
    expect(a.webhooks.stats().lanes).toBe(20);
    expect(receiver.received).toHaveLength(119);
  });
});

test("a message that is accepted again is sent once, and gets its first answer", async () => {
  await using receiver = await startReceiver();
  await using under = await bootWebhooks();
  const { webhooks, owner } = under;
  await under.endpoint({ url: receiver.url });
  const message = {
    ...{ ...owner, id: "msg_2iFmwXASMpS3l4IZsauPs8I1eOx", eventType: "a.b" },
    ...{ channels: [], body: "{}" },
  };
  const accept = () => webhooks.accept(message);
  const answers: unknown[] = await Promise.all([accept(), accept()]);
  await under.attempted(1);
  await under.endpoint({ url: receiver.url });
  answers.push(await accept());
  await under.runtime.advance(HOUR_MS);
  expect(answers).toEqual([{ endpoints: 1 }, { endpoints: 1 }, { endpoints: 1 }]);
  expect(receiver.received).toHaveLength(1);
  expect((await webhooks.messages.list(owner, {}, PAGE)).data).toHaveLength(1);
});

test("kill -9 in the middle of 1,000 deliveries: none is lost, and order is kept where it is promised", async () => {
  const count = 1_000;
  const root = temporaryDir();
  const dataDir = join(root, "data");
  const plain = new Map<string, number>();
  const ordered: string[] = [];
  await using receiver = await startReceiver({
    answer(response, { path, id }) {
      if (path.endsWith("/plain")) plain.set(id, (plain.get(id) ?? 0) + 1);
      else ordered.push(id);
      response.writeHead(200).end();
    },
  });
  const run = async (killAfter: number) => {
    const child = Bun.spawn(
      [
        ...[process.execPath, join(import.meta.dir, "../support/webhooks-child.ts"), dataDir],
        ...[receiver.url.replace("/in", ""), `${count}`],
      ],
      { stdout: "pipe", stderr: "inherit" },
    );
    const lines: string[] = [];
    if (killAfter < Infinity) {
      void receiver.reached(killAfter).then(() => child.kill("SIGKILL"));
    }
    for await (const line of linesOf(child.stdout)) {
      lines.push(line);
      // The first run may fall quiet between two messages; its end is the kill.
      if (line === "quiet" && !lines.some((one) => one.startsWith("msg_"))) break;
    }
    child.kill("SIGKILL");
    await child.exited;
    return lines;
  };
  try {
    // Killed in the middle of accepting and sending, and again in the middle of sending what is left. What the one before had under
    // a lease of a minute is given out at once.
    const first = await run(300);
    const accepted = first.filter((line) => line.startsWith("msg_"));
    expect(accepted.length).toBeGreaterThan(0);
    const seen = receiver.received.length;
    await run(seen + 100);
    await run(Infinity);
    for (const id of accepted) {
      expect([id, plain.has(id)]).toEqual([id, true]);
      expect([id, ordered.includes(id)]).toEqual([id, true]);
    }
    // Repeats come only from what was in flight at a kill.
    const repeats = [...plain.values()].filter((times) => times > 1).length;
    expect(repeats).toBeLessThanOrEqual(2 * 10);
    const firsts = [...new Set(ordered)];
    const numbers = firsts.map((id) => numberOf(receiver.received, id));
    expect(numbers).toEqual(numbers.toSorted((a, b) => a - b));
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}, 60_000);

function numberOf(
  received: Awaited<ReturnType<typeof startReceiver>>["received"],
  id: string,
): number {
  const one = received.find((candidate) => candidate.id === id);
  return (JSON.parse(one?.body.toString() ?? "{}") as { number: number }).number;
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    yield* lines;
  }
}
