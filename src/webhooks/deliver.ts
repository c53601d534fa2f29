/** One job of an endpoint's queue: sent, judged, recorded, told, and put back or taken out. */
import type { TakenJob } from "../core/engine.ts";
import type { WebhookAttempt } from "./contract.ts";
import type { AttemptLog } from "./attempt-log.ts";
import type { WebhooksContext } from "./context.ts";
import type { DeadLetterStore } from "./dead-letter-store.ts";
import {
  ATTEMPTS_LISTED_MAX,
  newDelivery,
  type DeliveryStore,
  type StoredDelivery,
} from "./delivery-store.ts";
import type { Disable } from "./endpoint-ends.ts";
import type { EndpointSecrets, EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import type { HealthStore } from "./health.ts";
import type { FoundMessage, MessageStore } from "./message-store.ts";
import type { Notices } from "./notices.ts";
import type { Outbox, Waiting } from "./outbox.ts";
import type { Sender } from "./sender.ts";
import { maskedUrl } from "./target.ts";
import { isSuccess, judge, type Outcome, type Verdict } from "./verdict.ts";

export interface DeliverParts {
  readonly endpoints: EndpointStore;
  readonly messages: MessageStore;
  readonly deliveries: DeliveryStore;
  readonly attempts: AttemptLog;
  readonly deadLetters: DeadLetterStore;
  readonly health: HealthStore;
  readonly outbox: Outbox;
  readonly notices: Notices;
  readonly disable: Disable;
  readonly sender: Sender;
}

/** `skipped`: nothing was sent. */
export type Delivered = "succeeded" | "failed" | "skipped";

/** The failure at which an organisation is told that a message keeps failing. */
const FAILING_ATTEMPT = 4;

interface Work {
  readonly endpoint: StoredEndpoint;
  /** Undefined: they were sealed under a key that is gone. */
  readonly secrets: EndpointSecrets | undefined;
  readonly found: FoundMessage & { readonly body: string };
  readonly before: StoredDelivery;
  /** 0: it has no record. */
  readonly version: number;
  readonly waiting: Pick<Waiting, "manual">;
  /** The job's. */
  readonly dueMs: number;
}

export function createDeliver(context: WebhooksContext, parts: DeliverParts) {
  const { runtime, settings, moment, newId, observer, onError } = context;
  const { endpoints, messages, deliveries, attempts, deadLetters, health } = parts;
  const { outbox, notices, disable, sender } = parts;
  const { clock, random } = runtime;

  async function deliver(
    target: { readonly applicationId: string; readonly id: string },
    job: TakenJob,
  ): Promise<Delivered> {
    const { applicationId, id } = target;
    const waiting = outbox.read(job);
    const endpoint = await endpoints.find(applicationId, id);
    const found = await messages.find(applicationId, waiting.messageId);
    const known = await deliveries.find(applicationId, waiting.messageId, id);
    if (endpoint === undefined || found === undefined || found.body === undefined) {
      return end(target, job, waiting);
    }
    const before = known ?? newDelivery(found.message);
    if (!waiting.manual) {
      // A worker that was killed behind its record, before it told the queue.
      if (before.state !== "pending") return end(target, job, waiting);
      if (before.last?.dueMs === job.dueMs) {
        const { nextAttemptAtMs, last } = before;
        // The clock may have been set back since.
        const atMs = Math.min(nextAttemptAtMs, clock.epochMs() + last.waitMs);
        await outbox.retry(target, job, atMs);
        return "skipped";
      }
    }
    const { verdict, shown } = await attempt({
      ...{ endpoint, before, waiting, version: known?.version ?? 0, dueMs: job.dueMs },
      secrets: await open(endpoint),
      found: { ...found, body: found.body },
    });
    if (verdict.state === "retry" && !waiting.manual) {
      await outbox.retry(target, job, verdict.atMs);
    } else await outbox.done(target, job, waiting);
    observer?.attempted?.(shown);
    return shown.status;
  }

  /** A worker that gave up on these would leave the delivery to the next one, and so on. */
  async function open(endpoint: StoredEndpoint): Promise<EndpointSecrets | undefined> {
    try {
      return await endpoints.open(endpoint);
    } catch (error) {
      onError(error, "an endpoint's secrets");
      return undefined;
    }
  }

  async function end(
    target: { readonly applicationId: string; readonly id: string },
    job: TakenJob,
    waiting: Waiting,
  ): Promise<Delivered> {
    await outbox.done(target, job, waiting);
    return "skipped";
  }

  async function attempt(work: Work) {
    const { endpoint, secrets, found, before, waiting, dueMs } = work;
    const outcome = await sender.send(secrets, { id: found.message.id, body: found.body });
    const run = before.run + (waiting.manual ? 0 : 1);
    const blocked = before.blocked + (outcome.error === "blocked_address" ? 1 : 0);
    const nowMs = clock.epochMs();
    const verdict = judge(outcome, {
      ...{ run, blocked, nowMs, chance: random.fraction() },
      scheduleMs: endpoint.retryScheduleS?.map((s) => s * 1000) ?? settings.scheduleMs,
    });
    const state = stateAfter(work, outcome, verdict);
    const { order } = moment();
    const after: StoredDelivery = {
      ...{ ...before, state, run, blocked, attempts: before.attempts + 1 },
      nextAttemptAtMs: verdict.state === "retry" ? verdict.atMs : before.nextAttemptAtMs,
      ...(verdict.state === "retry" && !waiting.manual
        ? { last: { dueMs, waitMs: verdict.atMs - nowMs } }
        : {}),
      attemptOrders: [...before.attemptOrders, order].slice(-ATTEMPTS_LISTED_MAX),
      ...(run >= FAILING_ATTEMPT || state === "failed" ? { toldFailing: true } : {}),
    };
    const shown = await record(work, { outcome, verdict, after, order });
    await judgeHealth(endpoint, isSuccess(outcome));
    if (verdict.disable !== undefined) await disable(endpoint, verdict.disable);
    await tellOf(work, after, verdict);
    return { verdict, shown };
  }

  function stateAfter(
    { endpoint, found, before, version, waiting }: Work,
    outcome: Outcome,
    verdict: Verdict,
  ): StoredDelivery["state"] {
    if (isSuccess(outcome)) return "succeeded";
    if (!waiting.manual) return verdict.state === "failed" ? "failed" : "pending";
    // Nothing but this request was ever meant to be made.
    const unscheduled = version === 0 && !found.message.endpoints.includes(endpoint.id);
    return unscheduled ? "failed" : before.state;
  }

  async function record(
    { endpoint, secrets, found, before, version, waiting }: Work,
    { outcome, verdict, after, order }: Recorded,
  ): Promise<WebhookAttempt> {
    const { applicationId, id } = endpoint;
    const { message } = found;
    const { responseBody, status, error, durationMs, atMs, responseTruncated } = outcome;
    const { state } = after;
    const ended = state !== "pending" && state !== before.state ? { ended: state } : {};
    const retries = verdict.state === "retry" && !waiting.manual;
    const logged = {
      ...{ id: newId("atmpt"), messageId: message.id, endpointId: id, number: after.attempts },
      trigger: waiting.manual ? ("manual" as const) : ("scheduled" as const),
      status: isSuccess(outcome) ? ("succeeded" as const) : ("failed" as const),
      ...{ url: maskedUrl(secrets?.url ?? ""), responseStatus: status, responseTruncated, error },
      ...{ durationMs, atMs, nextAttemptAtMs: retries ? verdict.atMs : null },
    };
    await Promise.all([
      attempts.add(applicationId, { attempt: { ...logged, ...ended }, order, responseBody }),
      putDelivery(endpoint, found, after, version),
    ]);
    if (state === "failed" && before.state !== "failed") {
      const reason = verdict.state === "failed" ? verdict.reason : "exhausted";
      const letter = { endpointId: id, attempts: after.attempts, reason };
      await deadLetters.add(applicationId, message, letter);
    } else if (state === "succeeded" && before.state === "failed") {
      await deadLetters.remove(applicationId, message, id);
    }
    return { ...logged, responseBody };
  }

  /** Where another worker, a replay or an erasure was faster, only a success still counts. */
  async function putDelivery(
    { applicationId, id }: StoredEndpoint,
    found: FoundMessage,
    after: StoredDelivery,
    version: number,
  ): Promise<void> {
    const put = await deliveries.put(applicationId, found, id, after, version);
    if (put || after.state !== "succeeded") return;
    const now = await deliveries.find(applicationId, found.message.id, id);
    const attemptOrders = [...(now?.attemptOrders ?? []), ...after.attemptOrders.slice(-1)];
    const attemptsMade = (now?.attempts ?? 0) + 1;
    await deliveries.put(applicationId, found, id, {
      ...{ ...after, attempts: attemptsMade, attemptOrders },
    });
  }

  async function judgeHealth(endpoint: StoredEndpoint, succeeded: boolean): Promise<void> {
    const { applicationId, id } = endpoint;
    if (succeeded) return health.succeeded(applicationId, id);
    const { notice, disable: over } = await health.failed(applicationId, id);
    if (over) await disable(endpoint, "failing");
    if (notice === undefined) return;
    const disable_at = new Date(notice.disableAtMs).toISOString();
    await notices.tell(endpoint, "endpoint.failing", { disable_at });
  }

  async function tellOf(
    { endpoint, found, before, waiting }: Work,
    after: StoredDelivery,
    verdict: Verdict,
  ) {
    const { id: message_id, eventType: event_type, internal } = found.message;
    if (internal === true) return;
    const data = { message_id, event_type, attempts: after.attempts };
    if (after.state === "succeeded") {
      if (before.toldFailing) await notices.tell(endpoint, "message.recovered", data);
    } else if (after.state === "failed" && before.state !== "failed") {
      const reason = verdict.state === "failed" ? verdict.reason : "exhausted";
      await notices.tell(endpoint, "message.exhausted", { ...data, reason });
    } else if (after.run === FAILING_ATTEMPT && !waiting.manual) {
      await notices.tell(endpoint, "message.failing", data);
    }
  }

  return {
    deliver,

    /** A request beside every queue, whose outcome disables nothing and is told to nobody else. */
    async test(endpoint: StoredEndpoint, found: FoundMessage & { readonly body: string }) {
      const secrets = await open(endpoint);
      const outcome = await sender.send(secrets, { id: found.message.id, body: found.body });
      const { order } = moment();
      const state = isSuccess(outcome) ? "succeeded" : "failed";
      const before: StoredDelivery = { ...newDelivery(found.message), state };
      const after: StoredDelivery = { ...before, attempts: 1, attemptOrders: [order] };
      const work = {
        endpoint,
        secrets,
        found,
        before,
        version: 0,
        waiting: { manual: true },
        dueMs: 0,
      };
      return record(work, { outcome, verdict: { state: "succeeded" }, after, order });
    },
  };
}

interface Recorded {
  readonly outcome: Outcome;
  readonly verdict: Verdict;
  readonly after: StoredDelivery;
  readonly order: string;
}

export type Deliver = ReturnType<typeof createDeliver>;
