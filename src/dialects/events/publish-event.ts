/** An event as its producer sends it (event-streaming.md §10.1): what it must be, where it goes, and the one text that goes there. */
import { createHash } from "node:crypto";
import { z } from "zod";
import { compactJson, type CompactJson, type JsonView } from "../../core/json-text.ts";
import { ORGANISATION_ID, USER_ID } from "./access-token.ts";
import type { Catalogue, CatalogueEntry } from "./catalogue.ts";
import { SEGMENT } from "./channels.ts";
import { EventsError } from "./errors.ts";

/** Bytes of the envelope where it goes to streams, and where it goes to webhooks alone. */
export const STREAM_ENVELOPE_BYTES_MAX = 65_536;
export const WEBHOOK_ENVELOPE_BYTES_MAX = 262_144;
export const EVENT_USERS_MAX = 100;
export const EVENT_TYPE_CHARACTERS_MAX = 128;

const EVENT_TYPE = /^[a-zA-Z0-9_]+(?:\.[a-zA-Z0-9_]+)*$/;
const EVENT_ID = /^[-\w.:]{1,128}$/;

/** All but `data`, which is never parsed: its text goes out as it came in. */
export const eventMembers = z.object({
  id: z.string().regex(EVENT_ID).optional().meta({ description: "Makes a repetition harmless." }),
  type: z.string().max(EVENT_TYPE_CHARACTERS_MAX).regex(EVENT_TYPE),
  organisation_id: z.string().regex(ORGANISATION_ID).optional(),
  resource: z.string().optional().meta({ description: "A namespace of the catalogue." }),
  entity: z.string().regex(SEGMENT).optional(),
  users: z
    .array(z.string().regex(USER_ID))
    .min(1)
    .max(EVENT_USERS_MAX)
    .optional()
    .meta({ description: "Absent: every member of the organisation." }),
  timestamp: z.iso.datetime({ offset: true }).optional(),
  streaming: z.boolean().default(true),
  webhooks: z.boolean().default(true),
});

export interface EventDraft extends z.output<typeof eventMembers> {
  /** Compact JSON text of an object. */
  readonly data: string;
  /** Of the catalogue; undefined without a resource. */
  readonly entry: CatalogueEntry | undefined;
}

/** Members of an event, most of which would mean nothing: each costs far more than its bytes do. */
const EVENT_MEMBERS_MAX = 1_000;

/** Throws `invalid_request`, and HubError `bad_request` for too many members. */
export function parseEvent(view: JsonView, catalogue: Catalogue): EventDraft {
  if (view.kind !== "object") throw invalid("The event must be a JSON object.");
  const members = view.members(EVENT_MEMBERS_MAX);
  const data = members.get("data");
  if (data?.kind !== "object") throw invalid('"data" must be a JSON object.', "data");
  const given = [...members].filter(([name, { kind }]) => name !== "data" && kind !== "null");
  // Not by assignment: a member may be called `__proto__`.
  const parsed = eventMembers.safeParse(
    Object.fromEntries(given.map(([name, member]) => [name, member.value])),
  );
  if (!parsed.success) {
    const name = parsed.error.issues[0]?.path.join(".") ?? "";
    throw invalid(`"${name}" is not valid.`, name);
  }
  const event = parsed.data;
  const { resource, streaming, webhooks, users } = event;
  if (!streaming && !webhooks) throw invalid("The event must go to streams, webhooks or both.");
  if (streaming && resource === undefined) throw invalid('"resource" is missing.', "resource");
  const entry = resource === undefined ? undefined : catalogue.get(resource);
  if (resource !== undefined && entry === undefined) {
    throw invalid('"resource" is not in the catalogue.', "resource");
  }
  if (streaming && users !== undefined && entry?.visibility === "public") {
    throw invalid('A public namespace has no channels for "users".', "users");
  }
  return { ...event, data: data.raw, entry };
}

/** Where it goes; empty when it is not for streams. */
export function channelsOf(
  { streaming, entry, entity, users }: EventDraft,
  organisationId: string,
): readonly string[] {
  if (!streaming || entry === undefined) return [];
  const whole = `${entry.name}:${organisationId}`;
  if (users !== undefined) return [...new Set(users)].map((user) => `${whole}#${user}`);
  return [
    ...(entry.organisationChannel ? [whole] : []),
    ...(entity === undefined ? [] : [`${whole}.${entity}`]),
  ];
}

/** What webhook endpoints filter by (webhooks.md §5.1). */
export function webhookChannelsOf({ resource, entity }: EventDraft): readonly string[] {
  if (resource === undefined) return [];
  return [resource, ...(entity === undefined ? [] : [`${resource}.${entity}`])];
}

/** The same text on every channel and in the webhook's body. Throws `payload_too_large`, and HubError `bad_request` for data at the greatest depth. */
export function envelopeOf(
  { type, data, streaming }: EventDraft,
  { id, timestamp }: { readonly id: string; readonly timestamp: string },
): CompactJson {
  const head = JSON.stringify({ id, type, timestamp });
  const envelope = compactJson(`${head.slice(0, -1)},"data":${data}}`);
  const bytesMax = streaming ? STREAM_ENVELOPE_BYTES_MAX : WEBHOOK_ENVELOPE_BYTES_MAX;
  if (Buffer.byteLength(envelope) > bytesMax) {
    throw new EventsError("payload_too_large", `The event is larger than ${bytesMax} bytes.`, {
      details: { bytes_max: bytesMax },
    });
  }
  return envelope;
}

/** UTC as it is written here; what is UTC already stays as its producer wrote it. */
export function timestampOf({ timestamp }: EventDraft, nowMs: number): string {
  if (timestamp?.endsWith("Z")) return timestamp;
  return new Date(timestamp ?? nowMs).toISOString();
}

/** Tells one event from another of the same id. */
export function digestOf(event: EventDraft, organisationId: string): string {
  const { type, resource, entity, users, timestamp, data, streaming, webhooks } = event;
  const said = [organisationId, type, resource, entity, users, timestamp, data, streaming];
  return createHash("sha256")
    .update(JSON.stringify([...said, webhooks]))
    .digest("base64url");
}

function invalid(message: string, member?: string): EventsError {
  return new EventsError("invalid_request", message, {
    ...(member === undefined ? {} : { details: { member } }),
  });
}
