/** Replays as they are kept: what they are for, how far they got, and in chunks what they found. */
import type { StoredRecord } from "../core/engine.ts";
import { WebhookError, type WebhookTask } from "./contract.ts";
import { ATTEMPT_RETENTION_MS, type WebhooksContext } from "./context.ts";
import { chunksKey, runningKey, tasksKey } from "./keys.ts";

export interface StoredTask extends WebhookTask {
  readonly organisationId: string;
  readonly applicationId: string;
  /** The one that it holds: an endpoint has one task at a time. Null: a task for chosen dead letters. */
  readonly endpointId: string | null;
  readonly sinceMs: number | null;
  readonly untilMs: number | null;
  readonly eventTypes: readonly string[] | null;
  /** Where the search goes on; null: it has ended. */
  readonly iterator: string | null;
  /** Chunks found so far. The search goes back in time, so the last one is the oldest. */
  readonly chunks: number;
  /** Of those that are left, the one with the newest messages. */
  readonly newestChunk: number;
}

/** A message for an endpoint. */
export interface Item {
  readonly messageId: string;
  readonly endpointId: string;
}

export interface Chunk {
  readonly key: string;
  /** Oldest first. */
  readonly items: readonly Item[];
}

/** Renewed by each step: a task that a kill kept from ever beginning frees its endpoint by itself. */
const LOCK_MS = 600_000;
/** Their numbers count down, so that what was found last comes first. */
const CHUNKS_MAX = 999_999;

export function createReplayStore({ records }: WebhooksContext) {
  const ttl = { ttlMs: ATTEMPT_RETENTION_MS };
  const keyOf = ({ applicationId, id }: Pick<StoredTask, "applicationId" | "id">) =>
    tasksKey(applicationId) + id;
  const parse = ({ value }: StoredRecord) => JSON.parse(value) as StoredTask;
  const prefixOf = ({ applicationId, id }: StoredTask) => chunksKey(applicationId, id);

  return {
    async find(application: string, id: string): Promise<StoredTask | undefined> {
      const record = await records.get(tasksKey(application) + id);
      return record === undefined ? undefined : parse(record);
    },

    async of(application: string): Promise<readonly StoredTask[]> {
      const found: StoredTask[] = [];
      const prefix = tasksKey(application);
      for (let after = prefix; ;) {
        const page = await records.list(prefix, { after, limit: 250 });
        found.push(...page.map(parse));
        const last = page.at(-1);
        if (last === undefined || page.length < 250) return found;
        after = last.key;
      }
    },

    /** Throws `task_running` while the endpoint has another one. */
    async add(task: StoredTask): Promise<void> {
      if (task.endpointId !== null) {
        const key = runningKey(task.applicationId, task.endpointId);
        const put = { ttlMs: LOCK_MS, ifVersion: 0 };
        if ((await records.put(key, task.id, put)) === undefined) {
          throw new WebhookError("task_running", "Another replay runs for this endpoint.");
        }
      }
      await records.put(keyOf(task), JSON.stringify(task), ttl);
    },

    /** Once it is no longer running, its endpoint is free and what is left of its chunks is dropped. */
    async save(task: StoredTask): Promise<void> {
      await records.put(keyOf(task), JSON.stringify(task), ttl);
      const key = runningKey(task.applicationId, task.endpointId ?? "");
      const holds = task.endpointId !== null;
      if (task.status === "running") {
        if (holds) await records.put(key, task.id, { ttlMs: LOCK_MS });
        return;
      }
      if (holds) await records.delete(key);
      for (;;) {
        const left = await records.list(prefixOf(task), { limit: 100 });
        await Promise.all(left.map(({ key }) => records.delete(key)));
        if (left.length < 100) return;
      }
    },

    /** Of the same number as before: replaces it. */
    async addChunk(task: StoredTask, number: number, items: readonly Item[]): Promise<void> {
      const key = `${prefixOf(task)}${CHUNKS_MAX - number}`;
      await records.put(key, JSON.stringify(items), ttl);
    },

    async oldestChunk(task: StoredTask): Promise<Chunk | undefined> {
      const [record] = await records.list(prefixOf(task), { limit: 1 });
      if (record === undefined) return undefined;
      return { key: record.key, items: JSON.parse(record.value) as Item[] };
    },

    async removeChunk({ key }: Pick<Chunk, "key">): Promise<void> {
      await records.delete(key);
    },

    /** Drops up to so many of its newest messages. */
    async trimChunk(task: StoredTask, number: number, count: number) {
      const key = `${prefixOf(task)}${CHUNKS_MAX - number}`;
      const record = await records.get(key);
      const items = record === undefined ? [] : (JSON.parse(record.value) as Item[]);
      const kept = items.slice(0, Math.max(0, items.length - count));
      if (kept.length > 0) await records.put(key, JSON.stringify(kept), ttl);
      else await records.delete(key);
      return { dropped: items.length - kept.length, left: kept.length };
    },
  };
}

export type ReplayStore = ReturnType<typeof createReplayStore>;

export function requireTask(task: StoredTask | undefined): StoredTask {
  if (task === undefined) throw new WebhookError("not_found", "The task does not exist.");
  return task;
}

export function shownTask({ id, type, status, done, total }: StoredTask): WebhookTask {
  return { id, type, status, done, total };
}
