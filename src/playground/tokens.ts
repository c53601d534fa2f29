/** Tokens for the panes' clients, as `carillon token` makes them. */
import { DEVELOPMENT_API_KEY_HASH, DEVELOPMENT_API_KEY } from "../config/development-guard.ts";
import { isServed } from "../config/part.ts";
import type { TokenCommand } from "../dialects/token-command.ts";
import type { CallApi } from "./call-api.ts";
import type { BaseConfig } from "../config/schema.ts";
import type { Clock } from "../core/runtime.ts";
import type { Dialect } from "../dialects/dialect.ts";

export interface AskedToken {
  /** A sub-command of `carillon token`. */
  readonly kind: string;
  /** Its options by their names in camel case. */
  readonly options: Readonly<Record<string, string | readonly string[] | true>>;
}

/** Rejects with one line for who asks. */
export type Mint = (app: string | undefined, asked: AskedToken) => Promise<string>;

export interface MintOptions {
  readonly config: BaseConfig;
  readonly dialects: readonly Dialect[];
  readonly clock: Clock;
  readonly apiUrl: string;
  readonly callApi: CallApi;
}

/** The server is this one, and its key the configuration's. */
const NOT_TO_BE_SAID: ReadonlySet<string> = new Set(["url", "key", "app", "config"]);

export function createMint({ config, dialects, clock, apiUrl, callApi }: MintOptions): Mint {
  const commands = dialects
    .filter((dialect) => isServed(dialect, config))
    .flatMap(({ tokenCommands = [] }) => tokenCommands);
  return async (id, { kind, options: given }) => {
    const command = commands.find(({ name }) => name === kind);
    const app = config.apps.find((known) => known.id === id);
    if (command === undefined || app === undefined) throw new Error("There are no such tokens");
    const options = optionsOf(command, given);
    const usesKey = config.api_keys.some(
      (key) => key.app === app.id && key.hash === DEVELOPMENT_API_KEY_HASH,
    );
    return command.mint({
      ...{ config, app, options, apiUrl, epochMs: clock.epochMs() },
      developmentKey: usesKey ? DEVELOPMENT_API_KEY : undefined,
      async post({ pathname: path, search, host }, call) {
        const answer = await callApi(host, { ...call, path: path + search });
        if (answer === undefined) throw new Error("The call cannot be made");
        return answer;
      },
    });
  };
}

/** What the command knows, with its fallbacks, as the command line gives it. */
function optionsOf(
  { required = [], options }: TokenCommand,
  given: AskedToken["options"],
): Readonly<Record<string, unknown>> {
  const known: Record<string, unknown> = {};
  for (const [flags, , fallback] of [...required, ...options]) {
    const name = nameOf(flags);
    if (NOT_TO_BE_SAID.has(name)) continue;
    const value = Object.hasOwn(given, name) ? given[name] : fallback;
    if (value === undefined) continue;
    if (kindOf(value) !== takes(flags)) throw new Error(`"${name}" is of another type`);
    known[name] = value;
  }
  for (const [flags] of required) {
    if (known[nameOf(flags)] === undefined) throw new Error(`"${nameOf(flags)}" is missing`);
  }
  return known;
}

/** `--send-offline-message` is `sendOfflineMessage`. */
function nameOf(flags: string): string {
  const [, name = ""] = /--([-a-z]+)/.exec(flags) ?? [];
  return name.replaceAll(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

function takes(flags: string): "list" | "flag" | "text" {
  if (flags.includes("...")) return "list";
  return flags.includes("<") ? "text" : "flag";
}

function kindOf(value: string | readonly string[] | true): ReturnType<typeof takes> {
  if (value === true) return "flag";
  return typeof value === "string" ? "text" : "list";
}
