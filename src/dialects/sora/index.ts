/** Sora's push API and signaling (sora-push.md). */
import { defineDialect } from "../dialect.ts";
import { soraProblems, soraSection, soraWarnings, type SoraConfig } from "./config.ts";

/** Where the published calls go (§1.1). */
const PUBLISHED_PORT = 3000;

export const sora = defineDialect<SoraConfig>()({
  name: "sora",
  joinsChannels: true,
  sections: {
    sora: soraSection.prefault({}).describe("[Sora](sora.md): push API and signaling."),
  },
  keyUses: [],
  reservedSegments: ["signaling"],
  scopes: () => ["sora"],
  problems: soraProblems,
  warnings: soraWarnings,
  development: { sora: { port: PUBLISHED_PORT } },
  loadProbe: async () => (await import("./probe.ts")).probe,
  errors: async () => (await import("./shown.ts")).SORA_SHOWN,
  setUp: async (lent) => (await import("./setup.ts")).setUp(lent),
});
