/**
 * How workers come by remote jobs (§8): they take them under a lease and say when they are done, over HTTP instead of from
 * a Redis list. Of our own making; its errors are plain text like the rest of the API.
 */
import { HubError } from "../../core/errors.ts";
import type { JobLease, TakenJob } from "../../core/engine.ts";
import { jsonView } from "../../core/json-text.ts";
import type { ApiAnswer } from "../../transports/api-call.ts";
import type { GusherContext } from "./context.ts";
import { fieldsOf, json, MasterError, orFail, type MasterCall } from "./master/call.ts";

/** Jobs of one take: with `JOB_PAYLOAD_BYTES_MAX` it bounds an answer, and a worker that dies holds no more. */
export const TAKE_JOBS_MAX = 100;
export const LEASE_SECONDS = { default: 60, max: 3_600 };
/** Longer waits end at proxies; whoever wants more asks again. */
export const WAIT_SECONDS_MAX = 60;
/** Leases in one `done`. */
export const DONE_JOBS_MAX = 1_000;

/** `limit`, `lease` and `wait`, the latter two in seconds. Without a job it waits that long for one. */
export async function takeJobs(call: MasterCall): Promise<ApiAnswer> {
  requireQueue(call);
  const fields = await fieldsOf(call, "limit", "lease", "wait");
  const limit = wholeNumber(fields.limit, {
    name: "limit",
    otherwise: 1,
    min: 1,
    max: TAKE_JOBS_MAX,
  });
  const lease = wholeNumber(fields.lease, {
    ...{ name: "lease", min: 1, max: LEASE_SECONDS.max },
    otherwise: LEASE_SECONDS.default,
  });
  const wait = wholeNumber(fields.wait, {
    name: "wait",
    otherwise: 0,
    min: 0,
    max: WAIT_SECONDS_MAX,
  });
  const jobs = await orFail<readonly TakenJob[]>(
    call,
    "get jobs error",
    (context) => {
      const take = () => context.queue.take(queueOf(call), { limit, leaseMs: lease * 1000 });
      if (wait === 0) return take();
      const waiting = { context, take, queue: queueOf(call), ending: call.ending() };
      return takeWithin(wait * 1000, waiting);
    },
    [],
  );
  return json(`{"jobs":[${jobs.map(jobJson).join(",")}]}`);
}

/** `jobs`: a JSON list of what `take` gave, of which `id` and `lease` count. A lost lease is told by the count, not by an error. */
export async function finishJobs(call: MasterCall): Promise<ApiAnswer> {
  requireQueue(call);
  const { jobs: text } = await fieldsOf(call, "jobs");
  const jobs = leasesOf(text);
  const done = await orFail(
    call,
    "get jobs error",
    async ({ queue }) => {
      const results = await Promise.all(jobs.map((job) => queue.done(queueOf(call), job)));
      return results.filter(Boolean).length;
    },
    0,
  );
  return json(JSON.stringify({ done, lost: jobs.length - done }));
}

/** Where jobs go to the original's lists, nothing would ever come here: better told than waited for. */
function requireQueue({ context }: MasterCall): void {
  if (context?.jobLists !== undefined) throw new MasterError("jobs are in redis lists");
}

/** §8: one list per app and remote. */
function queueOf({ params }: MasterCall): string {
  return `${params["app_key"]}@${params["remote"]}`;
}

/** The job is the record of §8 as it was queued. */
function jobJson({ id, lease, attempt, payload }: TakenJob): string {
  const about = JSON.stringify({ id, lease, attempt });
  return `${about.slice(0, -1)},"job":${payload}}`;
}

interface Waiting {
  readonly context: GusherContext;
  readonly queue: string;
  readonly take: () => Promise<readonly TakenJob[]>;
  /** Of a worker that is gone: jobs leased to it would have to wait for their lease's end. */
  readonly ending: AbortSignal;
}

async function takeWithin(
  waitMs: number,
  { context, queue, take, ending }: Waiting,
): Promise<readonly TakenJob[]> {
  const { runtime } = context;
  let ended = ending.aborted;
  let wake = Promise.withResolvers<void>();
  const end = (): void => {
    ended = true;
    wake.resolve();
  };
  const deadline = runtime.timers.after(waitMs, end);
  ending.addEventListener("abort", end);
  const unwatch = await context.queue.watch(queue, () => wake.resolve());
  try {
    for (;;) {
      // Anew before taking, so that what becomes due meanwhile is not waited for.
      if (!ended) wake = Promise.withResolvers<void>();
      const jobs = ending.aborted ? [] : await take();
      if (jobs.length > 0 || ended) return jobs;
      await wake.promise;
    }
  } finally {
    unwatch();
    deadline.cancel();
    ending.removeEventListener("abort", end);
  }
}

interface Range {
  readonly name: string;
  /** When the field is empty. */
  readonly otherwise: number;
  readonly min: number;
  readonly max: number;
}

function wholeNumber(text: string, { name, otherwise, min, max }: Range): number {
  if (text === "") return otherwise;
  const value = /^\d{1,9}$/.test(text) ? Number(text) : -1;
  if (value < min || value > max) throw new MasterError(`${name} error`);
  return value;
}

function leasesOf(text: string): readonly JobLease[] {
  if (text === "") throw new MasterError("empty jobs");
  try {
    const list = jsonView(text);
    const items = list.kind === "array" ? list.items(DONE_JOBS_MAX) : undefined;
    if (items !== undefined && items.length <= DONE_JOBS_MAX) {
      return items.map((item) => {
        const [id, lease] = [item.member("id")?.value, item.member("lease")?.value];
        if (typeof id !== "string" || typeof lease !== "string")
          throw new MasterError("jobs error");
        return { id, lease };
      });
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
  throw new MasterError("jobs error");
}
