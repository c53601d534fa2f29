/** One app's durable jobs: each call is one script, or a few where it could hold the server up. */
import type { JobQueue, TakenJob } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { JOB_PAYLOAD_BYTES_MAX, QUEUE_JOBS_MAX } from "../../core/limits.ts";
import type { Runtime } from "../../core/runtime.ts";
import {
  QUEUE_ADD,
  QUEUE_COUNTS,
  QUEUE_DONE,
  QUEUE_REMOVE,
  QUEUE_RETRY,
  QUEUE_TAKE,
  queueKeys,
} from "./queue-scripts.ts";
import type { QueueWatchers } from "./queue-watchers.ts";
import type { RedisArgument, RedisScript, RedisServers } from "./client/contract.ts";
import { wholeMs, type RedisContext } from "./context.ts";

/** Jobs that one script gives out: keeps it to a few milliseconds, in which the server does nothing else. */
export const TAKE_SLICE_JOBS = 200;
/** Payload bytes of one script's reply, beyond which it ends; one job may exceed it. */
export const TAKE_SLICE_BYTES = 4 * 1024 * 1024;
/** Ended leases that one script looks at, for the same reason. */
export const TAKE_SLICE_ENDED = 500;
/** How long an empty queue's revision is kept: far longer than any watcher goes without looking. */
const EMPTY_STATE_MS = 3_600_000;

export interface RedisJobQueueOptions {
  readonly app: string;
  /** What all keys begin with; without braces. */
  readonly prefix: string;
  readonly servers: RedisServers;
  readonly watchers: QueueWatchers;
  readonly runtime: Pick<Runtime, "clock" | "random">;
  readonly now: RedisContext["now"];
}

/** As the scripts reply. */
type JobReply = readonly [
  id: string,
  payload: string,
  attempt: number,
  addedMs: number,
  orderKey: string | null,
  dueMs: number,
];

export function createRedisJobQueue(options: RedisJobQueueOptions): JobQueue {
  const { app, prefix, servers, watchers, now } = options;
  const { clock, random } = options.runtime;
  /** The queue's time is the server's: what the clock here says is a moment only as its distance from now. */
  const fromNowMs = (epochMs: number) => Math.ceil(epochMs - clock.epochMs());

  function run(
    script: RedisScript,
    queue: string,
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const { tag, keys } = queueKeys(prefix, app, queue);
    return servers.shardOf(tag).run(script, keys, args);
  }

  /** For scripts that wake watchers. */
  function change(
    script: RedisScript,
    queue: string,
    args: readonly RedisArgument[],
  ): Promise<unknown> {
    const { tag, keys } = queueKeys(prefix, app, queue);
    const shard = servers.shardOf(tag);
    return shard.run(script, keys, [shard.publishCommand, ...args]);
  }

  return {
    async add(queue, { payload, id, notBeforeMs, orderKey }) {
      if (Buffer.byteLength(payload) > JOB_PAYLOAD_BYTES_MAX) {
        throw tooMuch(`Cannot add a job: its payload exceeds ${JOB_PAYLOAD_BYTES_MAX} bytes`);
      }
      for (;;) {
        const addId = id ?? random.uuid();
        const laterMs = notBeforeMs === undefined ? 0 : fromNowMs(notBeforeMs);
        const job = [addId, payload, laterMs, now(), QUEUE_JOBS_MAX];
        const order = orderKey === undefined ? [] : [orderKey];
        const reply = await change(QUEUE_ADD, queue, [...job, ...order]);
        if (reply === "full") {
          throw tooMuch(`Cannot add a job: the queue "${queue}" holds ${QUEUE_JOBS_MAX} jobs`);
        }
        // An id that was made up before: simulated chance repeats itself.
        if (reply === "added" || id !== undefined) return addId;
      }
    },

    async take(queue, { limit, leaseMs }) {
      const lease = random.uuid();
      const jobs: TakenJob[] = [];
      let moment: number | "" = "";
      let more = true;
      while (more && jobs.length < limit) {
        const slice = Math.min(limit - jobs.length, TAKE_SLICE_JOBS);
        const bounds = [slice, TAKE_SLICE_BYTES, TAKE_SLICE_ENDED];
        let reply;
        try {
          const args = [now(), wholeMs(leaseMs), lease, ...bounds, moment];
          reply = await change(QUEUE_TAKE, queue, args);
        } catch (error) {
          // What is leased already must reach the worker.
          if (jobs.length > 0) return jobs;
          throw error;
        }
        const [cut, given, atMs] = reply as [number, JobReply[], number];
        moment = atMs;
        for (const job of given) jobs.push(jobOf(job, lease));
        more = cut === 1 || given.length === slice;
      }
      return jobs;
    },

    async done(queue, { id, lease }) {
      const args = [id, lease, now(), EMPTY_STATE_MS];
      return (await change(QUEUE_DONE, queue, args)) === 1;
    },

    async retry(queue, { id, lease }, atMs) {
      const args = [id, lease, now(), fromNowMs(atMs)];
      return (await change(QUEUE_RETRY, queue, args)) === 1;
    },

    async remove(queue, id) {
      const args = [now(), EMPTY_STATE_MS, ...(id === undefined ? [] : [id])];
      return (await change(QUEUE_REMOVE, queue, args)) as number;
    },

    watch(queue, onDue) {
      const keys = queueKeys(prefix, app, queue);
      return watchers.watch(keys, onDue);
    },

    async counts(queue) {
      const [jobs, leased] = (await run(QUEUE_COUNTS, queue, [now()])) as [number, number];
      return { waiting: jobs - leased, leased };
    },
  };
}

function jobOf(
  [id, payload, attempt, addedMs, orderKey, dueMs]: JobReply,
  lease: string,
): TakenJob {
  const key = orderKey === null ? {} : { orderKey };
  return { id, lease, payload, ...key, attempt, addedMs, dueMs };
}

function tooMuch(message: string): HubError {
  return new HubError("limit_exceeded", message);
}
