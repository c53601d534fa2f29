/** What several commands share: options, the configuration they work with, and where its server listens. */
import { Command, InvalidArgumentError } from "commander";
import { DEVELOPMENT_API_KEY_HASH, DEVELOPMENT_API_KEY } from "../config/development-guard.ts";
import type { Flag } from "../config/load.ts";
import { loadConfig } from "../dialects/configuration.ts";
import type { App } from "../config/schema.ts";
import type { Config } from "../dialects/configuration.ts";
import { CommandError, USAGE } from "./failure.ts";

export interface ConfigOption {
  readonly config?: string;
}

export interface AppOption extends ConfigOption {
  readonly app?: string;
}

const ON_API = "the server's api listener; default: the configuration's";
const ON_CLIENTS = "the server's clients listener; default: the configuration's";

/** Options and arguments that more than one command has. */
export const SHARED = {
  clients: ["[url]", ON_CLIENTS],
  clientsUrl: ["--url <url>", ON_CLIENTS],
  api: ["--api <url>", ON_API],
  apiUrl: ["--url <url>", ON_API],
  key: ["--key <key>", "an API key; default in development mode: dev-api-key"],
  token: ["--token <token>", "a client's token; default: made by the configuration's secrets"],
  app: ["--app <id>", "the app; default: the first one"],
  json: ["--json", "print JSON"],
} as const satisfies Readonly<Record<string, readonly [string, string]>>;

/** Of an option that is a count. */
export function countUpTo(most: number): (text: string) => number {
  return (text) => {
    const count = Number(text);
    if (Number.isSafeInteger(count) && count >= 1 && count <= most) return count;
    const range = most === Infinity ? "a count" : `a count up to ${most}`;
    throw new InvalidArgumentError(`Not ${range}.`);
  };
}

/** As http or https, without a slash at its end. `name` says which is wrong. */
export function addressOf(text: string, name: string): string {
  const url = text.replace(/^ws/, "http").replace(/\/+$/, "");
  if (/^https?:/.test(url) && URL.canParse(url)) return url;
  throw new CommandError(`${name} must be an http, https, ws or wss address`, USAGE);
}

/** A command with `--config`. */
export function configCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option("--config <path>", "configuration file; default: CARILLON_CONFIG, ./carillon.toml, …");
}

/** The configuration that this command line and environment name. Throws ConfigError. */
export function readConfig({ config: path }: ConfigOption, flags: readonly Flag[] = []): Config {
  return loadConfig({ path, env: process.env, flags });
}

export function findApp(config: Config, id: string | undefined): App {
  const app = id === undefined ? config.apps[0] : config.apps.find((known) => known.id === id);
  if (app === undefined)
    throw new CommandError(`App "${id}" is not in the configuration: add it to [[apps]]`, USAGE);
  return app;
}

/** Where this app's requests go on a listener, as seen from this machine. */
export function urlOf(config: Config, listener: "clients" | "api", app: App): string {
  const { host, port, tls } = config[listener];
  const scheme = tls.cert === undefined ? "http" : "https";
  const reachable = host === "0.0.0.0" ? "127.0.0.1" : host === "::" ? "::1" : host;
  const literal = reachable.includes(":") && !reachable.startsWith("[");
  return `${scheme}://${literal ? `[${reachable}]` : reachable}:${port}${app.path_prefix ?? ""}`;
}

/** The development key where the configuration accepts it for this app. */
export function developmentKey(config: Config, app: App): string | undefined {
  return config.api_keys.some((key) => key.app === app.id && key.hash === DEVELOPMENT_API_KEY_HASH)
    ? DEVELOPMENT_API_KEY
    : undefined;
}
