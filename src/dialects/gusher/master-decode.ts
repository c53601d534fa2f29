/** `POST /decode` (§6.9): whether a JWT is good, and what it claims. The original's slaves log their clients in by it. */
import { TOKEN_BYTES_MAX } from "../../auth/key-set.ts";
import { HubError } from "../../core/errors.ts";
import type { GusherContext } from "./context.ts";
import { MasterError } from "./master-call.ts";
import { gusherClaims } from "./tokens.ts";

/** Behind the `gusher` claim, each only when it is neither zero nor empty. */
const REGISTERED_CLAIMS = ["aud", "exp", "jti", "iat", "iss", "nbf", "sub"] as const;

/** `signers`: the apps whose keys may have signed it. */
export async function decodeToken(
  jwt: string,
  signers: readonly GusherContext[],
): Promise<Response> {
  const payload = await verifiedPayload(jwt, signers);
  if (payload === undefined) throw new MasterError("data error");
  return new Response(`${JSON.stringify(answerOf(payload))}\n`, {
    headers: { "Content-Type": "text/plain; charset=utf-8" },
  });
}

/** The app that the JWT says it is for, before anything vouches for it: only to know whose key it takes. `""`: none. */
export function claimedAppKey(jwt: string): string {
  if (jwt.length > TOKEN_BYTES_MAX) return "";
  try {
    const text = Buffer.from(jwt.split(".")[1] ?? "", "base64url").toString();
    const claims: unknown = JSON.parse(text);
    return gusherClaims(claims as Readonly<Record<string, unknown>>).appKey;
  } catch {
    return "";
  }
}

async function verifiedPayload(
  jwt: string,
  signers: readonly GusherContext[],
): Promise<Readonly<Record<string, unknown>> | undefined> {
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
function answerOf(payload: Readonly<Record<string, unknown>>): object {
  const claims = (payload["gusher"] ?? {}) as Readonly<Record<string, unknown>>;
  const { channels, userId, appKey } = gusherClaims(payload);
  const gusher = {
    channels: (claims["channels"] ?? undefined) === undefined ? null : channels,
    user_id: userId,
    app_key: appKey,
    remotes: claims["remotes"] ?? null,
  };
  const registered = REGISTERED_CLAIMS.filter((name) => Boolean(payload[name]));
  return { gusher, ...Object.fromEntries(registered.map((name) => [name, payload[name]])) };
}
