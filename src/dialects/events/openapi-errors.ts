/** What every operation of the OpenAPI document says of refusals (event-streaming.md §4.4). */
import { jsonContent, object, TEXT, type Schema } from "../openapi-schema.ts";
import { EVENTS_ERRORS, type EventsErrorCode } from "./errors.ts";

export const ERROR_MEMBERS = object({ code: TEXT, message: TEXT }, { details: { type: "object" } });
const ERROR = { title: "EventsError", ...object({ error: ERROR_MEMBERS, request_id: TEXT }) };

/** By status; each names its codes. */
export function refusals(codes: readonly EventsErrorCode[]): Readonly<Record<string, Schema>> {
  const byStatus = Map.groupBy(new Set(codes), (code) => EVENTS_ERRORS[code]);
  return Object.fromEntries(
    [...byStatus].map(([status, refused]) => [
      status,
      {
        description: refused.map((code) => `\`${code}\``).join(", "),
        content: jsonContent(ERROR),
      },
    ]),
  );
}
