/** `carillon serve`: runs the server until a signal stops it. */
import type { Command } from "commander";
import { DEVELOPMENT_API_KEY } from "../config/development.ts";
import type { Config } from "../config/schema.ts";
import { createLogger } from "../log.ts";
import { configCommand, readConfig, type ConfigOption } from "./options.ts";

export function serveCommand(): Command {
  return configCommand("serve", "run the server").action(serve);
}

/** Ends the process: 0 after a stop, 1 on a second signal. */
async function serve(options: ConfigOption): Promise<void> {
  const config = readConfig(options);
  const log = createLogger(config.log);
  // Loaded here, so that the other commands start without the server's modules.
  const { startServer } = await import("../server.ts");
  const server = await startServer({ config, log });
  if (config.development && process.stdout.isTTY) console.log(welcome(config, server));

  const signal = await nextSignal();
  log.info({ signal }, "Stopping");
  void nextSignal().then(() => process.exit(1));
  await server.stop();
  process.exit(0);
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
  clients  ${urls.clientsUrl}
  api      ${urls.apiUrl}

Try, each in a terminal of its own:
  npx carillon subscribe public:news --url ${urls.clientsUrl}
  npx carillon publish public:news '{"text":"Hello"}' --url ${urls.apiUrl}
  curl ${urls.apiUrl}${config.streaming.api_path}/publish -H 'X-API-Key: ${DEVELOPMENT_API_KEY}' -d ${body}
  curl ${urls.apiUrl}/events/connection_token -H "Authorization: Bearer $(npx carillon token access)"
`;
}
