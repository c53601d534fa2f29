/** `carillon serve`: runs the server until a signal stops it. */
import { totalmem } from "node:os";
import type { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import type { Flag } from "../config/load.ts";
import type { Config } from "../dialects/configuration.ts";
import { createLogger, type Logger } from "../operations/log.ts";
import { systemRuntime } from "../system-runtime.ts";
import { failureLines } from "./failure.ts";
import { configCommand, readConfig, type ConfigOption } from "./options.ts";
import { startRestartable, type Ports, type Running } from "./restartable.ts";

const { version } = packageJson;

interface Options extends ConfigOption {
  readonly workers?: string;
}

export function serveCommand(): Command {
  return configCommand("serve", "run the server")
    .option("--workers <number>", "processes that share the ports; default: as configured")
    .action(serve);
}

/** Ends the process: 0 after a stop, 1 on a second signal. */
async function serve(options: Options): Promise<void> {
  const config = readConfig(options, flagsOf(options));
  const log = createLogger(config.log);
  const server = await start(config, log);
  if (process.stdout.isTTY) await welcome(config, server);

  const signal = await nextSignal();
  log.info({ signal }, "Stopping");
  void nextSignal().then(() => process.exit(1));
  await server.stop();
  process.exit(0);
}

function flagsOf({ workers }: Options): Flag[] {
  if (workers === undefined) return [];
  const value = /^\d+$/.test(workers) ? Number(workers) : workers;
  return [{ name: "--workers", path: ["workers"], value }];
}

/** The modules are loaded here, so that the other commands start without the server's, and a supervisor too. */
async function start(config: Config, log: Logger): Promise<Running> {
  if (config.workers > 1) {
    const { startWorkers } = await import("../workers/supervisor.ts");
    return startWorkers({ config, log, runtime: systemRuntime });
  }
  const { startServer } = await import("../server.ts");
  if (!config.development) return startServer({ config, log });
  return startRestartable({
    start: (restart, ports) =>
      startServer({ config: ports === undefined ? config : onPorts(config, ports), log, restart }),
    onFailure(error) {
      for (const line of failureLines(error)) console.error(line);
      process.exit(1);
    },
  });
}

/** A port that was any is the same again. */
function onPorts(config: Config, { clients, api }: Ports): Config {
  return {
    ...config,
    clients: { ...config.clients, port: clients },
    api: { ...config.api, port: api },
  };
}

function nextSignal(): Promise<string> {
  return new Promise((resolve) => {
    const stop = (signal: string) => {
      process.off("SIGTERM", stop).off("SIGINT", stop);
      resolve(signal);
    };
    process.on("SIGTERM", stop).on("SIGINT", stop);
  });
}

/** Loaded for people alone: a service starts sooner without. */
async function welcome(config: Config, server: Running): Promise<void> {
  const { bootText } = await import("./boot-text.ts");
  const { readOpenFilesMax } = await import("../operations/open-files.ts");
  const { clientsUrl, apiUrl, endpoints } = server;
  const machine = {
    openFilesMax: readOpenFilesMax(),
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
  };
  console.log(bootText({ config, version, clientsUrl, apiUrl, endpoints, machine }));
}
