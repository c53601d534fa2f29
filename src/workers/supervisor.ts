/**
 * The supervisor of the workers, processes that share the listeners' ports: it starts them, stops all together, and
 * gathers their metrics. It serves nothing itself.
 */
import cluster from "node:cluster";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { BaseConfig } from "../config/schema.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Logger } from "../operations/log.ts";
import { probePorts } from "../transports/listen-failure.ts";
import { createScrapes, type Scrapes } from "./scrapes.ts";
import { createWorkerSlot, type WorkerSlot, type WorkerUrls } from "./worker-slot.ts";

/** In a bundle there is but one module, which runs a worker's part in a worker. */
const WORKER = import.meta.path.endsWith("supervisor.ts")
  ? join(import.meta.dirname, "worker.ts")
  : process.argv[1];
/** What a worker gets beyond the time that its own stop may take, before it is killed. */
const STOP_GRACE_MS = 5_000;

export interface WorkersOptions {
  /** With an engine that several processes can share. */
  readonly config: BaseConfig;
  readonly log: Logger;
  readonly runtime: Runtime;
}

export interface RunningWorkers extends WorkerUrls {
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
      ...{ number: at + 1, config, peersDirectory, log, runtime },
      isAlone: () => !slots.some((other) => other.listens),
      onMetrics(message) {
        if (message.type === "measured") {
          scrapes.measured(message.request, slot.number, message.text);
        } else {
          void answerScrape(slot, message.request);
        }
      },
    });
    return slot;
  });
  const scrapes: Scrapes = createScrapes(slots, runtime.timers);

  async function answerScrape(slot: WorkerSlot, request: number): Promise<void> {
    slot.send({ type: "scraped", request, text: await scrapes.scrape() });
  }

  async function stop(): Promise<void> {
    const killed: number[] = [];
    const kill = runtime.timers.after(config.shutdown.timeout + STOP_GRACE_MS, () => {
      for (const slot of slots) if (slot.kill()) killed.push(slot.number);
    });
    await Promise.all(slots.map((slot) => slot.stop()));
    kill.cancel();
    rmSync(peersDirectory, { recursive: true, force: true });
    if (killed.length > 0) {
      throw new Error(`Workers did not stop in time and were killed: ${killed.join(", ")}`);
    }
    log.info("All workers stopped");
  }

  cluster.setupPrimary({ ...(WORKER === undefined ? {} : { exec: WORKER }), args: [] });
  const [first, ...others] = slots;
  if (first === undefined) throw new Error("No worker is left to start");
  try {
    const { clientsUrl, apiUrl, endpoints } = await first.start();
    await Promise.all(others.map((slot) => slot.start()));
    log.info({ workers: slots.length, clients: clientsUrl, api: apiUrl }, "Ready");
    return { clientsUrl, apiUrl, endpoints, stop };
  } catch (error) {
    for (const slot of slots) slot.kill();
    await Promise.all(slots.map((slot) => slot.stop()));
    rmSync(peersDirectory, { recursive: true, force: true });
    throw error;
  }
}

/** With the ports that all workers will share, which nobody else may have. */
async function withPorts(config: BaseConfig): Promise<BaseConfig> {
  const [clients = 0, api = 0] = await probePorts(
    [config.clients, config.api].map(({ host, port }) => ({ hostname: host, port })),
  );
  return {
    ...config,
    clients: { ...config.clients, port: clients },
    api: { ...config.api, port: api },
  };
}
