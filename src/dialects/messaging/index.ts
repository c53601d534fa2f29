/** Subscriber messaging, Cloudonix API.Messaging (messaging.md, sockjs.md). */
import { defineDialect } from "../dialect.ts";
import {
  messagingProblems,
  messagingSection,
  messagingWarnings,
  type MessagingConfig,
} from "./config.ts";
import { messagingToken } from "./token-command.ts";

export const messaging = defineDialect<MessagingConfig>()({
  name: "messaging",
  joinsChannels: false,
  sections: {
    messaging: messagingSection
      .prefault({})
      .describe("[Messaging](messaging.md): subscribers, channels, direct messages."),
  },
  keyUses: [{ use: "messaging", marks: ["messaging"] }],
  reservedSegments: ["messaging"],
  scopes: () => ["messaging"],
  problems: messagingProblems,
  warnings: messagingWarnings,
  tokenCommands: [messagingToken],
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).MESSAGING_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});
