/** What the webhook API answers (webhooks.md §5). The views have these types, and the OpenAPI document is made from them. */
import { z } from "zod";

const text = z.string();
const texts = z.array(text).readonly();
const count = z.int().min(0);
const time = text.meta({ format: "date-time" });
const milliseconds = z.number().min(0);

/** Of this name in the document. */
function named<Shape extends z.ZodRawShape>(title: string, shape: Shape) {
  return z.strictObject(shape).meta({ title });
}

export const endpointAnswer = named("WebhookEndpoint", {
  id: text,
  organisation_id: text,
  url: text.meta({ description: "User and password are masked." }),
  description: text.nullable(),
  event_types: texts.nullable(),
  channels: texts.nullable(),
  headers: z.record(text, text).meta({ description: "Values are masked." }),
  rate_limit: count,
  ordered: z.boolean(),
  retry_schedule_s: z.array(count).readonly().nullable(),
  metadata: z.record(text, text).readonly(),
  signature: z.enum(["hmac", "ed25519"]),
  disabled: z.boolean(),
  disabled_reason: z.enum(["manual", "gone", "receiver", "failing"]).nullable(),
  disabled_at: time.nullable(),
  health: z.strictObject({
    state: z.enum(["healthy", "unproven", "failing"]),
    failing_since: time.nullable(),
    consecutive_failures: count,
  }),
  created_at: time,
  updated_at: time,
});
const notes = texts.optional().meta({ description: "Where `ordered` was asked for." });
export const changedEndpoint = endpointAnswer.extend({ notes });
export const newEndpoint = changedEndpoint.extend({ secret: text });

export const secretAnswer = named("WebhookSecret", {
  secret: text.meta({ description: "The public key of an ed25519 endpoint." }),
  previous: z.array(z.strictObject({ expires_at: time })),
});
export const rotatedSecret = z.strictObject({ secret: text, previous_expires_at: time });

export const statsAnswer = named("WebhookStats", {
  ...{ pending: count, succeeded: count, failed: count, cancelled: count },
  ...{ p50_ms: milliseconds.nullable(), p95_ms: milliseconds.nullable() },
});

export const attemptAnswer = named("WebhookAttempt", {
  ...{ id: text, message_id: text, endpoint_id: text, number: z.int().min(1) },
  trigger: z.enum(["scheduled", "manual"]),
  status: z.enum(["succeeded", "failed"]),
  url: text,
  response_status: z.int().nullable(),
  response_body: text.nullable(),
  response_truncated: z.boolean(),
  error: z
    .enum([
      ...(["timeout", "dns", "blocked_address", "connect", "tls"] as const),
      ...(["response_too_large", "redirect"] as const),
    ])
    .nullable(),
  ...{ duration_ms: milliseconds, at: time, next_attempt_at: time.nullable() },
});

export const messageSummary = named("WebhookMessageSummary", {
  ...{ id: text, event_type: text, channels: texts, accepted_at: time, bytes: count },
});
export const deliveryAnswer = z.strictObject({
  endpoint_id: text,
  status: z.enum(["pending", "sending", "succeeded", "failed", "cancelled"]),
  attempts: count,
  next_attempt_at: time.nullable(),
});
export const messageAnswer = messageSummary
  .extend({
    envelope: z
      .looseObject({})
      .nullable()
      .meta({ description: "As it was sent; null once it is erased." }),
    deliveries: z.array(deliveryAnswer),
  })
  .meta({ title: "WebhookMessage" });

export const deadLetterAnswer = named("WebhookDeadLetter", {
  ...{ id: text, message_id: text, endpoint_id: text, event_type: text, attempts: count },
  reason: z.enum(["exhausted", "aborted", "gone", "blocked_address", "overflow"]),
  failed_at: time,
});
export const discardedAnswer = z.strictObject({ discarded: count });

export const taskAnswer = named("WebhookTask", {
  id: text,
  type: z.enum(["recover", "replay-missing", "replay-dead-letters"]),
  status: z.enum(["running", "finished", "cancelled"]),
  ...{ done: count, total: count },
});
export const replayAnswer = z.strictObject({ attempt_pending: z.literal(true) });

export const eventTypesAnswer = z.strictObject({
  data: z.array(
    z.strictObject({
      ...{ name: text, description: text },
      schema: z.looseObject({}).meta({ description: "Of the whole body." }),
    }),
  ),
});
export const sourceAddressesAnswer = z.strictObject({ data: texts });

/** §5.5. */
export const pageOf = (row: z.ZodType) =>
  z.strictObject({
    data: z.array(row),
    iterator: text.nullable(),
    prev_iterator: text.nullable(),
    done: z.boolean(),
  });
