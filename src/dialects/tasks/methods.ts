/** What each JSON-RPC method does (task-tokens.md §4.5 to §4.7), and how often it may be called (§5.9). */
import type { JsonView } from "../../core/json-text.ts";
import { KeyedBuckets, TokenBucket, perSecond } from "../../core/rates.ts";
import { limitHit, type LimitName } from "../dialect.ts";
import { TOO_MANY_PUBLISHES } from "../publish-limit.ts";
import { TOKEN_ID_BYTES, type TaskToken } from "./client-token.ts";
import type { TasksSettings } from "./config.ts";
import type { TasksContext } from "./context.ts";
import { RpcError, invalidParam } from "./errors.ts";
import { MESSAGE_BYTES_MAX, SINGLE_USE_MINUTES } from "./limits.ts";
import { readParams, usesOtherTaskName, type MethodName, type Result } from "./schema.ts";
import { CONTEXT_RULE, contextBytes, randomContext } from "./task-id.ts";

const MINUTE_MS = 60_000;

export interface MethodCall {
  readonly context: TasksContext;
  /** The app's. */
  readonly rates: CallRates;
  readonly params: JsonView | undefined;
  /** Cryptographically secure. */
  readonly randomBytes: (count: number) => Uint8Array;
}

type Run<Name extends MethodName> = (call: MethodCall) => Promise<Result<Name>>;

/** Each throws RpcError, or HubError `unavailable` when the engine cannot do it now. */
export const RUN: { readonly [Name in MethodName]: Run<Name> } = {
  async get_envoy_token({ context, rates, params, randomBytes }) {
    const { clock } = context.runtime;
    allow(context, "token_calls_per_second", rates.token(clock.monotonicMs()));
    const { reusable_minutes: reusable, Task: task } = readParams("get_envoy_token", params);
    const given = task.task_context;
    const named = given === undefined ? randomContext(randomBytes(16)) : contextBytes(given);
    if (typeof named === "string") {
      const detail = named === "type" && given?.kind !== "string" ? { detail: CONTEXT_RULE } : {};
      throw invalidParam("Task.task_context", named, detail);
    }
    const issuedMs = clock.epochMs();
    const token: TaskToken = {
      tokenId: Buffer.from(randomBytes(TOKEN_ID_BYTES)).toString("hex"),
      publicId: context.publicId,
      taskId: context.ids.of(named),
      issuedMs,
      expiresMs: issuedMs + (reusable === 0 ? SINGLE_USE_MINUTES : reusable) * MINUTE_MS,
      singleUse: reusable === 0,
      timeoutMs: task.timeout * MINUTE_MS,
      sendOfflineMessage: task.send_offline_message,
      singleInstance: task.single_instance,
      persistTimeout: task.persist_timeout,
    };
    const sealed = context.tokens.seal(await context.tasks.issue(token));
    return {
      client_token: sealed,
      task_id: token.taskId,
      ...(usesOtherTaskName(params) ? { envoy_token: sealed } : {}),
    };
  },

  async invoke_envoy({ context, rates, params }) {
    const { clock } = context.runtime;
    allow(context, "invoke_calls_per_second", rates.invoke(clock.monotonicMs()));
    const given = readParams("invoke_envoy", params);
    checkMessage(given.message, context.settings);
    const taskId = genuine(context, given.task_id);
    allow(context, "task_invokes_per_second", rates.task(taskId, clock.monotonicMs()));
    const { idempotency_key: idempotencyKey = "", report } = given;
    const invoked = context.publishLimit.run(() =>
      context.tasks.invoke({
        taskId,
        message: given.message,
        newTimeoutMs: given.new_timeout * MINUTE_MS,
        report,
        ...(idempotencyKey === "" ? {} : { idempotencyKey }),
      }),
    );
    if (invoked === undefined) {
      const { retryAfterMs: retry_after_ms } = TOO_MANY_PUBLISHES;
      throw new RpcError("too_many_requests", { retry_after_ms });
    }
    const { delivered, retained } = await invoked;
    context.metrics.count("publications", { dialect: "tasks", by: "server" });
    return { status: "success", ...(report ? { delivered, retained } : {}) };
  },

  async close_envoy({ context, rates, params }) {
    allow(context, "invoke_calls_per_second", rates.invoke(context.runtime.clock.monotonicMs()));
    const { task_id: id } = readParams("close_envoy", params);
    await context.tasks.close(genuine(context, id));
    return { status: "success" };
  },

  async get_envoy_status({ context, rates, params }) {
    allow(context, "invoke_calls_per_second", rates.invoke(context.runtime.clock.monotonicMs()));
    const { task_id: id } = readParams("get_envoy_status", params);
    const status = await context.tasks.status(genuine(context, id));
    const { connections, completed, retained, lastMessageAtMs, expiresInMs } = status;
    return {
      ...{ connections, completed, retained },
      last_message_at:
        lastMessageAtMs === undefined ? null : new Date(lastMessageAtMs).toISOString(),
      expires_in: expiresInMs === undefined ? null : Math.ceil(expiresInMs / 1000),
    };
  },
};

function allow({ metrics }: TasksContext, limit: LimitName, waitMs: number): void {
  if (waitMs === 0) return;
  limitHit(metrics, limit);
  throw new RpcError("too_many_requests", { retry_after_ms: waitMs });
}

function genuine({ ids }: TasksContext, id: string): string {
  if (id === "") throw invalidParam("task_id", "empty");
  if (!/^[0-9a-f]{80}$/i.test(id))
    throw invalidParam("task_id", id.length > 80 ? "too_long" : "type");
  const known = ids.genuine(id);
  if (known === undefined) throw new RpcError("task_not_found");
  return known;
}

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

/** §4.6. An empty message is refused: that is how a tick looks. */
function checkMessage(message: string, { message_format: format }: TasksSettings): void {
  if (message === "") throw invalidParam("message", "empty");
  if (format === "base64" && !BASE64.test(message)) {
    throw invalidParam("message", "not_base64");
  }
  const bytes =
    format === "base64" ? Buffer.byteLength(message, "base64") : Buffer.byteLength(message);
  if (bytes > MESSAGE_BYTES_MAX) throw new RpcError("payload_too_large");
}

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
