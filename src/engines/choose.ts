/** From the configuration to the engine it names. */
import { readFileSync } from "node:fs";
import type { BaseConfig } from "../config/schema.ts";
import type { Engine } from "../core/engine.ts";
import type { Runtime } from "../core/runtime.ts";
import type { StartWord } from "../core/start-error.ts";
import { createEmbeddedEngine } from "./embedded/index.ts";
import type { Logger } from "pino";

const AWAY: StartWord = "redis_unreachable";

interface EngineOptions {
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime: Runtime;
  readonly onBug: (error: unknown) => void;
}

/** Not yet started. The Redis engine and its clients are loaded only where they are used. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  const { config, log, runtime, onBug } = options;
  if (config.engine === "embedded") {
    const { durability } = config.embedded;
    return createEmbeddedEngine({ dataDir: config.data_dir, durability, runtime, onBug });
  }
  const { createRedisEngine } = await import("./redis/index.ts");
  const { url = [], prefix, ca } = config.redis;
  return createRedisEngine({
    ...{ url, prefix, runtime, onBug },
    ca: ca === undefined ? undefined : readFileSync(ca, "utf8"),
    onEvent({ state, message }) {
      if (state === "away") log.warn({ word: AWAY }, message);
      else log.info(message);
    },
  });
}
