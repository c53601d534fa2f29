/** Messages of clients (§2.3, §2.6): read as far as they count here; opaque members stay JSON text. */
import { z } from "zod";
import { HubError } from "../../core/errors.ts";
import { jsonView, type JsonView } from "../../core/json-text.ts";
import type { SoraSettings } from "./config.ts";
import { ID_BYTES_MAX, isId, ROLES, type Role } from "./ids.ts";

/** A message that ends the connection. The text is for the log, and repeats nothing of it. */
export class InvalidMessage extends Error {}

export interface Signal {
  readonly type: string;
  readonly view: JsonView;
}

/** Throws InvalidMessage unless it is a JSON object with a `type`. */
export function readSignal(text: string): Signal {
  let view: JsonView;
  try {
    view = jsonView(text);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    throw new InvalidMessage("The message is not JSON");
  }
  const type = view.member("type");
  if (type?.kind !== "string") throw new InvalidMessage('The message has no "type"');
  return { type: String(type.value), view };
}

/** A label for messaging, as a client asks for it (§3.7). */
export interface RequestedLabel {
  readonly label: string;
  readonly direction: Role;
  readonly compress: boolean;
  readonly ordered: boolean;
  readonly protocol: string;
  readonly maxPacketLifeTimeMs: number | undefined;
  readonly maxRetransmits: number | undefined;
  /** Each message begins with its sender's id. */
  readonly header: boolean;
}

export interface Connect {
  readonly role: Role;
  readonly channelId: string;
  readonly clientId: string | undefined;
  readonly bundleId: string | undefined;
  readonly dataChannelSignaling: boolean;
  readonly ignoreDisconnectWebsocket: boolean;
  readonly labels: readonly RequestedLabel[];
  /** It comes from a redirect. */
  readonly redirected: boolean;
  /** These are JSON texts. */
  readonly audio: string;
  readonly video: string;
  readonly metadata: string | undefined;
  readonly notifyMetadata: string | undefined;
}

const id = z.string().refine(isId, `must have 1 to ${ID_BYTES_MAX} bytes`);
const uint16 = z.int().min(0).max(65_535).optional();
/** RFC 8832 §5.1 leaves 65,535 bytes for each. */
const LABEL_BYTES_MAX = 255;

const requestedLabel = z.object({
  label: z
    .string()
    .startsWith("#")
    .refine((label) => label.length > 1 && isId(label), `must have up to ${LABEL_BYTES_MAX} bytes`),
  direction: z.enum(ROLES),
  ordered: z.boolean().default(true),
  compress: z.boolean().default(false),
  protocol: z.string().max(LABEL_BYTES_MAX).default(""),
  max_packet_life_time: uint16,
  max_retransmits: uint16,
  header: z
    .array(z.object({ type: z.literal("sender_connection_id") }))
    .max(1)
    .optional(),
});

const media = z.union([z.boolean(), z.record(z.string(), z.unknown())]).optional();

const connectMessage = z.object({
  role: z.enum(ROLES),
  channel_id: id,
  client_id: id.optional(),
  bundle_id: id.optional(),
  data_channel_signaling: z.boolean().optional(),
  ignore_disconnect_websocket: z.boolean().optional(),
  data_channels: z.array(requestedLabel).default([]),
  redirect: z.boolean().default(false),
  audio: media,
  video: media,
});

/** Throws InvalidMessage. */
export function readConnect(view: JsonView, settings: SoraSettings): Connect {
  const read = connectMessage.safeParse(view.value);
  if (!read.success) {
    const [issue] = read.error.issues;
    throw new InvalidMessage(`"${issue?.path.join(".")}" is not as it should be`);
  }
  const given = read.data;
  const signaling = given.data_channel_signaling ?? settings.data_channel_signaling;
  const ignores = given.ignore_disconnect_websocket ?? settings.ignore_disconnect_websocket;
  const limit = settings.notify_metadata_size_limit;
  const raw = (name: string, bytesMax = Infinity): string | undefined => {
    const text = view.member(name)?.raw;
    if (text === undefined || Buffer.byteLength(text) <= bytesMax) return text;
    throw new InvalidMessage(`"${name}" has more than ${bytesMax} bytes`);
  };
  return {
    role: given.role,
    channelId: given.channel_id,
    clientId: given.client_id,
    bundleId: given.bundle_id,
    dataChannelSignaling: signaling,
    ignoreDisconnectWebsocket: signaling && ignores,
    labels: signaling ? labelsOf(given.data_channels, settings.data_channel_limit) : [],
    redirected: given.redirect,
    audio: raw("audio", limit) ?? "true",
    video: raw("video", limit) ?? "true",
    metadata: raw("metadata"),
    notifyMetadata: raw("signaling_notify_metadata", limit),
  };
}

function labelsOf(
  given: readonly z.output<typeof requestedLabel>[],
  countMax: number,
): readonly RequestedLabel[] {
  if (given.length > countMax) throw new InvalidMessage(`More than ${countMax} labels`);
  if (new Set(given.map(({ label }) => label)).size < given.length) {
    throw new InvalidMessage("A label is given twice");
  }
  return given.map(({ max_packet_life_time: lifeTime, max_retransmits: retransmits, ...rest }) => {
    // RFC 8832 §5.1: a channel is bounded by one of them.
    if (lifeTime !== undefined && retransmits !== undefined) {
      throw new InvalidMessage("A label has two bounds");
    }
    const header = (rest.header?.length ?? 0) > 0;
    return { ...rest, header, maxPacketLifeTimeMs: lifeTime, maxRetransmits: retransmits };
  });
}

/** The named member, a string. Throws InvalidMessage. */
export function textIn(view: JsonView, name: string): string {
  const member = view.member(name);
  if (member?.kind !== "string") throw new InvalidMessage(`"${name}" is not a string`);
  return String(member.value);
}

const candidateMessage = z.object({
  candidate: z.string(),
  sdpMid: z.string().nullish(),
  sdpMLineIndex: z.int().nullish(),
});

export type Candidate = z.output<typeof candidateMessage>;

/** Throws InvalidMessage. */
export function readCandidate(view: JsonView): Candidate {
  const read = candidateMessage.safeParse(view.value);
  if (!read.success) throw new InvalidMessage("The ICE candidate is malformed");
  return read.data;
}
