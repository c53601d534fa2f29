/** gusher.cluster v1, slave and master (gusher.md). */
import { defineDialect } from "../dialect.ts";
import {
  gusherKeyProblems,
  gusherProblems,
  gusherSection,
  gusherWarnings,
  type GusherConfig,
} from "./config.ts";
import { gusherToken } from "./token-command.ts";

export const gusher = defineDialect<GusherConfig>()({
  name: "gusher",
  joinsChannels: true,
  sections: {
    gusher: gusherSection
      .prefault({})
      .describe("[Gusher](gusher.md): gusher.cluster v1, slave and master."),
  },
  keyUses: [{ use: "gusher", marks: ["gusher"], problems: gusherKeyProblems }],
  // Words that stand where an app's id does, besides its prefix.
  reservedSegments: [
    ...["push", "push_batch", "add", "reload", "decode", "ping", "user", "socket", "gusher"],
  ],
  scopes: () => ["gusher"],
  problems: gusherProblems,
  warnings: gusherWarnings,
  tokenCommands: [gusherToken],
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).GUSHER_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});
