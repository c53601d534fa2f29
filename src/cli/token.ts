/** `carillon token <dialect>`: mints what a dialect's client needs, with a secret of the configuration. Tasks' and messaging's tokens are a running server's to make. */
import { SignJWT, type JWTPayload } from "jose";
import { Command } from "commander";
import { DEVELOPMENT_ORGANISATION, DEVELOPMENT_USER } from "../dialects/events/config.ts";
import { parseDuration } from "../config/durations.ts";
import type { App, SigningKey } from "../config/schema.ts";
import type { Config } from "../dialects/configuration.ts";
import { CommandError } from "./failure.ts";
import { configCommand, findApp, readConfig, type AppOption } from "./options.ts";
import { messagingTokenCommand } from "./token-messaging.ts";
import { tasksTokenCommand } from "./token-tasks.ts";

interface TokenOptions extends AppOption {
  readonly user: string;
  readonly expires: string;
}

interface StreamingOptions extends TokenOptions {
  readonly channel?: string;
}

interface GusherOptions extends TokenOptions {
  readonly channel: readonly string[];
  readonly remote: readonly string[];
}

interface AccessOptions extends AppOption {
  readonly user?: string;
  readonly organisation?: string;
  readonly scope: readonly string[];
  readonly expires: string;
}

export function tokenCommand(): Command {
  return new Command("token")
    .description("make a client's token")
    .addCommand(
      tokenOptions("streaming", "a connection token, or with --channel a subscription token")
        .option("--channel <name>", "make a subscription token for this channel")
        .action(async (options: StreamingOptions) => {
          console.log(await mintStreamingToken(readConfig(options), options, Date.now()));
        }),
    )
    .addCommand(
      tokenOptions("gusher", "the JWT that the dialect's /auth exchanges for a token")
        .option("--channel <grants...>", "channels that may be joined; * stands for characters", [])
        .option("--remote <names...>", "remote jobs that may be queued", [])
        .action(async (options: GusherOptions) => {
          console.log(await mintGusherToken(readConfig(options), options, Date.now()));
        }),
    )
    .addCommand(
      configCommand("access", "an access token, as the events API takes it from users")
        .option("--user <id>", "usr_…; in development mode there is a default")
        .option("--organisation <id>", "org_…; likewise")
        .option("--scope <scopes...>", "what it permits", [
          ...["platform:admin", "shipments:read", "orders:read"],
        ])
        .option("--expires <duration>", 'how long it is valid, such as "15m"', "1h")
        .option("--app <id>", "the app; default: the first one")
        .action(async (options: AccessOptions) => {
          console.log(await mintAccessToken(readConfig(options), options, Date.now()));
        }),
    )
    .addCommand(tasksTokenCommand())
    .addCommand(messagingTokenCommand());
}

function tokenOptions(name: string, description: string): Command {
  return configCommand(name, description)
    .option("--user <id>", "the user; default: anonymous", "")
    .option("--expires <duration>", 'how long it is valid, such as "15m"; 0: for ever', "1h")
    .option("--app <id>", "the app; default: the first one");
}

function mintStreamingToken(
  config: Config,
  options: StreamingOptions,
  epochMs: number,
): Promise<string> {
  const kind = options.channel === undefined ? "connection" : "subscription";
  const app = findApp(config, options.app);
  const key = secretOf(config, app, epochMs, (candidate) => {
    return candidate.use === "streaming" && candidate.tokens.includes(kind);
  });
  if (key === undefined) throw noSecret(app, `streaming's ${kind} tokens`);
  const userClaim = kind === "connection" ? config.streaming.user_id_claim : "sub";
  const claims = {
    [userClaim]: options.user,
    ...(options.channel === undefined ? {} : { channel: options.channel }),
  };
  return mint(claims, key, options, epochMs);
}

/** gusher.md §4. */
function mintGusherToken(config: Config, options: GusherOptions, epochMs: number): Promise<string> {
  const app = findApp(config, options.app);
  const key = secretOf(config, app, epochMs, ({ use }) => use === "gusher");
  if (key === undefined) throw noSecret(app, "gusher's tokens");
  const gusher = {
    channels: options.channel,
    user_id: options.user,
    app_key: app.id,
    remotes: Object.fromEntries(options.remote.map((name) => [name, true])),
  };
  return mint({ gusher }, key, options, epochMs);
}

/** event-streaming.md §4.1. */
function mintAccessToken(config: Config, options: AccessOptions, epochMs: number): Promise<string> {
  const app = findApp(config, options.app);
  const key = secretOf(config, app, epochMs, ({ use }) => use === "events-access");
  if (key === undefined) throw noSecret(app, "access tokens");
  const { development } = config;
  const user = options.user ?? (development ? DEVELOPMENT_USER : undefined);
  const organisation = options.organisation ?? (development ? DEVELOPMENT_ORGANISATION : undefined);
  if (user === undefined || organisation === undefined) {
    throw new CommandError("Outside of development mode --user and --organisation are needed");
  }
  const { organisation_claim: claim } = config.events;
  const claims = { sub: user, [claim]: organisation, scope: options.scope.join(" ") };
  if (parseDuration(options.expires) === 0) {
    throw new CommandError("An access token must expire");
  }
  return mint(claims, key, options, epochMs);
}

function secretOf(
  config: Config,
  app: App,
  epochMs: number,
  suits: (key: SigningKey) => boolean,
): SigningKey | undefined {
  return config.signing_keys.find(
    (candidate) =>
      candidate.app === app.id &&
      candidate.hmac_secret !== undefined &&
      (candidate.until === undefined || candidate.until > epochMs) &&
      suits(candidate),
  );
}

function noSecret(app: App, tokens: string): CommandError {
  return new CommandError(`App "${app.id}" has no signing key with an hmac_secret for ${tokens}`);
}

function mint(
  claims: JWTPayload,
  key: SigningKey,
  options: Pick<TokenOptions, "expires">,
  epochMs: number,
): Promise<string> {
  const lifetimeMs = parseDuration(options.expires);
  if (lifetimeMs === undefined) {
    throw new CommandError('--expires must be a duration such as "15m", "1h" or "0"');
  }
  const issuedAt = Math.floor(epochMs / 1000);
  const token = new SignJWT(claims).setProtectedHeader(headerOf(key)).setIssuedAt(issuedAt);
  if (lifetimeMs > 0) token.setExpirationTime(issuedAt + Math.ceil(lifetimeMs / 1000));
  if (key.issuer !== undefined) token.setIssuer(key.issuer);
  if (key.audience !== undefined) token.setAudience(key.audience);
  return token.sign(new TextEncoder().encode(key.hmac_secret));
}

function headerOf(key: SigningKey) {
  const [alg = "HS256"] = key.algorithms;
  return { typ: "JWT", alg, ...(key.kid === undefined ? {} : { kid: key.kid }) };
}
