/**
 * Several nodes on this machine, to see what more than one does: processes with ports of their own, which share one Redis that is started
 * for them. It serves nothing itself.
 */
import { randomBytes } from "node:crypto";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Logger } from "../operations/log.ts";
import { probePorts } from "../transports/listen-failure.ts";
import { startOwnRedis } from "./own-redis.ts";
import { listenAddress, onPorts } from "./ports.ts";
import { startSlots, stopSlots } from "./slots.ts";
import { createWorkerSlot, type WorkerUrls } from "./worker-slot.ts";

const MASTER_KEY_BYTES = 32;

export interface NodesOptions<Config extends BaseConfig> {
  /** Of each node, with its ports; the engine is seen to here. */
  readonly configs: readonly Config[];
  readonly log: Logger;
  readonly runtime: Runtime;
  /** Their Redis is gone, for the reason that is told, and with it what they hold. */
  readonly onFailure: (reason: string) => void;
}

export interface NodeUrls {
  readonly clientsUrl: string;
  readonly apiUrl: string;
}

/** The addresses are the first one's, and those of all. */
export interface RunningNodes extends Omit<WorkerUrls, "endpoints"> {
  readonly endpoints: () => WorkerUrls["endpoints"];
  readonly nodes: readonly NodeUrls[];
  /** Has every node drain, and resolves once all have ended, and Redis behind them. */
  stop(): Promise<void>;
}

/** Resolves once every node serves. Rejects with one clear sentence when one cannot; nothing runs then. */
export async function startNodes<Config extends BaseConfig>(
  options: NodesOptions<Config>,
): Promise<RunningNodes> {
  const { log, runtime, onFailure } = options;
  const placed = await withPorts(options.configs);
  const redis = await startOwnRedis();
  const shared = {
    engine: "redis",
    master_key: randomBytes(MASTER_KEY_BYTES).toString("hex"),
  } as const;
  const configs = placed.map((config) => ({
    ...{ ...config, ...shared },
    redis: { ...config.redis, url: redis.url },
  }));
  const slots = configs.map((config, at) =>
    createWorkerSlot({ number: at + 1, config, log, runtime }),
  );
  const [config] = configs;
  try {
    if (config === undefined) throw new Error("No node is left to start");
    const { clientsUrl, apiUrl, endpoints } = await startSlots(slots);
    const urls = await Promise.all(slots.map((slot) => slot.urls));
    const nodes: NodeUrls[] = urls.map((node) => {
      return { clientsUrl: node.clientsUrl, apiUrl: node.apiUrl };
    });
    void redis.failed.then(onFailure);
    log.info({ nodes: nodes.length, clients: clientsUrl, api: apiUrl, redis: redis.url }, "Ready");
    return {
      ...{ clientsUrl, apiUrl, endpoints: () => endpoints, nodes },
      async stop() {
        try {
          await stopSlots(slots, { config, runtime });
        } finally {
          await redis.stop();
        }
        log.info("All nodes stopped");
      },
    };
  } catch (error) {
    await redis.stop();
    throw error;
  }
}

/** A port that is any is one that is free. */
async function withPorts<Config extends BaseConfig>(configs: readonly Config[]): Promise<Config[]> {
  const addresses = configs.flatMap(({ clients, api }) => [clients, api].map(listenAddress));
  const ports = await probePorts(addresses);
  return configs.map((config, at) =>
    onPorts(config, { clients: ports[2 * at] ?? 0, api: ports[2 * at + 1] ?? 0 }),
  );
}
