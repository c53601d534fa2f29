/** The event types that the server itself knows (webhooks.md §5.1, §7.3): its tests and its notices. Those of publishers are theirs. */
import type { WebhookNoticeType } from "../../core/webhooks.ts";

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

export const EVENT_TYPES = Object.entries(DESCRIPTIONS).map(([name, description]) => ({
  ...{ name, description },
  schema: envelope(name),
}));
