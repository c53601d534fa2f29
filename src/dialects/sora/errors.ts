/** How the API's refusals are called (§1.3, rows 1 to 14), and by which words the log and the metrics tell of them. */
import type { SharedWord } from "../words.ts";

/** By the type that the answer names. The last six are words of our own: the original has no credential and no such bounds. */
export const ERROR_TYPES = {
  UnexpectedMethod: { status: 400, word: "method_not_allowed" },
  MissingHeaderName: { status: 400, word: "bad_request" },
  MissingService: { status: 400, word: "bad_request" },
  InvalidTarget: { status: 400, word: "bad_request" },
  MissingTarget: { status: 400, word: "bad_request" },
  MissingTargetFunction: { status: 400, word: "bad_request" },
  SchemaNotFound: { status: 400, word: "method_not_found" },
  InvalidJSON: { status: 400, word: "bad_request" },
  "CHANNEL-NOT-FOUND": { status: 400, word: "not_found" },
  "CLIENT-NOT-FOUND": { status: 400, word: "not_found" },
  "CONNECTION-NOT-FOUND": { status: 400, word: "not_found" },
  HandlerException: { status: 500, word: "internal_error" },
  RequestTimeout: { status: 408, word: "bad_request" },
  PayloadTooLarge: { status: 413, word: "too_large" },
  UnsupportedMediaType: { status: 415, word: "unsupported_media_type" },
  ServiceUnavailable: { status: 503, word: "unavailable" },
  TooManyRequests: { status: 429, word: "too_many_requests" },
  Unauthorized: { status: 401, word: "unauthorized" },
  Forbidden: { status: 403, word: "forbidden" },
} as const satisfies Readonly<Record<string, { status: number; word: SharedWord }>>;

export type ErrorType = keyof typeof ERROR_TYPES;

/** `reason`: JSON text. */
export function errorText(type: ErrorType, reason?: string): string {
  // §1.3, row 2: the one answer that says `type`.
  if (type === "UnexpectedMethod" || type === "MissingHeaderName") return `{"type":"${type}"}`;
  return `{"error_type":"${type}"${reason === undefined ? "}" : `,"error_reason":${reason}}`}`;
}
