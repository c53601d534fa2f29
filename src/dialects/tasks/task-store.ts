/**
 * What the JSON-RPC methods do to a task (task-tokens.md §3, §4.5 to §4.7, §5.2, §5.3): its record, its stream, its connections. Ids are
 * genuine and in lower case by then, and values within their ranges.
 */
import { IDEMPOTENCY_TTL_MS, type Records } from "../../core/engine.ts";
import type { Hub } from "../../core/hub.ts";
import type { SessionServices } from "../dialect.ts";
import type { TaskToken } from "./client-token.ts";
import { noteOnIssue, taskClock } from "./timetable.ts";
import { countConnections, tellEverywhere } from "./sockets.ts";
import { UNKEPT_MESSAGE_MS, UNKNOWN_TASK_RETENTION_MS } from "./limits.ts";
import type { TasksSettings } from "./config.ts";
import {
  TaskRecords,
  channelOf,
  limitsOf,
  readStream,
  toPublication,
  withToken,
  type TaskRecord,
} from "./task-record.ts";

/** All throw HubError `unavailable` when the engine cannot do it now. */
export interface TaskStore {
  /**
   * A token was made and is about to be answered (§4.5): its wish to retain messages and its life are remembered for the task
   * (§5.3), and a task clock that has run out is cleared (§5.2). Resolves once that is durable, with the token as it is to be
   * sealed: its `issuedMs` is later than the task's last close, also within one millisecond.
   */
  issue(token: TaskToken): Promise<TaskToken>;
  /** §4.6. Resolves once the message is recorded and handed to the bus. */
  invoke(invocation: Invocation): Promise<Invoked>;
  /** §4.7: ends the connections with 4504, forgets message and clock, and refuses every token issued up to now. */
  close(taskId: string): Promise<void>;
  /** §4.7. Of a task that nothing is known of: no connections, nothing retained. */
  status(taskId: string): Promise<TaskStatus>;
  /** The same without its connections, for which all nodes would be asked. */
  state(taskId: string): Promise<TaskState>;
}

export interface Invocation {
  readonly taskId: string;
  /** As it came, and as connections are to receive it. */
  readonly message: string;
  /** 0: the last message; connections end behind it. */
  readonly newTimeoutMs: number;
  /** A repeat for the same task within 5 minutes answers the first result and sends nothing. */
  readonly idempotencyKey?: string;
  /** Whether to count the sockets that it reaches, which asks all nodes. */
  readonly report: boolean;
}

export interface Invoked {
  /** Sockets reached so far. Absent when it was not asked for, and for a repeat of such a call. */
  readonly delivered?: number;
  /** Whether the message is kept for later connections. */
  readonly retained: boolean;
}

export interface TaskStatus extends TaskState {
  readonly connections: number;
}

export interface TaskState {
  /** The last message was final. */
  readonly completed: boolean;
  readonly retained: boolean;
  readonly lastMessageAtMs?: number;
  /** Milliseconds left on the task clock; 0 when it has run out. Absent without one. */
  readonly expiresInMs?: number;
}

export type TaskStoreParts = {
  readonly hub: Hub;
  readonly records: Records;
  readonly settings: TasksSettings;
} & Pick<SessionServices, "runtime" | "onError">;

export function createTaskStore(parts: TaskStoreParts): TaskStore {
  const { hub, records: store, settings, runtime } = parts;
  const { clock } = runtime;
  const records = new TaskRecords(store, clock);

  /** 0: not kept (§5.3). */
  function keptUntil(record: TaskRecord | undefined, newTimeoutMs: number, nowMs: number): number {
    if (record === undefined) return nowMs + Math.max(UNKNOWN_TASK_RETENTION_MS, newTimeoutMs);
    if (record.offlineUntilMs <= nowMs) return 0;
    return Math.max(nowMs + settings.retention, nowMs + newTimeoutMs, record.offlineUntilMs);
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

  async function state(taskId: string): Promise<TaskState> {
    const [record, stream] = await Promise.all([records.get(taskId), readStream(hub, taskId)]);
    const { last } = stream;
    const nowMs = clock.epochMs();
    const clockMs = taskClock(stream, record?.clock ?? null, nowMs);
    return {
      completed: last?.newTimeoutMs === 0,
      retained: last !== undefined && last.keptUntilMs > nowMs,
      ...(last === undefined ? {} : { lastMessageAtMs: last.sentMs }),
      ...(clockMs === undefined ? {} : { expiresInMs: Math.max(0, clockMs - nowMs) }),
    };
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

    state,

    async status(taskId) {
      const [known, connections] = await Promise.all([
        state(taskId),
        countConnections(parts, taskId),
      ]);
      return { ...known, connections };
    },
  };
}
