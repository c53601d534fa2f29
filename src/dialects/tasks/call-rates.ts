/** Bounds on an app's JSON-RPC calls (task-tokens.md §5.9), on this node. */
import type { CallRate, TasksSettings } from "./context.ts";

/** `perSecond` calls, and `burst` at once. */
class CallLimit {
  readonly #intervalMs: number;
  readonly #aheadMs: number;
  /** When all calls so far would be through at an even pace. */
  #throughAtMs = -Infinity;

  constructor({ perSecond, burst }: CallRate) {
    this.#intervalMs = 1000 / perSecond;
    this.#aheadMs = (burst - 1) * this.#intervalMs;
  }

  /** 0: taken. Else the milliseconds until the next one may come. */
  take(nowMs: number): number {
    const waitMs = this.#throughAtMs - this.#aheadMs - nowMs;
    if (waitMs > 0) return Math.ceil(waitMs);
    this.#throughAtMs = Math.max(this.#throughAtMs, nowMs) + this.#intervalMs;
    return 0;
  }
}

export interface CallRates {
  /** Each answers 0 when the call may go on, else the milliseconds after which it may come again. */
  token(nowMs: number): number;
  invoke(nowMs: number): number;
  task(taskId: string, nowMs: number): number;
}

export function createCallRates(
  settings: Pick<TasksSettings, "tokenCalls" | "invokeCalls" | "taskInvokesPerSecond">,
): CallRates {
  const tokens = new CallLimit(settings.tokenCalls);
  const invokes = new CallLimit(settings.invokeCalls);
  const perSecond = settings.taskInvokesPerSecond;
  const taskRate = { perSecond, burst: perSecond };
  // In the order of their last call. A task's limit is as new after a second, in which no more tasks than these can be called.
  const tasks = new Map<string, CallLimit>();
  const tasksMax = settings.invokeCalls.burst + settings.invokeCalls.perSecond;
  return {
    token: (now) => tokens.take(now),
    invoke: (now) => invokes.take(now),
    task(taskId, now) {
      const limit = tasks.get(taskId) ?? new CallLimit(taskRate);
      tasks.delete(taskId);
      tasks.set(taskId, limit);
      if (tasks.size > tasksMax) {
        for (const oldest of tasks.keys()) {
          tasks.delete(oldest);
          break;
        }
      }
      return limit.take(now);
    },
  };
}
