/** Bounds on an app's JSON-RPC calls (task-tokens.md §5.9), on this node. */
import { KeyedBuckets, perSecond, TokenBucket } from "../../core/rates.ts";
import type { TasksSettings } from "./settings.ts";

/** Each answers 0 when the call may go on, else the milliseconds after which it may come again. */
export interface CallRates {
  token(nowMs: number): number;
  invoke(nowMs: number): number;
  task(taskId: string, nowMs: number): number;
}

export function createCallRates(
  settings: Pick<TasksSettings, "tokenCalls" | "invokeCalls" | "taskInvokesPerSecond">,
): CallRates {
  const { tokenCalls, invokeCalls, taskInvokesPerSecond } = settings;
  const tokens = new TokenBucket(perSecond(tokenCalls.perSecond, tokenCalls.burst), 0);
  const invokes = new TokenBucket(perSecond(invokeCalls.perSecond, invokeCalls.burst), 0);
  // A task's bucket is full again after a second, in which no more tasks than these can be called.
  const tasks = new KeyedBuckets(invokeCalls.burst + invokeCalls.perSecond);
  const taskRate = perSecond(taskInvokesPerSecond);
  return {
    token: (nowMs) => tokens.take(nowMs),
    invoke: (nowMs) => invokes.take(nowMs),
    task: (taskId, nowMs) => tasks.of(taskId, taskRate, nowMs).take(nowMs),
  };
}
