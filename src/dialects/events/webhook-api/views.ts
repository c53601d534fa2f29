/** How endpoints, messages, attempts and the rest look in answers (webhooks.md §5). Pure: from the core's data to JSON's. */
import type { z } from "zod";
import type {
  WebhookAttempt,
  WebhookDeadLetter,
  WebhookEndpoint,
  WebhookMessage,
  WebhookMessageSummary,
  WebhookPage,
  WebhookSecret,
  WebhookStats,
  WebhookTask,
} from "../../../webhooks/contract.ts";
import { isoTime } from "../call.ts";
import type {
  attemptAnswer,
  deadLetterAnswer,
  deliveryAnswer,
  endpointAnswer,
  messageSummary,
  secretAnswer,
  statsAnswer,
  taskAnswer,
} from "./answers.ts";

/** As the OpenAPI document has it. */
type Answer<Schema extends z.ZodType> = z.output<Schema>;

/** Of a header's value, which is for nobody's eyes. */
const MASK = "***";

export function endpointView(endpoint: WebhookEndpoint): Answer<typeof endpointAnswer> {
  const { health } = endpoint;
  return {
    id: endpoint.id,
    organisation_id: endpoint.organisationId,
    url: endpoint.url,
    description: endpoint.description,
    event_types: endpoint.eventTypes,
    channels: endpoint.channels,
    headers: Object.fromEntries(Object.keys(endpoint.headers).map((name) => [name, MASK])),
    rate_limit: endpoint.rateLimit,
    ordered: endpoint.ordered,
    retry_schedule_s: endpoint.retryScheduleS,
    metadata: endpoint.metadata,
    signature: endpoint.signature,
    disabled: endpoint.disabled,
    disabled_reason: endpoint.disabledReason,
    disabled_at: timeOrNull(endpoint.disabledAtMs),
    health: {
      state: health.state,
      failing_since: timeOrNull(health.failingSinceMs),
      consecutive_failures: health.consecutiveFailures,
    },
    created_at: isoTime(endpoint.createdAtMs),
    updated_at: isoTime(endpoint.updatedAtMs),
  };
}

export function secretView({ secret, previous }: WebhookSecret): Answer<typeof secretAnswer> {
  return {
    secret,
    previous: previous.map(({ expiresAtMs }) => ({ expires_at: isoTime(expiresAtMs) })),
  };
}

export function statsView({ p50Ms, p95Ms, ...counts }: WebhookStats): Answer<typeof statsAnswer> {
  return { ...counts, p50_ms: p50Ms, p95_ms: p95Ms };
}

export function messageSummaryView(message: WebhookMessageSummary): Answer<typeof messageSummary> {
  return {
    id: message.id,
    event_type: message.eventType,
    channels: message.channels,
    accepted_at: isoTime(message.acceptedAtMs),
    bytes: message.bytes,
  };
}

/** As JSON text, since the envelope's own text is part of it: its numbers may have more digits than ours. */
export function messageText(message: WebhookMessage): string {
  const deliveries = message.deliveries.map((delivery): Answer<typeof deliveryAnswer> => ({
    endpoint_id: delivery.endpointId,
    status: delivery.status,
    attempts: delivery.attempts,
    next_attempt_at: timeOrNull(delivery.nextAttemptAtMs),
  }));
  const summary = JSON.stringify(messageSummaryView(message)).slice(0, -1);
  return `${summary},"envelope":${message.body ?? "null"},"deliveries":${JSON.stringify(deliveries)}}`;
}

export function attemptView(attempt: WebhookAttempt): Answer<typeof attemptAnswer> {
  return {
    id: attempt.id,
    message_id: attempt.messageId,
    endpoint_id: attempt.endpointId,
    number: attempt.number,
    trigger: attempt.trigger,
    status: attempt.status,
    url: attempt.url,
    response_status: attempt.responseStatus,
    response_body: attempt.responseBody,
    response_truncated: attempt.responseTruncated,
    error: attempt.error,
    duration_ms: attempt.durationMs,
    at: isoTime(attempt.atMs),
    next_attempt_at: timeOrNull(attempt.nextAttemptAtMs),
  };
}

export function deadLetterView(letter: WebhookDeadLetter): Answer<typeof deadLetterAnswer> {
  return {
    id: letter.id,
    message_id: letter.messageId,
    endpoint_id: letter.endpointId,
    event_type: letter.eventType,
    attempts: letter.attempts,
    reason: letter.reason,
    failed_at: isoTime(letter.failedAtMs),
  };
}

export function taskView({
  id,
  type,
  status,
  done,
  total,
}: WebhookTask): Answer<typeof taskAnswer> {
  return { id, type: TASK_TYPES[type], status, done, total };
}

const TASK_TYPES = {
  recover: "recover",
  replay_missing: "replay-missing",
  replay_dead_letters: "replay-dead-letters",
} as const satisfies Record<WebhookTask["type"], string>;

/** §5.5. */
export function pageView<Row>(page: WebhookPage<Row>, view: (row: Row) => unknown) {
  return {
    data: page.data.map(view),
    iterator: page.iterator,
    prev_iterator: page.prevIterator,
    done: page.done,
  };
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
