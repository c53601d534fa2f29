/** Work in the background, in one durable queue of the app: replays a step at a time, and what is to be erased later. */
import type { TakenJob } from "../core/engine.ts";
import type { Timer } from "../core/runtime.ts";
import { DAY_MS, type WebhooksContext } from "./context.ts";
import { prefixesOf, TASK_QUEUE } from "./keys.ts";
import type { StoredTask, ReplayStore } from "./replay-store.ts";

type Chore =
  | { readonly task: string; readonly application: string }
  /** Everything that is left of an application. */
  | { readonly erase: string };

/** How long the log of a deprovisioned organisation is kept (event-streaming.md §6.2). */
const AUDIT_MS = 30 * DAY_MS;
const LEASE_MS = 60_000;
/** Different chores at a time. */
const AT_ONCE = 4;
/** After an error of the engine's. */
const RETRY_MS = 1_000;
const ERASED_AT_ONCE = 250;

export interface ChoresParts {
  readonly tasks: ReplayStore;
  readonly step: (task: StoredTask) => Promise<StoredTask>;
}

export function createChores(context: WebhooksContext, { tasks, step }: ChoresParts) {
  const { records, queue, runtime, onError } = context;
  const working = new Set<Promise<void>>();
  let unwatch: (() => void) | undefined;
  let timer: Timer | undefined;
  let open = false;
  let taking = false;
  let again = false;

  function wake(): void {
    again = true;
    if (taking || !open) return;
    taking = true;
    takeAll()
      .catch((error: unknown) => {
        onError(error, "taking a chore");
        timer = runtime.timers.after(RETRY_MS, wake);
      })
      .finally(() => {
        taking = false;
      });
  }

  async function takeAll(): Promise<void> {
    while (again && open) {
      again = false;
      const limit = AT_ONCE - working.size;
      if (limit === 0) return;
      for (const job of await queue.take(TASK_QUEUE, { limit, leaseMs: LEASE_MS })) {
        const work = run(job)
          .catch(async (error: unknown) => {
            onError(error, "a chore");
            await queue.retry(TASK_QUEUE, job, runtime.clock.epochMs() + RETRY_MS).catch(() => {});
          })
          .finally(() => {
            working.delete(work);
            wake();
          });
        working.add(work);
      }
    }
  }

  async function run(job: TakenJob): Promise<void> {
    const chore = JSON.parse(job.payload) as Chore;
    const goesOn = "erase" in chore ? await erase(chore.erase) : await advance(chore);
    if (goesOn) await queue.retry(TASK_QUEUE, job, runtime.clock.epochMs());
    else await queue.done(TASK_QUEUE, job);
  }

  async function advance(chore: Extract<Chore, { task: string }>): Promise<boolean> {
    const before = await tasks.find(chore.application, chore.task);
    if (before === undefined || before.status !== "running") return false;
    const after = await step(before);
    const now = await tasks.find(chore.application, chore.task);
    // Cancelled meanwhile: what this step queued stays queued, and is counted.
    const { status = after.status } = now?.status === "running" ? {} : (now ?? {});
    await tasks.save({ ...after, status });
    return status === "running";
  }

  async function erase(application: string): Promise<boolean> {
    for (const prefix of prefixesOf(application)) {
      const found = await records.list(prefix, { limit: ERASED_AT_ONCE });
      await Promise.all(found.map(({ key }) => records.delete(key)));
      if (found.length > 0) return true;
    }
    return false;
  }

  return {
    async start(): Promise<void> {
      open = true;
      unwatch = await queue.watch(TASK_QUEUE, wake);
      wake();
    },

    async add({ id: task, applicationId: application }: StoredTask): Promise<void> {
      const chore: Chore = { task, application };
      await queue.add(TASK_QUEUE, { id: task, payload: JSON.stringify(chore) });
    },

    async eraseLater(application: string): Promise<void> {
      const chore: Chore = { erase: application };
      await queue.add(TASK_QUEUE, {
        ...{ id: `erase:${application}`, payload: JSON.stringify(chore) },
        notBeforeMs: runtime.clock.epochMs() + AUDIT_MS,
      });
    },

    /** Steps that are under way end first. */
    async close(): Promise<void> {
      open = false;
      unwatch?.();
      timer?.cancel();
      await Promise.all(working);
    },
  };
}

export type Chores = ReturnType<typeof createChores>;
