/** `carillon serve`: runs the server until a signal stops it. */
import { totalmem } from "node:os";
import type { Command } from "commander";
import packageJson from "../../package.json" with { type: "json" };
import type { Flag } from "../config/load.ts";
import type { StartWord } from "../core/start-error.ts";
import type { Config } from "../dialects/configuration.ts";
import { createLogger, type Logger } from "../operations/log.ts";
import { systemRuntime } from "../system-runtime.ts";
import { onPorts } from "../workers/ports.ts";
import { CommandError, failureLines, USAGE } from "./failure.ts";
import { configCommand, countUpTo, readConfig, type ConfigOption } from "./options.ts";
import { startRestartable, type Running } from "./restartable.ts";

const { version } = packageJson;

interface Options extends ConfigOption {
  readonly workers?: string;
  readonly nodes?: number;
}

const LOST: StartWord = "process_ended";

/** As many as a machine can be asked to try. */
const NODES_MAX = 9;

export function serveCommand(): Command {
  return configCommand("serve", "run the server")
    .option("--workers <number>", "processes that share the ports; default: as configured")
    .option(
      "--nodes <number>",
      "in development mode: nodes with ports of their own, one above the other, and a Redis of their own",
      countUpTo(NODES_MAX),
    )
    .action(serve);
}

/** Ends the process: 0 after a stop, 1 on a second signal. */
async function serve(options: Options): Promise<void> {
  const config = readConfig(options, flagsOf(options));
  const log = createLogger(config.log);
  const server = await start(config, log, options.nodes);
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
async function start(config: Config, log: Logger, nodes?: number): Promise<Running> {
  if (nodes !== undefined) return startOwnNodes(config, log, nodes);
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

async function startOwnNodes(config: Config, log: Logger, count: number): Promise<Running> {
  if (!config.development || config.workers > 1) {
    throw new CommandError(
      "--nodes is for development mode, without workers: elsewhere each node is a server of its own that shares Redis (docs/redis.md)",
      USAGE,
    );
  }
  const { startNodes } = await import("../workers/nodes.ts");
  return startNodes({
    ...{ log, runtime: systemRuntime },
    configs: Array.from({ length: count }, (_, at) => above(config, at)),
    onFailure(reason) {
      log.fatal({ word: LOST, reason }, "The nodes' Redis is gone, and so are they");
      process.exit(1);
    },
  });
}

/** That many ports above. One that is any stays so. */
function above(config: Config, by: number): Config {
  const raised = ({ port }: { readonly port: number }): number => (port === 0 ? 0 : port + by);
  const sora = { ...config.sora, port: raised(config.sora) };
  const ports = { clients: raised(config.clients), api: raised(config.api) };
  return onPorts({ ...config, sora }, ports);
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
  const { clientsUrl, apiUrl, endpoints, nodes = [] } = server;
  const machine = {
    openFilesMax: readOpenFilesMax(),
    memoryBytes: Math.min(totalmem(), process.constrainedMemory() || Infinity),
  };
  console.log(
    bootText({ config, version, clientsUrl, apiUrl, nodes, endpoints: endpoints(), machine }),
  );
}
