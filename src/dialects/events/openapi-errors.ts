/** What every operation of the OpenAPI document says of refusals (event-streaming.md §4.4), and how its schemas are written. */
import type { Schema } from "../openapi-schema.ts";
import { EVENTS_ERRORS, type EventsErrorCode } from "./errors.ts";

export const TEXT = { type: "string" };
export const ERROR_MEMBERS = object({ code: TEXT, message: TEXT }, { details: { type: "object" } });
const ERROR = object({ error: ERROR_MEMBERS, request_id: TEXT });

export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: "object",
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  };
}

export const jsonContent = (schema: Schema) => ({ "application/json": { schema } });

/** By status; each names its codes. */
export function refusals(codes: readonly EventsErrorCode[]): Readonly<Record<string, object>> {
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
