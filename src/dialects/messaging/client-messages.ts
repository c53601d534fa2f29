/**
 * Every client message (messaging.md §7), and its form (§6.1). A message of another shape is passed over in silence; one of the
 * right shape with a value that cannot be is answered with an error. Both come from one schema for each type.
 */
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { jsonView, type CompactJson, type JsonView } from "../../core/json-text.ts";
import type { Frame } from "../../core/types.ts";
import type { Access } from "./chat/contract.ts";
import { Refusal, type ErrorCode } from "./errors.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

/** Configurable bounds, in bytes. */
export interface MessageLimits {
  readonly message_size_limit: number;
  readonly content_size_limit: number;
  readonly attributes_size_limit: number;
}

/** §12, in characters, save for `ATTRIBUTES_KEYS_MAX`. */
export const NAME_CHARACTERS_MAX = 256;
export const STATUS_CHARACTERS_MAX = 512;
export const NOTE_CHARACTERS_MAX = 512;
export const ATTRIBUTES_KEYS_MAX = 64;
/** §7: ids in one message, entries of one page. */
const IDS_MAX = 100;
const PAGE_MAX = 200;
const INVITE_TOKEN_CHARACTERS_MAX = 128;
const DEDUPE_KEY_CHARACTERS_MAX = 64;
/** Of a content's type: longer than any that is registered. */
const CONTENT_TYPE_CHARACTERS_MAX = 255;

function createSchemas({ content_size_limit, attributes_size_limit }: MessageLimits) {
  /** Its issues have `params`: any other issue means another shape. */
  const where = <Schema extends z.ZodType>(
    schema: Schema,
    holds: (value: z.output<Schema>) => boolean,
    reason: string,
    error: ErrorCode = "invalid-field",
  ) => schema.refine(holds, { params: { error }, message: reason });

  /** §6.1: null counts as absent. */
  const optional = <Schema extends z.ZodType>(schema: Schema) =>
    schema.nullish().transform((value) => value ?? undefined);

  const characters = (max: number, error: ErrorCode = "too-large") =>
    where(z.string(), ({ length }) => length <= max, `More than ${max} characters`, error);

  const json = z.custom<JsonObject>(
    (value) => typeof value === "object" && value !== null && !Array.isArray(value),
  );
  const attributes = optional(
    where(
      where(
        json,
        (value) => Object.keys(value).length <= ATTRIBUTES_KEYS_MAX,
        `More than ${ATTRIBUTES_KEYS_MAX} attributes`,
        "too-large",
      ),
      (value) => Buffer.byteLength(JSON.stringify(value)) <= attributes_size_limit,
      `Attributes of more than ${attributes_size_limit} bytes`,
      "too-large",
    ),
  );
  const id = z.string();
  const name = optional(characters(NAME_CHARACTERS_MAX));
  const note = optional(characters(NOTE_CHARACTERS_MAX));
  const access = optional(
    where(
      z.string(),
      (value) => value === "invite" || value === "open",
      "Neither invite nor open",
    ).transform((value) => value as Access),
  );
  const ids = where(
    z.array(id),
    ({ length }) => length >= 1 && length <= IDS_MAX,
    `Not 1 to ${IDS_MAX} ids`,
  );
  const limit = optional(
    where(
      z.number(),
      (value) => Number.isInteger(value) && value >= 1 && value <= PAGE_MAX,
      `Not 1 to ${PAGE_MAX}`,
    ),
  );
  const sequence = optional(
    where(
      z.number(),
      (value) => Number.isSafeInteger(value) && value >= 0,
      "Not a sequence number",
    ),
  );
  const message = {
    content: where(
      where(z.string(), ({ length }) => length > 0, "Empty"),
      (value) => Buffer.byteLength(value) <= content_size_limit,
      `More than ${content_size_limit} bytes`,
      "too-large",
    ),
    "content-type": optional(
      where(
        characters(CONTENT_TYPE_CHARACTERS_MAX, "invalid-field"),
        ({ length }) => length > 0,
        "Empty",
      ),
    ),
    attributes,
  };
  const sent = {
    ...message,
    "dedupe-key": optional(
      where(
        z.string(),
        ({ length }) => length >= 1 && length <= DEDUPE_KEY_CHARACTERS_MAX,
        `Not 1 to ${DEDUPE_KEY_CHARACTERS_MAX} characters`,
      ),
    ),
  };
  const channel = { "channel-id": id };
  const member = { ...channel, subscriber: id };
  const nothing = z.object({});
  const contacts = z.object({ subscribers: ids });

  return {
    announce: z.object({
      availability: optional(
        where(z.string(), isAvailability, "Not an availability").transform(
          (value) => value as Availability,
        ),
      ),
      status: optional(characters(STATUS_CHARACTERS_MAX)),
      attributes,
    }),
    unannounce: nothing,
    "create-channel": z.object({
      name,
      "invite-token": optional(
        where(
          characters(INVITE_TOKEN_CHARACTERS_MAX, "invalid-field"),
          ({ length }) => length > 0,
          "Empty",
        ),
      ),
      attributes,
      access,
    }),
    "join-channel": z
      .object({ "channel-id": optional(id), "invite-token": optional(z.string()) })
      .refine((join) => join["channel-id"] !== undefined || join["invite-token"] !== undefined),
    "leave-channel": z.object(channel),
    "list-channels": nothing,
    "list-subscribers": z.object({ ...channel, after: optional(id), limit }),
    "update-channel": z.object({
      ...channel,
      name,
      attributes,
      "invite-token": optional(characters(INVITE_TOKEN_CHARACTERS_MAX, "invalid-field")),
      access,
    }),
    "delete-channel": z.object(channel),
    "discover-channels": z.object({ after: optional(id), limit }),
    invite: z.object({ ...channel, subscribers: ids, note }),
    "decline-invitation": z.object({ ...channel, reason: note }),
    "cancel-invitation": z.object(member),
    "list-invitations": nothing,
    "remove-subscriber": z.object({ ...member, reason: note, ban: optional(z.boolean()) }),
    "set-administrator": z.object({ ...member, administrator: z.boolean() }),
    "direct-message": z.object({ to: id, ...sent }),
    "channel-message": z.object({ ...channel, ...sent }),
    receipt: z.object({
      "message-ids": ids,
      status: where(
        z.string(),
        (value) => value === "displayed" || value === "read",
        "Neither displayed nor read",
      ).transform((value) => value as "displayed" | "read"),
    }),
    typing: z
      .object({ to: optional(id), "channel-id": optional(id), active: optional(z.boolean()) })
      .refine((typing) => (typing.to === undefined) !== (typing["channel-id"] === undefined)),
    history: z
      .object({
        with: optional(id),
        "channel-id": optional(id),
        before: sequence,
        after: sequence,
        limit,
      })
      .refine((history) => (history.with === undefined) !== (history["channel-id"] === undefined)),
    "edit-message": z.object({ "message-id": id, ...message }),
    "delete-message": z.object({ "message-id": id }),
    "list-conversations": z.object({
      limit,
      before: optional(where(z.string(), isTimestamp, "Not an RFC 3339 time")),
    }),
    "get-availability": contacts,
    "watch-availability": contacts,
    "unwatch-availability": contacts,
    "block-subscriber": z.object({ subscriber: id }),
    "unblock-subscriber": z.object({ subscriber: id }),
    "list-blocked": nothing,
    ping: nothing,
    whoami: nothing,
  };
}

type Schemas = ReturnType<typeof createSchemas>;
export type MessageType = keyof Schemas;
export type Fields<Type extends MessageType> = z.output<Schemas[Type]>;

/** A well-formed client message. */
export interface ClientMessage<Type extends MessageType = MessageType> {
  readonly type: Type;
  readonly id: string | undefined;
  readonly fields: Fields<Type>;
  /** Its attributes as compact text, numbers as they came; undefined: the message has no attributes. */
  readonly attributes: CompactJson | undefined;
  /** The value that cannot be. */
  readonly refusal: Refusal | undefined;
}

/** Of attributes that others were merged into. */
export function requireAttributes(attributes: JsonObject, bytesMax: number): void {
  const few = Object.keys(attributes).length <= ATTRIBUTES_KEYS_MAX;
  if (few && Buffer.byteLength(JSON.stringify(attributes)) <= bytesMax) return;
  throw new Refusal("too-large", "Too many attributes, with those that were set before", {
    field: "attributes",
  });
}

/** Undefined: the text is not a client message, and is ignored (§6.1). */
export type ReadMessage = (frame: Frame) => ClientMessage | undefined;

export function createReadMessage(limits: MessageLimits): ReadMessage {
  const schemas = createSchemas(limits);

  return (frame) => {
    if (typeof frame !== "string") return undefined;
    const view = viewOf(frame);
    if (view?.kind !== "object") return undefined;
    const value = view.value as JsonObject;
    const { type, id } = value;
    if (typeof type !== "string" || !Object.hasOwn(schemas, type)) return undefined;
    if (id !== undefined && typeof id !== "string") return undefined;
    const known = type as MessageType;
    const bytes = limits.message_size_limit;
    const tooLarge = frame.length * 3 > bytes && Buffer.byteLength(frame) > bytes;
    const parsed = schemas[known].safeParse(value);
    const issues = parsed.error?.issues ?? [];
    if (issues.some(({ code, ...issue }) => code !== "custom" || !("params" in issue))) {
      return undefined;
    }
    const attributes = view.member("attributes");
    return {
      type: known,
      id,
      fields: (parsed.data ?? {}) as Fields<MessageType>,
      attributes: attributes?.kind === "object" ? attributes.json : undefined,
      refusal: tooLarge
        ? new Refusal("too-large", `A message has more than ${bytes} bytes`)
        : refusalOf(issues[0]),
    };
  };
}

function viewOf(text: string): JsonView | undefined {
  try {
    return jsonView(text);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}

function refusalOf(issue: z.core.$ZodIssue | undefined): Refusal | undefined {
  if (issue?.code !== "custom") return undefined;
  const error = issue.params?.["error"] as ErrorCode;
  const field = issue.path.find((part) => typeof part === "string") ?? "";
  return new Refusal(error, `"${field}": ${issue.message}`, { field });
}

export const AVAILABILITIES = ["invisible", "available", "dnd", "busy"] as const;
export type Availability = (typeof AVAILABILITIES)[number];

function isAvailability(value: string): boolean {
  return (AVAILABILITIES as readonly string[]).includes(value);
}

function isTimestamp(value: string): boolean {
  return /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d/.test(value) && !Number.isNaN(Date.parse(value));
}
