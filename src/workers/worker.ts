/** A worker: one server in a process of its own, started by the supervisor, which tells it what to run. */
import { rmSync } from "node:fs";
import { createLogger } from "../operations/log.ts";
import { createMetrics, type ServerMetrics } from "../operations/metrics.ts";
import type { StopOptions } from "../operations/drain.ts";
import { startServer, type RunningServer } from "../server.ts";
import type { FromWorker, ToWorker } from "./messages.ts";

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
    const { worker, config, peersDirectory: directory, alone } = message;
    const log = createLogger(config.log).child({ worker });
    metrics = createMetrics({ worker });
    // A supervisor that is killed cannot.
    process.on("exit", () => {
      if (!process.connected) rmSync(directory, { recursive: true, force: true });
    });
    const peers = { number: worker, count: config.workers, directory };
    server = await startServer({ config, log, worker: { metrics, scrapeAll, alone, peers } });
    const { clientsUrl, apiUrl, endpoints } = server;
    tell({ type: "ready", clientsUrl, apiUrl, endpoints });
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
  tell({ type: "failed", message }, () => process.exit(1));
}
