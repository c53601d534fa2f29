/** A token taken apart before anything vouches for it: its size, form, header and claims. */
import { base64url, type JWTHeaderParameters } from "jose";
import { HubError } from "../core/errors.ts";
import { copyOf, jsonView, type JsonView } from "../core/json-text.ts";
import { claimsText } from "./claims-text.ts";

/** A longer token is refused unread: it protects the parser and the memory. Room for a user's groups in an access token. */
export const TOKEN_BYTES_MAX = 65_536;

/** Header and claims of a compact JWS. Checked here, since base64 decoders also take padding and white space. */
const COMPACT = /^([\w-]+)\.([\w-]+)\.[\w-]+$/;

/** RFC 7519 §4.1. */
const requireRegistered = spellingOf(["iss", "sub", "aud", "exp", "nbf", "iat", "jti"]);
const TIMES = ["exp", "nbf", "iat"];

/** What is wrong with a token, in the order of the checks. */
export type TokenFault =
  | "malformed"
  | "algorithm"
  | "key"
  | "issuer"
  | "audience"
  | "signature"
  | "expired"
  | "not_yet_valid"
  | "kind"
  | "claims";

export interface TokenErrorOptions {
  /** Named, with their types, in the detail. */
  readonly claims?: Readonly<Record<string, unknown>> | undefined;
  /** The claim that names the user. Default `sub`. */
  readonly userClaim?: string;
  /** What the message leaves open: the claim that is missing or wrong, for instance. */
  readonly because?: string;
}

/** Its code is `token_expired` for the faults of time, else `invalid_token`. Its message never holds any of the token. */
export class TokenError extends HubError {
  readonly fault: TokenFault;

  constructor(fault: TokenFault, message: string, options: TokenErrorOptions = {}) {
    const { claims, because, userClaim } = options;
    const untimely = fault === "expired" || fault === "not_yet_valid";
    const why = because === undefined ? message : `${message}: ${because}`;
    const detail = claims === undefined ? why : `${why}; ${claimsText(claims, userClaim)}`;
    super(untimely ? "token_expired" : "invalid_token", message, { detail });
    this.fault = fault;
  }
}

/** Not yet checked for what a dialect needs. None is `null`, which counts as absent; `exp`, `nbf` and `iat` are numbers when present. */
export type Claims = Readonly<Record<string, unknown>> & {
  readonly exp?: number;
  readonly nbf?: number;
  readonly iat?: number;
};

export interface TokenParts {
  readonly header: JWTHeaderParameters;
  readonly claims: Claims;
  /** The claims as they were signed, with every digit and member. */
  readonly json: JsonView;
}

/** Throws TokenError `malformed`. No error about a token has a cause: the parsers' messages quote it. */
export function readToken(token: string, readHeader = headerOf): TokenParts {
  // A valid token is ASCII, so its length is its bytes.
  if (token.length > TOKEN_BYTES_MAX) {
    throw malformed(`Token is longer than ${TOKEN_BYTES_MAX} bytes`);
  }
  const [, header, payload] = COMPACT.exec(token) ?? [];
  if (header === undefined || payload === undefined) throw malformed("Token is malformed");
  const read = readHeader(header);
  const json = decoded(payload, jsonView);
  const claims = presentMembers(json.value);
  requireRegistered(claims);
  for (const name of TIMES) {
    if (name in claims && typeof claims[name] !== "number") {
      throw malformed(`Token claim "${name}" must be a number`, claims);
    }
  }
  return { header: read, claims, json };
}

function headerOf(part: string): JWTHeaderParameters {
  const { alg, kid, crit } = presentMembers(decoded(part, JSON.parse));
  if (typeof alg !== "string") throw malformed("Token has no algorithm");
  if (kid !== undefined && typeof kid !== "string") throw malformed("Token is malformed");
  // RFC 7515 §4.1.11: an extension that is not understood makes it invalid, and none is.
  if (crit !== undefined) throw malformed("Token has an unknown extension");
  return kid === undefined ? { alg } : { alg, kid };
}

/** For many tokens: those of one issuer and key have the same header, which is read once. */
export function createHeaderReader(): (part: string) => JWTHeaderParameters {
  let last: { readonly part: string; readonly header: JWTHeaderParameters } | undefined;
  return (part) => {
    // A copy, since a part of a text keeps the whole in memory.
    if (last?.part !== part) last = { part: copyOf(part), header: headerOf(part) };
    return last.header;
  };
}

/**
 * A check that throws TokenError where one of these claims stands in another case alone, `Exp` without `exp`: what its issuer meant
 * to say would count for nothing, and the token for more than it is.
 */
export function spellingOf(names: readonly string[]): (claims: Claims) => void {
  const folded = new Map(names.map((name) => [name.toLowerCase(), name]));
  return (claims) => {
    for (const given of Object.keys(claims)) {
      const name = folded.get(given.toLowerCase());
      if (name === undefined || name === given || claims[name] !== undefined) continue;
      throw malformed(`Token claim "${name}" is spelled in another case`, claims);
    }
  };
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** What `parse` throws is not passed on. */
function decoded<Value>(part: string, parse: (text: string) => Value): Value {
  try {
    return parse(strictUtf8.decode(base64url.decode(part)));
  } catch {
    throw malformed("Token is malformed");
  }
}

function presentMembers(object: unknown): Readonly<Record<string, unknown>> {
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw malformed("Token is malformed");
  }
  if (!Object.values(object).includes(null)) return object as Readonly<Record<string, unknown>>;
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== null));
}

function malformed(message: string, claims?: Claims): TokenError {
  return new TokenError("malformed", message, { claims });
}

/** A token that is too old or too young, by this claim. */
export function untimely(
  fault: "expired" | "not_yet_valid",
  message: string,
  about: {
    readonly claim: "exp" | "nbf" | "iat";
    readonly claims: Claims;
    readonly nowMs: number;
  },
): TokenError {
  const { claim, claims, nowMs } = about;
  const is = isoOf(1000 * (claims[claim] ?? 0));
  const because = `its claim "${claim}" is ${is}, and it is ${isoOf(nowMs)}`;
  return new TokenError(fault, message, { claims, because });
}

/** The end of what a date can hold stands for all beyond. */
function isoOf(epochMs: number): string {
  const within = Math.max(-DATE_MS_MAX, Math.min(DATE_MS_MAX, epochMs));
  return new Date(within).toISOString();
}

const DATE_MS_MAX = 8.64e15;

/** What `judge` finds wrong with a token's claims is told with the claims. `userClaim`: as for `TokenError`. */
export function judging<Result>(
  { claims, userClaim }: { readonly claims: Claims; readonly userClaim?: string },
  judge: () => Result,
): Result {
  try {
    return judge();
  } catch (error) {
    const isOfClaims = error instanceof HubError && error.code === "invalid_token";
    if (!isOfClaims || error instanceof TokenError) throw error;
    throw new TokenError("claims", error.message, {
      claims,
      ...(userClaim === undefined ? {} : { userClaim }),
    });
  }
}
