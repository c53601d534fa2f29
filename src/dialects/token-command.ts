/** A dialect's sub-command of `carillon token`: what it takes, and how it makes a client's token. */
import type { JWTPayload } from "jose";
import { parseDuration } from "../config/durations.ts";
import type { App, BaseConfig, SigningKey } from "../config/schema.ts";

/** As commander writes them: `--user <id>`; a fallback that is a list takes several values. */
type Option = readonly [flags: string, description: string, fallback?: string | string[]];

/** `Config`: the configuration as far as the dialect looks at it. `Options`: what the options give, by their names in camel case. */
export interface TokenCommand<Config extends BaseConfig = BaseConfig, Options = object> {
  readonly name: string;
  readonly description: string;
  /** Options without which it does nothing. */
  readonly required?: readonly Option[];
  /** Beside `--config`. With `--app`, which says for whom the token is. */
  readonly options: readonly Option[];
  /** What is printed. Throws MintError. What is slow to load is imported here. */
  mint(asked: AskedToken<Config, Options>): Promise<string>;
}

/** An expected failure, told by its message alone, which is one line; by the command line's words. */
export class MintError extends Error {
  readonly word: "command_usage" | "server_refused" | "signing_key_missing";

  constructor(word: MintError["word"], message: string) {
    super(message);
    this.word = word;
  }
}

export interface AskedToken<Config extends BaseConfig = BaseConfig, Options = object> {
  readonly config: Config;
  readonly app: App;
  readonly options: Options;
  readonly epochMs: number;
  /** Of the configuration's `api` listener, for tokens that a running server makes. */
  readonly apiUrl: string;
  /** Of development mode, where the configuration takes it for this app. */
  readonly developmentKey: string | undefined;
  /** Fails when there is no answer; any status is one. */
  readonly post: (
    url: URL,
    call: { readonly headers: Readonly<Record<string, string>>; readonly body: string },
  ) => Promise<{ readonly status: number; readonly body: string }>;
}

export const APP_OPTION: Option = ["--app <id>", "the app; default: the first one"];

/** Of a token that names a user and may last for ever. */
export const USER_OPTIONS: readonly Option[] = [
  ["--user <id>", "the user; default: anonymous", ""],
  ["--expires <duration>", 'how long it is valid, such as "15m"; 0: for ever', "1h"],
  APP_OPTION,
];

export interface UserOptions {
  readonly user: string;
  readonly expires: string;
}

/** Milliseconds of `--expires`; 0: for ever. */
export function lifetimeOf({ expires }: Pick<UserOptions, "expires">): number {
  const lifetimeMs = parseDuration(expires);
  if (lifetimeMs !== undefined) return lifetimeMs;
  throw new MintError("command_usage", '--expires must be a duration such as "15m", "1h" or "0"');
}

/** A key of the app's with a secret. `tokens` are named where there is no such key. */
export function secretKeyOf(
  { config, app, epochMs }: Omit<AskedToken, "options">,
  tokens: string,
  suits: (key: SigningKey) => boolean,
): SigningKey & { readonly hmac_secret: string } {
  for (const key of config.signing_keys) {
    const { hmac_secret, until = Infinity } = key;
    if (key.app !== app.id || hmac_secret === undefined || until <= epochMs) continue;
    if (suits(key)) return { ...key, hmac_secret };
  }
  throw new MintError(
    "signing_key_missing",
    `App "${app.id}" has no signing key with an hmac_secret for ${tokens}: add one to [[signing_keys]]`,
  );
}

/** A JWT as the key's algorithm, id, issuer and audience say. */
export async function signJwt(
  claims: JWTPayload,
  key: SigningKey & { readonly hmac_secret: string },
  { epochMs, lifetimeMs }: { readonly epochMs: number; readonly lifetimeMs: number },
): Promise<string> {
  const { SignJWT } = await import("jose");
  const { algorithms, kid, issuer, audience, hmac_secret: secret } = key;
  const issuedAt = Math.floor(epochMs / 1000);
  const token = new SignJWT(claims)
    .setProtectedHeader({
      ...{ typ: "JWT", alg: algorithms[0] ?? "HS256" },
      ...(kid === undefined ? {} : { kid }),
    })
    .setIssuedAt(issuedAt);
  if (lifetimeMs > 0) token.setExpirationTime(issuedAt + Math.ceil(lifetimeMs / 1000));
  if (issuer !== undefined) token.setIssuer(issuer);
  if (audience !== undefined) token.setAudience(audience);
  return token.sign(new TextEncoder().encode(secret));
}

/** Where the server is asked: by `--url`, else where the configuration has it. */
export function serverUrlOf({
  options,
  apiUrl,
}: AskedToken<BaseConfig, { readonly url?: string }>): string {
  const url = options.url ?? apiUrl;
  if (/^https?:/.test(url) && URL.canParse(url)) return url;
  throw new MintError("command_usage", "--url must be an http or https address");
}

/** An answer's JSON; undefined when it is something else. */
export function answerOf(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
