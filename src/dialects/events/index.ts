/** Organisations, scoped tokens, publishing and webhooks over REST (event-streaming.md, webhooks.md). Its sockets are streaming's. */
import { webhooksSection, webhookWarnings } from "../../webhooks/config.ts";
import { defineDialect } from "../dialect.ts";
import {
  EVENTS_DEVELOPMENT,
  EVENTS_DEVELOPMENT_KEYS,
  eventsChannels,
  eventsKeyProblems,
  eventsProblems,
  eventsScopes,
  eventsSection,
  type EventsConfig,
} from "./config.ts";
import { accessToken } from "./token-command.ts";

export const events = defineDialect<EventsConfig>()({
  name: "events",
  joinsChannels: false,
  // The published `GET /events/subscription_token` has one.
  readsGetBodies: true,
  sections: {
    events: eventsSection
      .prefault({})
      .describe("[Events](events.md): organisations, tokens, publishing."),
    webhooks: webhooksSection.prefault({}).describe("[Webhooks](webhooks.md), served with events."),
  },
  keyUses: [
    { use: "events-access", marks: ["scope", "scp", "org_id"], problems: eventsKeyProblems },
    {
      ...{ use: "events-client", marks: ["meta", "subs", "channel"], signs: true },
      problems: eventsKeyProblems,
    },
  ],
  reservedSegments: ["events", "webhooks", "organisations"],
  scopes: eventsScopes,
  problems: eventsProblems,
  warnings: webhookWarnings,
  namespaces: eventsChannels,
  development: EVENTS_DEVELOPMENT,
  developmentKeys: EVENTS_DEVELOPMENT_KEYS,
  tokenCommands: [accessToken],
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).EVENTS_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});
