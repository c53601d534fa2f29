/** What several commands share: the configuration they work with, and where its server listens. */
import { Command } from "commander";
import { DEVELOPMENT_API_KEY_HASH, DEVELOPMENT_API_KEY } from "../config/development-guard.ts";
import type { Flag } from "../config/load.ts";
import { loadConfig } from "../dialects/configuration.ts";
import type { App } from "../config/schema.ts";
import type { Config } from "../dialects/configuration.ts";
import { CommandError } from "./failure.ts";

export interface ConfigOption {
  readonly config?: string;
}

export interface AppOption extends ConfigOption {
  readonly app?: string;
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
    throw new CommandError(`App "${id}" is not in the configuration: add it to [[apps]]`);
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
