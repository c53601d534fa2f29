/** `carillon token messaging`: a subscriber's token from a running server; in development mode the subscriber as well. */
import { z } from "zod";
import {
  answerOf,
  APP_OPTION,
  lifetimeOf,
  serverUrlOf,
  type AskedToken,
  type TokenCommand,
  MintError,
} from "../token-command.ts";
import type { MessagingConfig } from "./config.ts";

interface Options {
  readonly user: string;
  readonly expires?: string;
  readonly name: string;
  readonly url?: string;
  readonly key?: string;
}

type Asked = AskedToken<MessagingConfig, Options>;
type Answer = Awaited<ReturnType<Asked["post"]>>;

const minted = z.object({ access_token: z.string() });
const refused = z.object({ error: z.string(), error_description: z.string().optional() });

export const messagingToken: TokenCommand<MessagingConfig, Options> = {
  name: "messaging",
  description: "a subscriber's token, from a running server",
  required: [["--user <msisdn>", "the subscriber; in development mode it is made if need be"]],
  options: [
    ["--expires <duration>", 'how long it is valid, such as "15m"; 0: for ever'],
    ["--name <text>", "name of its key", "carillon token"],
    ["--url <url>", "the server's api listener; default: the configuration's"],
    ["--key <key>", "an API key; default in development mode: dev-api-key"],
    APP_OPTION,
  ],
  mint,
};

/** messaging.md §13.3, §13.4. */
async function mint(asked: Asked): Promise<string> {
  const { config, app, options, post } = asked;
  const base = serverUrlOf(asked);
  const key = options.key ?? asked.developmentKey;
  if (key === undefined)
    throw new MintError("command_usage", "--key is required: an API key of the server");
  const url = base.replace(/\/+$/, "") + config.messaging.path;
  const call = (path: string, body: object): Promise<Answer> =>
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
  const lifetimeMs = lifetimeOf({ expires });
  return { "expires-in": lifetimeMs === 0 ? null : Math.ceil(lifetimeMs / 1000) };
}

function tokenOf({ status, body }: Answer): string {
  const answer = answerOf(body);
  const token = minted.safeParse(answer);
  if (token.success) return token.data.access_token;
  const { data } = refused.safeParse(answer);
  if (data === undefined) {
    throw new MintError(
      "server_refused",
      `The server answered ${status}, not as messaging does: check that it is enabled, and that --url is the api listener`,
    );
  }
  const { error, error_description: why = "" } = data;
  const reason = `${error}${why === "" ? "" : `: ${why}`}`;
  throw new MintError("server_refused", `The token was refused: ${reason}`);
}
