/** Bounds on an app's JSON-RPC calls (task-tokens.md §5.9), on this node. */
import { KeyedBuckets, perSecond, TokenBucket } from "../../core/rates.ts";
import type { TasksSettings } from "./config.ts";

/** Each answers 0 when the call may go on, else the milliseconds after which it may come again. */
export interface CallRates {
  token(nowMs: number): number;
  invoke(nowMs: number): number;
  task(taskId: string, nowMs: number): number;
}

export function createCallRates(settings: TasksSettings): CallRates {
  const tokens = new TokenBucket(
    perSecond(settings.token_calls_per_second, settings.token_calls_burst),
    0,
  );
  const { invoke_calls_per_second: invokeRate, invoke_calls_burst: invokeBurst } = settings;
  const invokes = new TokenBucket(perSecond(invokeRate, invokeBurst), 0);
  // A task's bucket is full again after a second, in which no more tasks than these can be called.
  const tasks = new KeyedBuckets(invokeBurst + invokeRate);
  const taskRate = perSecond(settings.task_invokes_per_second);
  return {
    token: (nowMs) => tokens.take(nowMs),
    invoke: (nowMs) => invokes.take(nowMs),
    task: (taskId, nowMs) => tasks.of(taskId, taskRate, nowMs).take(nowMs),
  };
}
