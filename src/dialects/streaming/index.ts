/** Centrifugo's client protocol v2 and its server API (centrifugo-protocol.md). */
import { defineDialect } from "../dialect.ts";
import { channels } from "./channel-options.ts";
import {
  streamingProblems,
  streamingSection,
  streamingWarnings,
  type StreamingConfig,
} from "./config.ts";
import { streamingToken } from "./token-command.ts";

export const streaming = defineDialect<StreamingConfig>()({
  name: "streaming",
  always: true,
  joinsChannels: true,
  channels,
  sections: {
    streaming: streamingSection
      .prefault({})
      .describe("[Streaming](streaming.md), which is Centrifugo's protocol."),
  },
  keyUses: [{ use: "streaming", marks: ["meta", "subs", "channel"] }],
  reservedSegments: ["api"],
  scopes: () => ["streaming"],
  problems: streamingProblems,
  warnings: streamingWarnings,
  development: { streaming: { allow_anonymous_connect_without_token: true } },
  tokenCommands: [streamingToken],
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).STREAMING_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});
