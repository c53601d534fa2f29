/** What clients send: arrays of messages, in bodies and in WebSocket frames (sockjs.md §6, §7.1, §7.7, §7.8). */

import type { SocketRoute } from "../socket.ts";

/** Messages in one array: bounds what is handled under one hold. */
export const MESSAGES_PER_ARRAY_MAX = 1_000;

/** Bytes of one array. Where the route says nothing: as JSON, a message without much to escape is less than twice as long. */
export function arrayBytesMax({ messageBytesMax, sockjs }: SizedRoute): number {
  return sockjs?.arrayBytesMax ?? 2 * messageBytesMax + 1_024;
}

type SizedRoute = Pick<SocketRoute, "messageBytesMax" | "sockjs">;

export type ArrayFault = "empty" | "broken" | "no_array" | "too_many";

/** Elements that are not strings are left out. */
export function readArray(text: string): readonly string[] | ArrayFault {
  if (text === "") return "empty";
  const value = parse(text);
  if (value === undefined) return "broken";
  if (!Array.isArray(value)) return "no_array";
  return strings(value);
}

/** Any JSON is taken: what is not an array is one message. */
export function readFrame(text: string): readonly string[] | ArrayFault {
  if (text === "") return [];
  const value = parse(text);
  if (value === undefined) return "broken";
  if (Array.isArray(value)) return strings(value);
  return [typeof value === "string" ? value : text];
}

function strings(values: readonly unknown[]): readonly string[] | ArrayFault {
  if (values.length > MESSAGES_PER_ARRAY_MAX) return "too_many";
  return values.filter((value) => typeof value === "string");
}

/** JSON has no undefined. */
function parse(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
