/** `carillon serve`: runs the server until a signal stops it. */
import type { Command } from "commander";
import { DEVELOPMENT_API_KEY } from "../config/development.ts";
import type { Flag } from "../config/load.ts";
import type { Config } from "../dialects/configuration.ts";
import { createLogger, type Logger } from "../operations/log.ts";
import { systemRuntime } from "../system-runtime.ts";
import { failureLines } from "./failure.ts";
import { configCommand, readConfig, type ConfigOption } from "./options.ts";
import { startRestartable, type Ports, type Running } from "./restartable.ts";

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
  if (config.development && process.stdout.isTTY) console.log(welcome(config, server));

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

function welcome(config: Config, urls: { clientsUrl: string; apiUrl: string }): string {
  const body = `'{"channel":"public:news","data":{"text":"Hello"}}'`;
  return `
Carillon runs in development mode, for this machine only.
  clients  ${urls.clientsUrl}   open it in a browser to watch each protocol's client
  api      ${urls.apiUrl}

Try, each in a terminal of its own:
  npx carillon subscribe public:news --url ${urls.clientsUrl}
  npx carillon publish public:news '{"text":"Hello"}' --url ${urls.apiUrl}
  curl ${urls.apiUrl}${config.streaming.api_path}/publish -H 'X-API-Key: ${DEVELOPMENT_API_KEY}' -d ${body}
  curl ${urls.apiUrl}/events/connection_token -H "Authorization: Bearer $(npx carillon token access)"
`;
}
