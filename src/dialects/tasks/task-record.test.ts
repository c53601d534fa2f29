import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { TASK, taskToken } from "../../../test/support/task-nodes.ts";
import { createEmbeddedEngine } from "../../engines/embedded/index.ts";
import type { Records } from "../../core/engine.ts";
import { RECORD_ATTEMPTS_MAX } from "../../core/update-record.ts";
import { TaskRecords, withToken } from "./task-record.ts";

async function store() {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const { records } = engine.app("app");
  return {
    ...{ runtime, records, tasks: new TaskRecords(records, runtime.clock) },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

describe("a task's record", () => {
  test("of changes that race none is lost", async () => {
    await using held = await store();
    const { tasks, runtime } = held;
    const acceptedMs = runtime.clock.epochMs();
    const change = () =>
      tasks.update(TASK, (record) => ({
        ...record,
        ...{ newest: record.newest + 1, acceptedMs: [acceptedMs] },
      }));
    await Promise.all(Array.from({ length: 50 }, change));
    expect((await tasks.get(TASK))?.newest).toBe(50);
  });

  test("that others keep changing is given up as unavailable", async () => {
    await using held = await store();
    const { tasks, records } = held;
    let attempts = 0;
    const contested = new TaskRecords(
      { ...records, put: async () => undefined },
      held.runtime.clock,
    );
    const change = contested.update(TASK, (record) => {
      attempts += 1;
      return record;
    });
    expect(change).rejects.toMatchObject({ code: "unavailable" });
    await change.catch(() => {});
    expect(attempts).toBe(RECORD_ATTEMPTS_MAX);
    expect(await tasks.get(TASK)).toBeUndefined();
  });

  test("lives as long as the longest of what needs it", async () => {
    const minute = 60_000;
    for (const [lifeMs, make] of [
      [60 * minute, (nowMs: number) => ({ tokensUntilMs: nowMs + 60 * minute })],
      [7 * 24 * 60 * minute, (nowMs: number) => ({ revokedMs: nowMs })],
      [
        20 * minute,
        (nowMs: number) => ({ clock: { afterSeq: 0, deadlineMs: nowMs + 20 * minute } }),
      ],
      [minute, (nowMs: number) => ({ acceptedMs: [nowMs] })],
    ] as const) {
      // Moving seven days would take as long as all else here: the engine's own tests show that records expire.
      await using held = await store();
      const { records, runtime } = held;
      const lives: (number | undefined)[] = [];
      const noting: Records = {
        ...records,
        put(key, value, options) {
          lives.push(options?.ttlMs);
          return records.put(key, value, options);
        },
      };
      const made = make(runtime.clock.epochMs());
      const tasks = new TaskRecords(noting, runtime.clock);
      await tasks.update(TASK, (record) => ({ ...record, ...made }));
      expect(lives).toEqual([lifeMs]);
    }
  });

  test("learns of tokens by their issue or their use, and forgets none that live longer", async () => {
    await using held = await store();
    const { tasks, runtime } = held;
    const nowMs = runtime.clock.epochMs();
    const plain = taskToken(runtime, { expiresMs: nowMs + 10 });
    const offline = taskToken(runtime, { expiresMs: nowMs + 5, sendOfflineMessage: true });
    await tasks.update(TASK, (record) => withToken(withToken(record, plain), offline));
    expect(await tasks.get(TASK)).toMatchObject({
      ...{ tokensUntilMs: nowMs + 10, offlineUntilMs: nowMs + 5 },
    });
  });
});
