/** The event types that the server can name (webhooks.md §5.1, §7.3): its own, tests and notices, and those that the operator lists. */
import type { z } from "zod";
import type { WebhookNoticeType } from "../../../webhooks/contract.ts";
import type { eventTypesAnswer } from "./answers.ts";

/** One of publishers', as the operator describes it. */
export interface EventType {
  readonly name: string;
  readonly description: string;
  /** JSON Schema of the whole body; absent: what every body looks like. */
  readonly schema?: Readonly<Record<string, unknown>> | undefined;
}

const TEXT = { type: "string" } as const;

/** What every body looks like (event-streaming.md §10.1). */
function envelope(type: string) {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    type: "object",
    required: ["type", "timestamp", "data"],
    properties: {
      id: TEXT,
      type: { const: type },
      timestamp: { type: "string", format: "date-time" },
      data: { type: "object" },
    },
  };
}

const DESCRIPTIONS = {
  "webhook.test": "Sent by the test call, to one endpoint",
  "endpoint.created": "An endpoint was created",
  "endpoint.updated": "An endpoint was changed",
  "endpoint.deleted": "An endpoint was deleted",
  "endpoint.secret_rotated": "An endpoint got a new secret",
  "endpoint.failing": "An endpoint has failed for a day, or will soon be disabled",
  "endpoint.disabled": "An endpoint gets no deliveries until it is enabled",
  "message.failing": "The fourth attempt of a delivery failed",
  "message.exhausted": "A delivery has used up its attempts",
  "message.recovered": "A delivery that failed has succeeded",
} as const satisfies Record<WebhookNoticeType | "webhook.test", string>;

const OWN: readonly EventType[] = Object.entries(DESCRIPTIONS).map(([name, description]) => ({
  ...{ name, description },
}));

/** The server's own first. */
export function eventTypesView(
  publishers: readonly EventType[],
): z.output<typeof eventTypesAnswer> {
  const data = [...OWN, ...publishers].map(({ name, description, schema }) => ({
    ...{ name, description, schema: schema ?? envelope(name) },
  }));
  return { data };
}
