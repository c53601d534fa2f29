/** A connection as others see it: in notices (§2.8), in lists (§1.5), and as it crosses nodes. */
import type { Role } from "./ids.ts";

/** Plain JSON data. */
export interface Member {
  readonly channelId: string;
  readonly connectionId: string;
  readonly clientId: string;
  readonly bundleId: string;
  readonly sessionId: string;
  readonly role: Role;
  readonly createdMs: number;
  /** These are JSON texts, as their senders wrote them. */
  readonly audio: string;
  readonly video: string;
  /** The client's `signaling_notify_metadata`. */
  readonly authn?: string | undefined;
  /** The hook's. */
  readonly authz?: string | undefined;
  readonly event?: string | undefined;
}

export type Counters = Readonly<Record<"connections" | Role, number>>;

export type NoticeType = "connection.created" | "connection.updated" | "connection.destroyed";

export interface NoticeAbout {
  readonly type: NoticeType;
  readonly epochMs: number;
  readonly counters: Counters;
  /** Of the copy for the new connection: those that were there before. */
  readonly others?: readonly Member[] | undefined;
}

/** §2.8. */
export function noticeText(
  member: Member,
  { type, epochMs, counters, others }: NoticeAbout,
): string {
  const { role, sessionId, audio, video, createdMs } = member;
  const minutes = Math.max(0, Math.floor((epochMs - createdMs) / 60_000));
  return object([
    ["type", '"notify"'],
    ["event_type", `"${type}"`],
    ["timestamp", JSON.stringify(timestamp(epochMs))],
    ["role", `"${role}"`],
    ["session_id", `"${sessionId}"`],
    ...identity(member),
    ["audio", audio],
    ["video", video],
    ...metadata(member),
    [
      "data",
      others &&
        `[${others.map((other) => object([...identity(other), ...metadata(other)])).join()}]`,
    ],
    ["minutes", `${minutes}`],
    ["channel_connections", `${counters.connections}`],
    ["channel_sendrecv_connections", `${counters.sendrecv}`],
    ["channel_sendonly_connections", `${counters.sendonly}`],
    ["channel_recvonly_connections", `${counters.recvonly}`],
    ["turn_transport_type", '"udp"'],
  ]);
}

/** §1.5, the connection object. */
export function connectionText(member: Member): string {
  const { audio, video, channelId, sessionId, role, createdMs, event } = member;
  return object([
    ["audio", audio],
    ["video", video],
    ["channel_id", JSON.stringify(channelId)],
    ["session_id", `"${sessionId}"`],
    ...identity(member),
    ["role", `"${role}"`],
    // Microseconds, of a clock that has milliseconds.
    ["created_time", `${createdMs}000`],
    ["multistream", "true"],
    ["simulcast", "false"],
    ["spotlight", "false"],
    ["event_metadata", event],
  ]);
}

type Members = readonly (readonly [name: string, json: string | undefined])[];

function identity({ clientId, bundleId, connectionId }: Member): Members {
  return [
    ["client_id", JSON.stringify(clientId)],
    ["bundle_id", JSON.stringify(bundleId)],
    ["connection_id", `"${connectionId}"`],
  ];
}

function metadata({ authn, authz }: Member): Members {
  return [
    ["authn_metadata", authn],
    ["authz_metadata", authz],
    ["metadata", authn],
  ];
}

/** Without those that have no value. */
export function object(members: Members): string {
  const given = members.filter(([, json]) => json !== undefined);
  return `{${given.map(([name, json]) => `"${name}":${json}`).join()}}`;
}

/** RFC 3339 in UTC with microseconds. */
function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString().replace(/Z$/, "000Z");
}
