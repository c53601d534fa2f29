/** `carillon token messaging`: a subscriber's token from a running server; in development mode the subscriber as well. */
import type { Command } from "commander";
import { z } from "zod";
import { parseDuration } from "../config/durations.ts";
import { parseJson } from "../core/json-text.ts";
import { CommandError } from "./failure.ts";
import { post, type HttpAnswer } from "./http.ts";
import {
  configCommand,
  developmentKey,
  findApp,
  readConfig,
  urlOf,
  type AppOption,
} from "./options.ts";

interface Options extends AppOption {
  readonly user: string;
  readonly expires?: string;
  readonly name: string;
  readonly url?: string;
  readonly key?: string;
}

const minted = z.object({ access_token: z.string() });
const refused = z.object({ error: z.string(), error_description: z.string().optional() });

export function messagingTokenCommand(): Command {
  return configCommand("messaging", "a subscriber's token, from a running server")
    .requiredOption("--user <msisdn>", "the subscriber; in development mode it is made if need be")
    .option("--expires <duration>", 'how long it is valid, such as "15m"; 0: for ever')
    .option("--name <text>", "what its key is called", "carillon token")
    .option("--url <url>", "the server's api listener; default: the configuration's")
    .option("--key <key>", "an API key; default in development mode: dev-api-key")
    .option("--app <id>", "the app; default: the first one")
    .action(async (options: Options) => {
      console.log(await mintMessagingToken(options));
    });
}

/** messaging.md §13.3, §13.4. */
async function mintMessagingToken(options: Options): Promise<string> {
  const config = readConfig(options);
  const app = findApp(config, options.app);
  const base = options.url ?? urlOf(config, "api", app);
  if (!/^https?:/.test(base) || !URL.canParse(base)) {
    throw new CommandError("--url must be an http or https address");
  }
  const key = options.key ?? developmentKey(config, app);
  if (key === undefined) throw new CommandError("--key is required: an API key of the server");
  const url = base.replace(/\/+$/, "") + config.messaging.path;
  const call = (path: string, body: object): Promise<HttpAnswer> =>
    post(new URL(`${url}/domains/${encodeURIComponent(app.id)}/subscribers${path}`), {
      headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
      body: JSON.stringify(body),
    });
  const keyBody = { name: options.name, ...expiry(options) };
  const keysPath = `/${encodeURIComponent(options.user)}/keys`;
  let answer = await call(keysPath, keyBody);
  if (answer.status === 404 && config.development) {
    await call("", { msisdn: options.user });
    answer = await call(keysPath, keyBody);
  }
  return tokenOf(answer);
}

function expiry({ expires }: Options): object {
  if (expires === undefined) return {};
  const lifetimeMs = parseDuration(expires);
  if (lifetimeMs === undefined) {
    throw new CommandError('--expires must be a duration such as "15m", "1h" or "0"');
  }
  return { "expires-in": lifetimeMs === 0 ? null : Math.ceil(lifetimeMs / 1000) };
}

function tokenOf({ status, body }: HttpAnswer): string {
  const answer = parsed(body);
  const token = minted.safeParse(answer);
  if (token.success) return token.data.access_token;
  const { data } = refused.safeParse(answer);
  if (data === undefined) {
    throw new CommandError(`The server answered ${status}, and not for messaging`);
  }
  const { error, error_description: why = "" } = data;
  throw new CommandError(`The token was refused: ${error}${why === "" ? "" : `: ${why}`}`);
}

function parsed(body: string): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}
