/**
 * Frames of a task's socket. The server sends one kind (task-tokens.md §5.5): four members, always all, in this order. The client's
 * first one (§5.1) holds its token, and what it wishes of ticks and frames.
 */
import type { Frame } from "../../core/types.ts";
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

/** The last frame of a connection that no message ends. `error` is a text of §5.6. */
export function errorFrame(error: string, ticks: string): string {
  return `{"Error":"${error}","Ticks":"${ticks}","Message":"","Completed":true}`;
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
