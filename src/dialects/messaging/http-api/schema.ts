/** Bodies of the HTTP API's calls and answers (messaging.md §13): validated here, and shown in the OpenAPI document. */
import { z } from "zod";
import { PASSWORD_CHARACTERS_MAX } from "../../../auth/passwords.ts";
import { HubError } from "../../../core/errors.ts";
import { parseJson } from "../../../core/json-text.ts";
import {
  KEY_NAME_CHARACTERS_MAX,
  KEY_SECONDS_MAX,
  PAGE_SIZE,
  PAGE_SIZE_MAX,
  PROFILE_BYTES_MAX,
  PROFILE_KEYS_MAX,
  SUBSCRIBERS_PER_CALL_MAX,
} from "../limits.ts";
import { SUBSCRIBER_ID } from "../auth/contract.ts";
import { AuthError } from "../auth/errors.ts";
import type { KeyRecord } from "../auth/records.ts";
import type { FoundSubscriber } from "../auth/subscriber-store.ts";
import { KEY_ID } from "../auth/token.ts";

const msisdn = z
  .string()
  .regex(SUBSCRIBER_ID, "must be 1 to 128 letters, digits and any of -_.+@:|~=");
const profile = z.record(z.string(), z.unknown());
const password = z.string().min(1).max(PASSWORD_CHARACTERS_MAX);
const name = z.string().max(KEY_NAME_CHARACTERS_MAX);

export const newSubscriber = z
  .strictObject({
    msisdn,
    profile: profile.default({}),
    active: z.boolean().default(true),
    "sip-password": password
      .optional()
      .describe("The password of logins. Absent: the subscriber cannot log in by one."),
  })
  .meta({ title: "messaging_new_subscriber" });

export const newSubscribers = z.array(newSubscriber).min(1).max(SUBSCRIBERS_PER_CALL_MAX);

export const subscriberChange = z.strictObject({
  profile: profile
    .optional()
    .describe("Members that are set; one that is `null` is removed. The others stay."),
  active: z
    .boolean()
    .optional()
    .describe("`false` ends every token of the subscriber, and it gets no new ones."),
  "sip-password": password.nullable().optional().describe("`null` removes it."),
});

export const newKey = z.strictObject({
  name: name.default(""),
  "expires-in": z
    .int()
    .min(1)
    .max(KEY_SECONDS_MAX)
    .nullable()
    .optional()
    .describe("Seconds; `null`: for ever. Absent: as `messaging.token_ttl` says."),
});

export const keyChange = z.strictObject({
  name: name.optional(),
  active: z.boolean().optional().describe("`false` ends the token until it is `true` again."),
});

const limit = z.coerce.number().int().min(1).max(PAGE_SIZE_MAX).default(PAGE_SIZE);
export const subscribersQuery = z.strictObject({ limit, after: msisdn.optional() });
export const keysQuery = z.strictObject({ limit, after: z.string().regex(KEY_ID).optional() });

export const subscriberAnswer = z
  .strictObject({
    msisdn: z.string(),
    domain: z.string(),
    active: z.boolean(),
    profile,
    "has-password": z.boolean(),
    "created-at": z.iso.datetime(),
    "changed-at": z.iso.datetime(),
  })
  .meta({ title: "messaging_subscriber" });

export const keyAnswer = z
  .strictObject({
    "key-id": z.string(),
    name: z.string(),
    active: z.boolean(),
    "created-at": z.iso.datetime(),
    "expires-at": z.iso.datetime().nullable(),
  })
  .meta({ title: "messaging_key" });

const tokenMembers = {
  access_token: z.string(),
  token_type: z.literal("Bearer"),
  expires_in: z.number().optional().describe("Seconds. Absent: it does not expire."),
};
export const tokenAnswer = z.strictObject(tokenMembers).meta({ title: "messaging_token" });
export const mintedAnswer = keyAnswer.extend(tokenMembers).meta({ title: "messaging_minted_key" });

const next = z.string().optional().describe("`after` of the next page. Absent: it was the last.");
export const subscribersAnswer = z.strictObject({ subscribers: z.array(subscriberAnswer), next });
export const keysAnswer = z.strictObject({ keys: z.array(keyAnswer), next });

/** RFC 7662 §2.2. */
export const introspectionAnswer = z.union([
  z.strictObject({
    active: z.literal(true),
    sub: z.string(),
    domain: z.string(),
    exp: z.number().optional().describe("Seconds since the epoch. Absent: it does not expire."),
    token_type: z.literal("Bearer"),
  }),
  z.strictObject({ active: z.literal(false) }),
]);

type View<Schema extends z.ZodType> = z.output<Schema>;

export function subscriberView(
  domain: string,
  { id, subscriber }: FoundSubscriber,
): View<typeof subscriberAnswer> {
  return {
    msisdn: id,
    domain,
    active: subscriber.active,
    profile: JSON.parse(subscriber.profile) as Record<string, unknown>,
    "has-password": subscriber.passwordHash !== undefined,
    "created-at": isoTime(subscriber.createdMs),
    "changed-at": isoTime(subscriber.changedMs),
  };
}

export function keyView({
  keyId,
  name: called,
  active,
  ...key
}: KeyRecord): View<typeof keyAnswer> {
  return {
    "key-id": keyId,
    name: called,
    active,
    "created-at": isoTime(key.createdMs),
    "expires-at": key.expiresMs === null ? null : isoTime(key.expiresMs),
  };
}

export function tokenView(token: string, key: KeyRecord): View<typeof tokenAnswer> {
  const { expiresMs, createdMs } = key;
  return {
    access_token: token,
    token_type: "Bearer",
    ...(expiresMs === null ? {} : { expires_in: Math.floor((expiresMs - createdMs) / 1000) }),
  };
}

const isoTime = (epochMs: number): string => new Date(epochMs).toISOString();

/** A call's JSON body; an empty one is `{}`. Throws AuthError `invalid_request`. */
export function readBody<Schema extends z.ZodType>(
  schema: Schema,
  body: Uint8Array,
): z.output<Schema> {
  return checked(schema, body.length === 0 ? {} : jsonOf(body), "body");
}

/** `one` of what `all` takes many of, or these. */
export function readOneOrMany<Item>(
  one: z.ZodType<Item>,
  all: z.ZodType<readonly Item[]>,
  body: Uint8Array,
): { readonly many: boolean; readonly items: readonly Item[] } {
  const value = jsonOf(body);
  return Array.isArray(value)
    ? { many: true, items: checked(all, value, "body") }
    : { many: false, items: [checked(one, value, "body")] };
}

/** The last one of a repeated name counts. */
export function readQuery<Schema extends z.ZodType>(
  schema: Schema,
  { searchParams }: URL,
): z.output<Schema> {
  return checked(schema, Object.fromEntries(searchParams), "query");
}

/** A profile with these changes, as it is kept. Throws AuthError `invalid_request` beyond its bounds. */
export function mergedProfile(former: string, changes: Readonly<Record<string, unknown>>): string {
  const members = new Map(Object.entries(JSON.parse(former) as Record<string, unknown>));
  for (const [key, value] of Object.entries(changes)) {
    if (value === null) members.delete(key);
    else members.set(key, value);
  }
  const text = JSON.stringify(Object.fromEntries(members));
  if (members.size <= PROFILE_KEYS_MAX && Buffer.byteLength(text) <= PROFILE_BYTES_MAX) return text;
  const bounds = `${PROFILE_BYTES_MAX} bytes of JSON and ${PROFILE_KEYS_MAX} members`;
  throw new AuthError("invalid_request", `A profile has at most ${bounds}`, { field: "profile" });
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function jsonOf(body: Uint8Array): unknown {
  try {
    return parseJson(strictUtf8.decode(body));
  } catch (error) {
    if (!(error instanceof HubError) && !(error instanceof TypeError)) throw error;
    throw new AuthError("invalid_request", "The body is not JSON");
  }
}

function checked<Schema extends z.ZodType>(
  schema: Schema,
  value: unknown,
  where: string,
): z.output<Schema> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.join(".") ?? "";
  // Names of unknown members are the sender's text.
  const why = issue?.code === "unrecognized_keys" ? "A member is not known" : issue?.message;
  throw new AuthError(
    "invalid_request",
    `${field === "" ? `The ${where} is wrong` : `"${field}" is wrong`}: ${why ?? "see the documentation"}`,
    field === "" ? {} : { field },
  );
}
