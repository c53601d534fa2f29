/** `POST /decode` (§6.9): whether a JWT is good, and what it claims. The original's slaves log their clients in by it. */
import { readToken, type Claims } from "../../../auth/read-token.ts";
import { HubError } from "../../../core/errors.ts";
import type { GusherContext } from "../context.ts";
import type { ApiAnswer } from "../../../transports/api-call.ts";
import { MasterError, plain } from "./call.ts";
import { gusherClaims } from "../tokens.ts";

/** Behind the `gusher` claim, each only when it is neither zero nor empty. */
const REGISTERED_CLAIMS = ["aud", "exp", "jti", "iat", "iss", "nbf", "sub"] as const;

/** `signers`: the apps whose keys may have signed it. */
export async function decodeToken(
  jwt: string,
  signers: readonly GusherContext[],
): Promise<ApiAnswer> {
  const payload = await verifiedPayload(jwt, signers);
  if (payload === undefined) throw new MasterError("data error");
  return plain(200, `${JSON.stringify(answerOf(payload))}\n`);
}

/** The app that the JWT says it is for, before anything vouches for it: only to know whose key it takes. `""`: none. */
export function claimedAppKey(jwt: string): string {
  try {
    return gusherClaims(readToken(jwt).claims).appKey;
  } catch (error) {
    if (error instanceof HubError) return "";
    throw error;
  }
}

async function verifiedPayload(
  jwt: string,
  signers: readonly GusherContext[],
): Promise<Claims | undefined> {
  for (const context of signers) {
    try {
      const payload = await context.verify(jwt);
      gusherClaims(payload);
      return payload;
    } catch (error) {
      if (!(error instanceof HubError)) throw error;
      if (error.code !== "unavailable") continue;
      context.onError(error, { connection: "", doing: "verifying a JWT" });
    }
  }
  return undefined;
}

/** Of claims whose types were checked. */
function answerOf(payload: Claims): object {
  const claims = (payload["gusher"] ?? {}) as Readonly<Record<string, unknown>>;
  const { channels, userId, appKey } = gusherClaims(payload);
  const gusher = {
    channels: (claims["channels"] ?? undefined) === undefined ? null : channels,
    user_id: userId,
    app_key: appKey,
    remotes: claims["remotes"] ?? null,
  };
  const times = wholeTimes(payload);
  const registered = REGISTERED_CLAIMS.map((name) => [name, times[name] ?? payload[name]] as const);
  return { gusher, ...Object.fromEntries(registered.filter(([, value]) => Boolean(value))) };
}

/** Integers, since the original's slaves read no others: the whole seconds that hold just as long. */
function wholeTimes(claims: Claims): Readonly<Record<string, number>> {
  const { exp, nbf, iat } = claims;
  return {
    ...(exp === undefined ? {} : { exp: Math.floor(exp) }),
    ...(nbf === undefined ? {} : { nbf: Math.ceil(nbf) }),
    ...(iat === undefined ? {} : { iat: Math.ceil(iat) }),
  };
}
