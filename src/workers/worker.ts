/** A worker or node: one server in a process of its own, started by another, which tells it what to run. */
import { rmSync } from "node:fs";
import { StartError } from "../core/start-error.ts";
import { createLogger } from "../operations/log.ts";
import { createMetrics, type ServerMetrics } from "../operations/metrics.ts";
import type { StopOptions } from "../operations/drain.ts";
import { startServer, type RunningServer } from "../server.ts";
import type { FromWorker, SharedPorts, ToWorker } from "./messages.ts";

runWorker();

function runWorker(): void {
  let metrics: ServerMetrics | undefined;
  let server: RunningServer | undefined;
  const scrapes = new Map<number, (text: string) => void>();
  let lastScrape = 0;

  // Ctrl-C reaches all processes of a terminal; the supervisor decides what becomes of it.
  process.on("SIGINT", () => {});
  // Meant for this worker alone: the others serve on.
  process.on("SIGTERM", () => stop({ othersServe: true }));
  process.on("message", (message: ToWorker) => {
    switch (message.type) {
      case "start":
        start(message).catch(fail);
        break;
      case "stop":
        stop({});
        break;
      case "measure":
        void measure(message.request);
        break;
      case "scraped":
        scrapes.get(message.request)?.(message.text);
        scrapes.delete(message.request);
        break;
    }
  });
  tell({ type: "hello" });

  async function start(message: Extract<ToWorker, { type: "start" }>): Promise<void> {
    const { number, config, shared } = message;
    const log = createLogger(config.log);
    server = await (shared === undefined
      ? startServer({ config, log: log.child({ node: number }) })
      : startServer({
          ...{ config, log: log.child({ worker: number }) },
          worker: partOf(number, config.workers, shared),
        }));
    const { clientsUrl, apiUrl, endpoints } = server;
    tell({ type: "ready", clientsUrl, apiUrl, endpoints: endpoints() });
  }

  function partOf(number: number, count: number, { peersDirectory, alone }: SharedPorts) {
    metrics = createMetrics({ worker: number });
    // A supervisor that is killed cannot.
    process.on("exit", () => {
      if (!process.connected) rmSync(peersDirectory, { recursive: true, force: true });
    });
    return { metrics, scrapeAll, alone, peers: { number, count, directory: peersDirectory } };
  }

  function stop(options: StopOptions): void {
    // Until it runs there is nobody to tell.
    if (server === undefined) process.exit(0);
    server.stop(options).then(() => process.exit(0), fail);
  }

  async function measure(request: number): Promise<void> {
    if (metrics !== undefined) {
      tell({ type: "measured", request, text: await metrics.scrape() });
    }
  }

  function scrapeAll(): Promise<string> {
    return new Promise((resolve) => {
      lastScrape += 1;
      scrapes.set(lastScrape, resolve);
      tell({ type: "scrape", request: lastScrape });
    });
  }
}

function tell(message: FromWorker, sent?: () => void): void {
  process.send?.(message, undefined, undefined, sent);
}

function fail(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  const word = error instanceof StartError ? error.word : undefined;
  tell({ type: "failed", message, word }, () => process.exit(1));
}
