/**
 * The supervisor of the workers, processes that share the listeners' ports: it starts them, stops all together, and
 * gathers their metrics. It serves nothing itself.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Logger } from "../operations/log.ts";
import { probePorts } from "../transports/listen-failure.ts";
import { listenAddress, onPorts } from "./ports.ts";
import { createScrapes, type Scrapes } from "./scrapes.ts";
import { startSlots, stopSlots } from "./slots.ts";
import { createWorkerSlot, type WorkerSlot, type WorkerUrls } from "./worker-slot.ts";

export interface WorkersOptions {
  /** With an engine that several processes can share. */
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime: Runtime;
}

export interface RunningWorkers extends Omit<WorkerUrls, "endpoints"> {
  readonly endpoints: () => WorkerUrls["endpoints"];
  /** Has every worker drain, and resolves once all have ended. Rejects when one had to be killed. */
  stop(): Promise<void>;
}

/**
 * Resolves once every worker serves, `config.workers` of them. Rejects with one clear sentence when one cannot; none runs
 * then. The first one starts alone, so that what is wrong for all is told once. One call per process, as `node:cluster` has it.
 */
export async function startWorkers(options: WorkersOptions): Promise<RunningWorkers> {
  const { log, runtime } = options;
  const config = await withPorts(options.config);
  // Only this user may enter it.
  const peersDirectory = mkdtempSync(join(tmpdir(), "carillon-"));
  const slots: readonly WorkerSlot[] = Array.from({ length: config.workers }, (_, at) => {
    const slot: WorkerSlot = createWorkerSlot({
      ...{ number: at + 1, config, log, runtime },
      sharing: {
        peersDirectory,
        isAlone: () => !slots.some((other) => other.listens),
        onMetrics(message) {
          if (message.type === "measured") {
            scrapes.measured(message.request, slot.number, message.text);
          } else {
            void answerScrape(slot, message.request);
          }
        },
      },
    });
    return slot;
  });
  const scrapes: Scrapes = createScrapes(slots, runtime.timers);

  async function answerScrape(slot: WorkerSlot, request: number): Promise<void> {
    slot.send({ type: "scraped", request, text: await scrapes.scrape() });
  }

  try {
    const { clientsUrl, apiUrl, endpoints } = await startSlots(slots);
    log.info({ workers: slots.length, clients: clientsUrl, api: apiUrl }, "Ready");
    return {
      ...{ clientsUrl, apiUrl, endpoints: () => endpoints },
      async stop() {
        try {
          await stopSlots(slots, { config, runtime });
        } finally {
          rmSync(peersDirectory, { recursive: true, force: true });
        }
        log.info("All workers stopped");
      },
    };
  } catch (error) {
    rmSync(peersDirectory, { recursive: true, force: true });
    throw error;
  }
}

/** With the ports that all workers will share, which nobody else may have. */
async function withPorts(config: BaseConfig): Promise<BaseConfig> {
  const [clients = 0, api = 0] = await probePorts([config.clients, config.api].map(listenAddress));
  return onPorts(config, { clients, api });
}
