/** The server API's requests and results (centrifugo-protocol.md §17), from which validation and the OpenAPI document come. */
import { z } from "zod";
import type { Payload, Tags } from "../../core/types.ts";
import { overrideSchema } from "./authority.ts";
import { isJson } from "../../core/json-text.ts";

/** Channels of one broadcast: bounds what one request sets off. */
const BROADCAST_CHANNELS_MAX = 10_000;

/** Any JSON value, taken as it was written. */
const json = z
  .custom<Payload>((value) => value !== undefined)
  .meta({ description: "Any JSON value; passed on as it was written." });
const channel = z.string().min(1).meta({ description: "Name of the channel." });
const user = z
  .string()
  .meta({ description: "User id; the empty string means anonymous connections." });
const offset = z.int().nonnegative();
/** A zero value may be left out or `null`, as everywhere in this protocol. */
const position = z.object({
  offset: offset.nullish().transform((value) => value ?? 0),
  epoch: z
    .string()
    .nullish()
    .transform((value) => value ?? ""),
});
const unixSeconds = z.number().nonnegative().max(Number.MAX_SAFE_INTEGER).meta({
  description: "Unix time in seconds, fractions included. A subscription's lies in the future.",
});
const [SIGN, PAD] = ["[0-9a-zA-Z+/][\\r\\n]*", "=[\\r\\n]*"];
/** Line ends, which some encoders put in, are no mistake. */
const base64 = z
  .string()
  .overwrite((text) => text.replaceAll(/[\r\n]/g, ""))
  .base64()
  .meta({
    description: "The same as base64; wins over the plain field.",
    pattern: `^[\\r\\n]*(?:(?:${SIGN}){4})*(?:(?:${SIGN}){2}(?:${PAD}){2}|(?:${SIGN}){3}${PAD})?$`,
  });

/** §3.5: room for it in a close frame, and centrifuge-js takes a reason that is JSON for something else. */
const CLOSE_REASON_BYTES_MAX = 123;
const closeReason = z
  .string()
  .refine((text) => Buffer.byteLength(text) <= CLOSE_REASON_BYTES_MAX && !isJson(text), {
    error: `must be at most ${CLOSE_REASON_BYTES_MAX} bytes that are not JSON`,
  })
  .nullish()
  .transform((text) => text ?? "")
  .meta({ description: "At most 123 bytes that are not JSON; empty: the server's own text." });

/** As zod's record, which however drops a member called `__proto__`. */
const tags = z
  .custom<Tags>(
    (value) =>
      typeof value === "object" &&
      value !== null &&
      !Array.isArray(value) &&
      Object.values(value).every((member) => typeof member === "string"),
    "must be an object of strings",
  )
  .meta({ type: "object", additionalProperties: { type: "string" } });

const publicationFields = {
  data: json.optional().meta({
    description: "Any JSON value; only a namespace that takes bytes goes without.",
  }),
  b64data: base64.optional(),
  skip_history: z.boolean().optional(),
  tags: tags.optional(),
  idempotency_key: z.string().optional(),
  delta: z.boolean().optional().meta({ description: "Accepted; deltas are not made yet." }),
  version: z.int().nonnegative().optional(),
  version_epoch: z.string().optional(),
};

const ofUser = {
  user: user.optional(),
  client: z.string().optional().meta({ description: "Only this connection." }),
  session: z.string().optional().meta({ description: "Only the connection of this session id." }),
};

const clientInfo = z
  .object({
    user: z.string(),
    client: z.string(),
    conn_info: json.optional(),
    chan_info: json.optional(),
  })
  .meta({ title: "ClientInfo" });

const publication = z
  .object({
    data: json.optional(),
    info: clientInfo.optional(),
    offset: offset.optional(),
    tags: tags.optional(),
    version: z.int().optional(),
    time: z.int().optional(),
    epoch: z.string().optional(),
  })
  .meta({ title: "Publication" });

const published = z.object({ offset: offset.optional(), epoch: z.string().optional() });
const empty = z.object({});
const error = z.object({ code: z.int(), message: z.string() });

/** Unknown request members are ignored, as Centrifugo's are. */
export const API_METHODS = {
  publish: { request: z.object({ channel, ...publicationFields }), result: published },
  broadcast: {
    request: z.object({
      channels: z.array(z.string()).min(1).max(BROADCAST_CHANNELS_MAX),
      ...publicationFields,
    }),
    result: z.object({
      responses: z.array(z.union([z.object({ result: published }), z.object({ error })])),
    }),
  },
  subscribe: {
    request: z.object({
      ...ofUser,
      channel,
      info: json.optional(),
      b64info: base64.optional(),
      data: json.optional(),
      b64data: base64.optional(),
      expire_at: unixSeconds.optional(),
      recover_since: position.optional(),
      override: overrideSchema,
    }),
    result: empty,
  },
  unsubscribe: {
    request: z.object({
      ...ofUser,
      channel: z.string().optional().meta({ description: "Absent or empty: all." }),
    }),
    result: empty,
  },
  disconnect: {
    request: z.object({
      ...ofUser,
      whitelist: z.array(z.string()).optional().meta({ description: "Client ids that are kept." }),
      disconnect: z.object({ code: z.int().min(3000).max(4999), reason: closeReason }).optional(),
    }),
    result: empty,
  },
  refresh: {
    request: z.object({
      ...ofUser,
      expired: z.boolean().optional(),
      expire_at: unixSeconds.optional(),
      info: json.optional(),
    }),
    result: empty,
  },
  presence: {
    request: z.object({ channel }),
    result: z.object({ presence: z.record(z.string(), clientInfo) }),
  },
  presence_stats: {
    request: z.object({ channel }),
    result: z.object({ num_clients: z.int(), num_users: z.int() }),
  },
  history: {
    request: z.object({
      channel,
      limit: z.int().optional().meta({ description: "0: the position only; -1: all." }),
      since: position.optional(),
      reverse: z.boolean().optional().meta({ description: "Not with `since` at offset 0." }),
    }),
    result: z.object({ publications: z.array(publication), epoch: z.string(), offset }),
  },
  history_remove: { request: z.object({ channel }), result: empty },
  channels: {
    request: z.object({
      pattern: z.string().optional().meta({ description: "A glob; absent: all channels." }),
    }),
    result: z.object({ channels: z.record(z.string(), z.object({ num_clients: z.int() })) }),
  },
  info: {
    request: z.object({}),
    result: z.object({
      nodes: z.array(
        z.object({
          uid: z.string(),
          name: z.string(),
          version: z.string(),
          num_clients: z.int(),
          num_users: z.int(),
          num_channels: z.int(),
          num_subs: z.int(),
          uptime: z.int(),
        }),
      ),
    }),
  },
  rpc: {
    request: z.object({ method: z.string(), params: json.optional() }),
    result: z.object({ data: json.optional() }),
  },
} as const;

export type ApiMethod = keyof typeof API_METHODS;
export type ApiRequest<Method extends ApiMethod> = z.output<
  (typeof API_METHODS)[Method]["request"]
>;

/** Members that are taken as they were written rather than parsed. */
export const RAW_MEMBERS: ReadonlySet<string> = new Set(["data", "info", "params"]);
