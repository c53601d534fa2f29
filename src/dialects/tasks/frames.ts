/**
 * Frames of a task's socket, and how it ends. The server sends one kind of frame (task-tokens.md §5.5): four members, always all, in
 * this order. The client's first one (§5.1) holds its token, and what it wishes of ticks and frames.
 */
import type { DisconnectCode } from "../../core/errors.ts";
import type { Frame } from "../../core/types.ts";
import type { Word } from "../every-word.ts";
import type { Explanation } from "../explaining.ts";
import { FIRST_FRAME_BYTES_MAX, TICK_SECONDS_MAX } from "./limits.ts";

/** Remaining time as `mm:ss`, rounded up to whole seconds; minutes have two digits or more. */
export function formatTicks(remainingMs: number): string {
  const seconds = Math.max(0, Math.ceil(remainingMs / 1000));
  return `${twoDigits(Math.floor(seconds / 60))}:${twoDigits(seconds % 60)}`;
}

function twoDigits(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

export function tickFrame(ticks: string): string {
  return `{"Error":"","Ticks":"${ticks}","Message":"","Completed":false}`;
}

/** The last frame of a connection that no message ends. `error` is a text of §5.6. `beside`: for development mode. */
export function errorFrame(error: string, ticks: string, beside?: Explanation): string {
  const frame = { Error: error, Ticks: ticks, Message: "", Completed: true };
  const more = beside && { Word: beside.word, Detail: beside.detail };
  return JSON.stringify({ ...frame, ...more });
}

export interface MessageFrame {
  readonly ticks: string;
  /** JSON text of a string. */
  readonly message: string;
  /** The connection's last frame. */
  readonly completed: boolean;
  /** For clients that asked for the extended form. */
  readonly extended?: { readonly seq: number; readonly replay: boolean };
}

export function messageFrame({ ticks, message, completed, extended }: MessageFrame): string {
  const more = extended === undefined ? "" : `,"Seq":${extended.seq},"Replay":${extended.replay}`;
  return `{"Error":"","Ticks":"${ticks}","Message":${message},"Completed":${completed}${more}}`;
}

export interface FirstFrame {
  readonly clientToken: string;
  /** 0: none. Absent: as the server likes. */
  readonly tickSeconds?: number;
  readonly extended: boolean;
}

/** Undefined: too large, no JSON, or not of this form. Names are matched ignoring case and underscores; unknown ones are ignored. */
export function parseFirstFrame(frame: Frame): FirstFrame | undefined {
  if (typeof frame !== "string" || Buffer.byteLength(frame) > FIRST_FRAME_BYTES_MAX) {
    return undefined;
  }
  const members = membersOf(frame);
  const clientToken = members?.get("clienttoken");
  const tickSeconds = members?.get("ticks");
  const extended = members?.get("extended") ?? false;
  if (typeof clientToken !== "string" || typeof extended !== "boolean") return undefined;
  if (tickSeconds === undefined) return { clientToken, extended };
  return isTickPeriod(tickSeconds) ? { clientToken, tickSeconds, extended } : undefined;
}

/** Undefined also when one name comes in two spellings: which of them is meant cannot be told. */
function membersOf(text: string): ReadonlyMap<string, unknown> | undefined {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  const members = new Map<string, unknown>();
  for (const [name, member] of Object.entries(value)) {
    const plain = name.replaceAll("_", "").toLowerCase();
    if (members.has(plain)) return undefined;
    members.set(plain, member);
  }
  return members;
}

function isTickPeriod(value: unknown): value is number {
  return Number.isInteger(value) && Number(value) >= 0 && Number(value) <= TICK_SECONDS_MAX;
}

export interface End {
  /** RFC 6455 or private close code; 4000 to 4499 advise to reconnect, 4500 to 4999 forbid it. */
  readonly code: number;
  /** The last frame's `Error`. Absent: no frame comes before the close. */
  readonly error?: string;
  /** By which the log and the metrics tell of it. */
  readonly word: Word;
}

export const ENDS = {
  /** Behind the frame of a final message, which says `Completed` itself. */
  completed: { code: 1000, word: "completed" },
  invalid_token: { code: 4502, error: "invalid token", word: "invalid_token" },
  token_expired: { code: 4503, error: "token expired", word: "token_expired" },
  revoked: { code: 4504, error: "revoked", word: "ended" },
  authentication_timeout: {
    code: 4505,
    error: "authentication timeout",
    word: "authentication_timeout",
  },
  bad_request: { code: 4506, error: "bad request", word: "bad_request" },
  timeout: { code: 4500, error: "timeout", word: "timeout" },
  replaced: { code: 4501, error: "replaced", word: "replaced" },
  too_many_connections: { code: 4403, error: "too many connections", word: "connection_limit" },
  slow_consumer: { code: 4402, error: "slow consumer", word: "slow" },
  restart: { code: 1012, word: "shutdown" },
  internal: { code: 1011, word: "internal_error" },
  no_pong: { code: 1001, word: "no_pong" },
} as const satisfies Record<string, End>;

export type EndName = keyof typeof ENDS;

/** What the hub's reasons come to. Total: a new reason does not compile until it has an end here. */
export const DISCONNECT_ENDS = {
  shutdown: "restart",
  sent_back: "restart",
  internal_error: "internal",
  missed: "internal",
  uncarriable: "internal",
  slow: "slow_consumer",
  no_pong: "no_pong",
  too_many_requests: "bad_request",
  bad_request: "bad_request",
  connection_limit: "too_many_connections",
  ended: "revoked",
} as const satisfies Record<DisconnectCode, EndName>;
