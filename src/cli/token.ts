/** `carillon token <dialect>`: mints what a dialect's client needs, with a secret of the configuration. */
import { SignJWT } from "jose";
import { Command } from "commander";
import { parseDuration } from "../config/durations.ts";
import type { Config, SigningKey } from "../config/schema.ts";
import { CommandError } from "./failure.ts";
import { configCommand, findApp, readConfig, type AppOption } from "./options.ts";

interface Options extends AppOption {
  readonly user: string;
  readonly expires: string;
  readonly channel?: string;
}

export function tokenCommand(): Command {
  return new Command("token").description("make a client's token").addCommand(
    configCommand("streaming", "a connection token, or with --channel a subscription token")
      .option("--user <id>", "the user; default: anonymous", "")
      .option("--expires <duration>", 'how long it is valid, such as "15m"; 0: for ever', "1h")
      .option("--channel <name>", "make a subscription token for this channel")
      .option("--app <id>", "the app; default: the first one")
      .action(async (options: Options) => {
        console.log(await mintStreamingToken(readConfig(options), options, Date.now()));
      }),
  );
}

async function mintStreamingToken(
  config: Config,
  options: Options,
  epochMs: number,
): Promise<string> {
  const kind = options.channel === undefined ? "connection" : "subscription";
  const app = findApp(config, options.app);
  const key = config.signing_keys.find(
    (candidate) =>
      candidate.app === app.id &&
      candidate.use === "streaming" &&
      candidate.hmac_secret !== undefined &&
      candidate.tokens.includes(kind) &&
      (candidate.until === undefined || candidate.until > epochMs),
  );
  if (key === undefined) {
    throw new CommandError(
      `App "${app.id}" has no signing key with an hmac_secret for streaming's ${kind} tokens`,
    );
  }
  const lifetimeMs = parseDuration(options.expires);
  if (lifetimeMs === undefined) {
    throw new CommandError('--expires must be a duration such as "15m", "1h" or "0"');
  }
  const issuedAt = Math.floor(epochMs / 1000);
  const userClaim = kind === "connection" ? config.streaming.user_id_claim : "sub";
  const token = new SignJWT({
    [userClaim]: options.user,
    ...(options.channel === undefined ? {} : { channel: options.channel }),
  })
    .setProtectedHeader(headerOf(key))
    .setIssuedAt(issuedAt);
  if (lifetimeMs > 0) token.setExpirationTime(issuedAt + Math.ceil(lifetimeMs / 1000));
  if (key.issuer !== undefined) token.setIssuer(key.issuer);
  if (key.audience !== undefined) token.setAudience(key.audience);
  return token.sign(new TextEncoder().encode(key.hmac_secret));
}

function headerOf(key: SigningKey) {
  const [alg = "HS256"] = key.algorithms;
  return { typ: "JWT", alg, ...(key.kid === undefined ? {} : { kid: key.kid }) };
}
