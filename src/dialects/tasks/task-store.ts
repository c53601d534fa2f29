/** What the JSON-RPC methods do to a task (task-tokens.md §4.5 to §4.7, §5.2, §5.3): its record, its stream, its connections. */
import { IDEMPOTENCY_TTL_MS } from "../../core/engine.ts";
import type { TaskToken } from "./client-token.ts";
import type { TasksContext } from "./context.ts";
import { noteOnIssue, taskClock } from "./deadlines.ts";
import { countConnections, tellEverywhere } from "./displacement.ts";
import { UNKEPT_MESSAGE_MS, UNKNOWN_TASK_RETENTION_MS } from "./session-limits.ts";
import { channelOf, limitsOf, readStream, toPublication } from "./task-channel.ts";
import { TaskRecords, withToken, type TaskRecord } from "./task-store-record.ts";
import type { Invocation, Invoked, TaskStore } from "./tasks.ts";

type Parts = Pick<TasksContext, "hub" | "records" | "settings" | "runtime" | "onError">;

export function createTaskStore(parts: Parts): TaskStore {
  const { hub, records: store, settings, runtime } = parts;
  const { clock } = runtime;
  const records = new TaskRecords(store, clock);

  /** 0: not kept (§5.3). */
  function keptUntil(record: TaskRecord | undefined, newTimeoutMs: number, nowMs: number): number {
    if (record === undefined) return nowMs + Math.max(UNKNOWN_TASK_RETENTION_MS, newTimeoutMs);
    if (record.offlineUntilMs <= nowMs) return 0;
    return Math.max(nowMs + settings.retentionMs, nowMs + newTimeoutMs, record.offlineUntilMs);
  }

  async function send(invocation: Invocation): Promise<Invoked> {
    const { taskId, message, newTimeoutMs, idempotencyKey } = invocation;
    // Before it is published: connections that it ends could not be counted any more.
    const delivered = invocation.report ? await countConnections(parts, taskId) : undefined;
    const record = await records.get(taskId);
    const nowMs = clock.epochMs();
    const keptUntilMs = keptUntil(record, newTimeoutMs, nowMs);
    // One that is not kept still says what the clock is and that the task is completed.
    const untilMs = Math.max(
      keptUntilMs,
      record?.tokensUntilMs ?? 0,
      nowMs + newTimeoutMs,
      nowMs + UNKEPT_MESSAGE_MS,
    );
    await hub.publish(channelOf(taskId), toPublication(message, { newTimeoutMs, keptUntilMs }), {
      history: limitsOf(untilMs - nowMs),
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
    });
    return { retained: keptUntilMs > 0, ...(delivered === undefined ? {} : { delivered }) };
  }

  return {
    async issue(token) {
      const { taskId } = token;
      const stream = await readStream(hub, taskId);
      let issued: TaskToken = token;
      await records.update(taskId, (record) => {
        issued = { ...token, issuedMs: Math.max(token.issuedMs, record.revokedMs + 1) };
        const clockNote = noteOnIssue(stream, record.clock, clock.epochMs());
        return { ...withToken(record, token), clock: clockNote };
      });
      return issued;
    },

    async invoke(invocation) {
      const { taskId, idempotencyKey } = invocation;
      if (idempotencyKey === undefined) return send(invocation);
      const key = `tasks/result/${taskId}/${idempotencyKey}`;
      const first = await store.get(key);
      if (first !== undefined) return JSON.parse(first.value) as Invoked;
      const invoked = await send(invocation);
      await store.put(key, JSON.stringify(invoked), { ttlMs: IDEMPOTENCY_TTL_MS });
      return invoked;
    },

    async close(taskId) {
      const issuedUpToMs = clock.epochMs();
      await records.update(taskId, (record) => ({
        ...record,
        // Tokens that open nothing any more are owed no messages.
        ...{ tokensUntilMs: 0, offlineUntilMs: 0, clock: null },
        revokedMs: Math.max(record.revokedMs, issuedUpToMs),
      }));
      await hub.removeHistory(channelOf(taskId));
      await tellEverywhere(parts, taskId, { ask: "revoke", issuedUpToMs });
    },

    async status(taskId) {
      const [record, stream, connections] = await Promise.all([
        records.get(taskId),
        readStream(hub, taskId),
        countConnections(parts, taskId),
      ]);
      const { last } = stream;
      const nowMs = clock.epochMs();
      const clockMs = taskClock(stream, record?.clock ?? null, nowMs);
      return {
        connections,
        completed: last?.newTimeoutMs === 0,
        retained: last !== undefined && last.keptUntilMs > nowMs,
        ...(last === undefined ? {} : { lastMessageAtMs: last.sentMs }),
        ...(clockMs === undefined ? {} : { expiresInMs: Math.max(0, clockMs - nowMs) }),
      };
    },
  };
}
