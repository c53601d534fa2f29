/** What callers of the webhook API may send (webhooks.md §5), and what of it the delivery is told. */
import { z } from "zod";
import { parseJson } from "../../../core/json-text.ts";
import { WEBHOOK_LIMITS, type WebhookEndpointSettings } from "../../../webhooks/contract.ts";
import { EventsError } from "../errors.ts";
import { jsonBody, parsedBody, type ParamsCall } from "../call.ts";

/** Of a body: filters and headers at their limits fit. */
export const WEBHOOK_CALL_BYTES_MAX = 65_536;
const EVENT_TYPE_CHARACTERS_MAX = 128;
const DESCRIPTION_CHARACTERS_MAX = 1024;
const METADATA_MEMBERS_MAX = 50;
const METADATA_NAME_CHARACTERS_MAX = 64;
const METADATA_VALUE_CHARACTERS_MAX = 512;

const eventType = z
  .string()
  .max(EVENT_TYPE_CHARACTERS_MAX)
  .regex(/^\w+(\.\w+)*$/, "must be words of letters, digits and _ with dots between them");
const eventTypeFilter = z
  .string()
  .max(EVENT_TYPE_CHARACTERS_MAX)
  .regex(
    /^\w+(\.\w+)*(\.\*)?$/,
    "must be an event type, or one with .* behind it; null stands for all",
  );
const channel = z
  .string()
  .max(WEBHOOK_LIMITS.channelCharacters)
  .regex(/^[\w.-]+$/, "must be of letters, digits, _, . and -");
const time = z.iso
  .datetime({ offset: true, error: "must be an ISO 8601 time" })
  .transform((text) => Date.parse(text));

/** What the delivery itself says, and what belongs to one connection (RFC 9110 §7.6.1) and would break the request. */
const OWN_HEADERS =
  /^(host|content-length|content-type|user-agent|webhook-.*|transfer-encoding|connection|keep-alive|proxy-.*|te|trailer|upgrade|http2-settings|expect)$/i;
const headers = z
  .record(
    z
      .string()
      .max(WEBHOOK_LIMITS.headerNameCharacters)
      .regex(/^[\w!#$%&'*+.^`|~-]+$/, "is not the name of a header")
      .refine((name) => !OWN_HEADERS.test(name), "is a header that the server sets"),
    z
      .string()
      .max(WEBHOOK_LIMITS.headerValueCharacters)
      .regex(/^[\t\x20-\x7e]*$/, "must be printable ASCII"),
  )
  .refine(
    (all) => Object.keys(all).length <= WEBHOOK_LIMITS.headers,
    `must have at most ${WEBHOOK_LIMITS.headers} members`,
  )
  .refine(
    (all) =>
      new Set(Object.keys(all).map((name) => name.toLowerCase())).size === Object.keys(all).length,
    "must name each header once, whatever its case",
  )
  .meta({
    maxProperties: WEBHOOK_LIMITS.headers,
    description:
      "Not those that the server sets (host, content-length, content-type, user-agent, webhook-*), nor those of the connection (transfer-encoding, connection, keep-alive, proxy-*, te, trailer, upgrade, http2-settings, expect).",
  });
const metadata = z
  .record(
    z.string().min(1).max(METADATA_NAME_CHARACTERS_MAX),
    z.string().max(METADATA_VALUE_CHARACTERS_MAX),
  )
  .refine(
    (all) => Object.keys(all).length <= METADATA_MEMBERS_MAX,
    `must have at most ${METADATA_MEMBERS_MAX} members`,
  )
  .meta({ maxProperties: METADATA_MEMBERS_MAX });

/** Null is the default of each, so `PATCH` takes a filter away with it. */
const settings = {
  description: z.string().max(DESCRIPTION_CHARACTERS_MAX).nullish(),
  event_types: z.array(eventTypeFilter).min(1).max(WEBHOOK_LIMITS.eventTypes).nullish(),
  channels: z.array(channel).min(1).max(WEBHOOK_LIMITS.channels).nullish(),
  headers: headers.nullish(),
  rate_limit: z.int().min(1).max(WEBHOOK_LIMITS.rateLimit).nullish(),
  ordered: z.boolean().optional(),
  retry_schedule_s: z
    .array(z.int().min(0).max(WEBHOOK_LIMITS.retryDelaySeconds))
    .max(WEBHOOK_LIMITS.retryDelays)
    .nullish(),
  metadata: metadata.nullish(),
};
const url = z.string().min(1).max(WEBHOOK_LIMITS.urlCharacters).meta({ format: "uri" });

const secret = z
  .string()
  .nullish()
  .meta({ description: "`whsec_` and base64 of 24 to 64 bytes; without one it is made." });

export const endpointBody = z.strictObject({
  ...{ url, ...settings },
  ...{ signature: z.enum(["hmac", "ed25519"]).optional(), secret },
});
export const endpointChanges = z.strictObject({
  ...{ url: url.optional(), ...settings },
  disabled: z.boolean().optional(),
});
export const rotation = z.strictObject({
  secret,
  grace_period_s: z
    .int()
    .min(0)
    .max(WEBHOOK_LIMITS.graceMs / 1000)
    .default(WEBHOOK_LIMITS.graceDefaultMs / 1000),
});
export const testEvent = z
  .strictObject({ event_type: eventType.default("webhook.test") })
  .prefault({});
export const recovery = z.strictObject({ since: time, until: time.nullish() });
export const missing = z.strictObject({
  ...recovery.shape,
  event_types: z.array(eventTypeFilter).min(1).max(WEBHOOK_LIMITS.eventTypes).nullish(),
});
export const deadLetterChoice = z.union(
  [
    z.strictObject({ ids: z.array(z.string()).min(1).max(WEBHOOK_LIMITS.deadLetterIds) }),
    z.strictObject({ endpoint_id: z.string() }),
  ],
  {
    error: `must have either at most ${WEBHOOK_LIMITS.deadLetterIds} ids, or endpoint_id`,
  },
);
/** For calls whose body says nothing, and may be left out. */
export const nothing = z.strictObject({}).prefault({});

const LIMIT = `must be a number from 1 to ${WEBHOOK_LIMITS.pageRows}`;
const limit = z.preprocess(
  (text) => (/^\d{1,9}$/.test(String(text)) ? Number(text) : text),
  z.int(LIMIT).min(1, LIMIT).max(WEBHOOK_LIMITS.pageRows, LIMIT),
);
/** Query members of every list; others than a call's own are ignored. */
export const pageQuery = z.object({
  limit: limit
    .default(WEBHOOK_LIMITS.pageRowsDefault)
    .meta({ default: WEBHOOK_LIMITS.pageRowsDefault }),
  iterator: z.string().optional(),
});
const windowQuery = z.object({ since: time.optional(), until: time.optional() });
export const statsQuery = windowQuery;
export const messagesQuery = pageQuery.extend({
  ...windowQuery.shape,
  ...{ event_type: eventType.optional(), channel: channel.optional() },
});
export const attemptsQuery = pageQuery.extend({
  ...windowQuery.shape,
  status: z.enum(["succeeded", "failed"]).optional(),
  status_class: z
    .string()
    .regex(/^[1-5](xx)?$/, "must be 1xx to 5xx")
    .transform((text) => Number(text[0]))
    .optional(),
});
export const deadLettersQuery = pageQuery.extend({
  ...windowQuery.shape,
  ...{ endpoint_id: z.string().optional(), event_type: eventType.optional() },
});

/** Throws `invalid_request` that names the first member that is wrong, and without a body, unless the schema takes that. */
export function readBody<Schema extends z.ZodType>(
  schema: Schema,
  call: ParamsCall,
): z.output<Schema> {
  const text = jsonBody(call);
  return check(schema, text === "" ? undefined : parsedBody(text, parseJson));
}

/** Likewise of the query; a member that is given twice counts once, the first. */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  { url: address }: Pick<Request, "url">,
): z.output<Schema> {
  const query = new URL(address, "http://localhost").searchParams;
  return check(
    schema,
    Object.fromEntries([...query.keys()].map((name) => [name, query.get(name)])),
  );
}

function check<Schema extends z.ZodType>(schema: Schema, value: unknown): z.output<Schema> {
  const { success, data, error } = schema.safeParse(value);
  if (success) return data;
  const [issue] = error.issues;
  const member = issue?.path.map(String).join(".") ?? "";
  const message = `${member === "" ? "The body" : `"${member}"`}: ${issue?.message ?? "invalid"}.`;
  throw new EventsError("invalid_request", message, {
    ...(member === "" ? {} : { details: { member } }),
    cause: error,
  });
}

type SettingsBody = Omit<z.output<typeof endpointChanges>, "disabled">;
/** With `undefined` for what was not given, as exactOptionalPropertyTypes has it: left out. */
type Given = Partial<WebhookEndpointSettings>;

/** The members that were given, in the delivery's names. */
export function settingsOf(body: SettingsBody): Given {
  const { description, event_types, channels, headers: named, rate_limit, ordered } = body;
  const { retry_schedule_s, metadata: noted, url: address } = body;
  return {
    ...(address === undefined ? {} : { url: address }),
    ...(description === undefined ? {} : { description }),
    ...(event_types === undefined ? {} : { eventTypes: event_types }),
    ...(channels === undefined ? {} : { channels }),
    ...(named === undefined ? {} : { headers: named ?? {} }),
    ...(rate_limit === undefined
      ? {}
      : { rateLimit: rate_limit ?? WEBHOOK_LIMITS.rateLimitDefault }),
    ...(ordered === undefined ? {} : { ordered }),
    ...(retry_schedule_s === undefined ? {} : { retryScheduleS: retry_schedule_s }),
    ...(noted === undefined ? {} : { metadata: noted ?? {} }),
  };
}
