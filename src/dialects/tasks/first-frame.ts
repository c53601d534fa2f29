/** The client's first frame (task-tokens.md §5.1): its token, and what it wishes of ticks and frames. */
import type { Frame } from "../../core/types.ts";
import { FIRST_FRAME_BYTES_MAX, TICK_SECONDS_MAX } from "./session-limits.ts";

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
