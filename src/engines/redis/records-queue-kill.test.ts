/** What was answered is there after a `kill -9`: of the process that asked, and of a server that writes before it answers. */
import { expect, test } from "bun:test";
import { join } from "node:path";
import { startRedis, type RedisServer } from "../../../test/support/redis.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { createRedisEngine } from "./index.ts";

const Q = "queue";
const ALL_DUE = { limit: 1_000_000, leaseMs: 60_000 };
const ANSWERS = 3_000;
/** What the child leases for, how many at a time, and how many records it puts before it deletes some of them. */
const CHILD_LEASE_MS = 3_600_000;
const CHILD_ROUND = 16;
const CHILD_TAKES = 12;

interface Answer {
  readonly answer: string;
  readonly subject: string;
}

/** What a storing child had been answered when `kill` ended it, in the order of the answers. */
async function answersBefore(
  redis: RedisServer,
  kill: (child: { kill(signal: "SIGKILL"): void }) => void | Promise<void>,
): Promise<readonly Answer[]> {
  const path = join(import.meta.dir, "../../../test/support/storing-child.ts");
  await using child = Bun.spawn([process.execPath, path, redis.url], { stderr: "inherit" });
  const decoder = new TextDecoder();
  let output = "";
  let killed: Promise<void> | undefined;
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (killed === undefined && output.split("\n").length > ANSWERS) {
      killed = Promise.resolve(kill(child));
    }
  }
  await killed;
  await child.exited;
  // What stands behind the last line break was cut off by the kill.
  const lines = output.split("\n").slice(0, -1);
  return lines.map((line) => {
    const [answer = "", subject = ""] = line.split(" ");
    return { answer, subject };
  });
}

async function expectKept(redis: RedisServer, answers: readonly Answer[]): Promise<void> {
  expect(answers.length).toBeGreaterThanOrEqual(ANSWERS);
  const states = new Map(answers.map(({ answer, subject }) => [subject, answer]));
  const inState = (state: string) =>
    [...states].filter(([, answer]) => answer === state).map(([subject]) => subject);
  for (const state of ["put", "deleted", "added", "taken", "retried", "done"]) {
    expect([state, inState(state).length]).not.toEqual([state, 0]);
  }
  {
    await using engine = createRedisEngine({ url: redis.url, runtime: systemRuntime });
    await engine.start();
    const { records, queue } = engine.app("app");
    const kept = await records.list("", { limit: 1_000_000 });
    expect(kept.every(({ key, value }) => key === `r${value}`)).toBe(true);
    const keys = new Set(kept.map(({ key }) => key));
    // The kill may have cut off the answers to one round of deletes.
    const lost = inState("put").filter((key) => !keys.has(key));
    expect(inState("put").slice(-CHILD_ROUND)).toEqual(expect.arrayContaining(lost));
    expect(lost.every((key) => Number(key.slice(1)) % 4 === 0)).toBe(true);
    expect(inState("deleted").filter((key) => keys.has(key))).toEqual([]);

    const waiting = (await queue.take(Q, ALL_DUE)).map(({ payload }) => payload);
    const numbers = waiting.map(Number);
    expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    // Likewise the answer to one take.
    const missed = inState("added").filter((payload) => !waiting.includes(payload));
    expect(inState("added").slice(0, CHILD_TAKES)).toEqual(expect.arrayContaining(missed));
    for (const state of ["taken", "retried", "done"]) {
      expect(inState(state).filter((payload) => waiting.includes(payload))).toEqual([]);
    }
  }

  // The rest comes when its time has come, leases and retries alike, and never what was done.
  const epochMs = () => systemRuntime.clock.epochMs() + 2 * CHILD_LEASE_MS;
  await using late = createRedisEngine({
    ...{ url: redis.url, runtime: systemRuntime, nowMs: epochMs },
  });
  await late.start();
  const left = (await late.app("app").queue.take(Q, ALL_DUE)).map(({ payload }) => payload);
  expect(new Set(left).size).toBe(left.length);
  for (const state of ["added", "retried"]) {
    expect(inState(state).filter((payload) => !left.includes(payload))).toEqual([]);
  }
  // Jobs of the last take may have been done.
  const finished = inState("taken").filter((payload) => !left.includes(payload));
  expect(inState("taken").slice(-CHILD_TAKES)).toEqual(expect.arrayContaining(finished));
  expect(inState("done").filter((payload) => left.includes(payload))).toEqual([]);
}

test("a process that is killed loses nothing that it was answered, and its leases run out", async () => {
  await using redis = await startRedis();
  const answers = await answersBefore(redis, (child) => child.kill("SIGKILL"));
  await expectKept(redis, answers);
});

test("a server with `appendfsync always` that is killed keeps what it answered", async () => {
  await using redis = await startRedis({ appendOnly: true });
  const answers = await answersBefore(redis, () => redis.restart());
  await expectKept(redis, answers);
}, 60_000);
