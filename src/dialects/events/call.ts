/** What an endpoint's handler is given, and how its answer looks. */
import type { Caller } from "./access-token.ts";
import type { ParamsCall } from "./params.ts";

export interface EventsCall extends ParamsCall {
  readonly caller: Caller;
}

/** Answered with 200, unless it says otherwise. */
export type Answer = Readonly<Record<string, unknown>>;

/** Times in answers: ISO 8601, UTC, milliseconds. */
export function isoTime(epochMs: number): string {
  return new Date(epochMs).toISOString();
}
