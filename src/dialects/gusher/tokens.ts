/** Grants and login tokens: what a JWT's claims must be (§4), and the opaque tokens that stand for them (§3.1). */
import { z } from "zod";
import { TokenError, untimely, type Claims } from "../../auth/key-set.ts";
import type { Records } from "../../core/engine.ts";
import type { Clock } from "../../core/runtime.ts";
import type { GusherClaims, GusherContext } from "./context.ts";

/** Where login tokens live in an app's records. */
const TOKEN_KEY_PREFIX = "gusher/token/";
/** What `createLoginToken` makes. Nothing else is looked for, so that no record but a token can be reached (O9). */
const TOKEN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Absent is 0, as the original's integers are. Fractions count (RFC 7519 §2), which the original refuses. */
const seconds = z.number().max(Number.MAX_SAFE_INTEGER).min(Number.MIN_SAFE_INTEGER).optional();
const text = z.string().nullish();

type Untimely = Parameters<typeof untimely>[0];

/** §4: registered claims are of their types whether or not they are looked at. An `aud` array is accepted, as in 3.0. */
const registeredClaims = z.looseObject({
  exp: seconds,
  nbf: seconds,
  iat: seconds,
  aud: z.union([z.string(), z.array(z.string())]).nullish(),
  iss: text,
  sub: text,
  jti: text,
});

/** As zod's record, which however drops a member called `__proto__`. */
const flags = z.custom<Readonly<Record<string, boolean>>>(
  (value) =>
    typeof value === "object" &&
    value !== null &&
    !Array.isArray(value) &&
    Object.values(value).every((member) => typeof member === "boolean"),
);

/** §4: `null` elements of `channels` become `""`. */
const gusherClaim = z
  .looseObject({
    channels: z.array(z.string().nullable()).nullish(),
    user_id: text.refine((id) => id?.isWellFormed() ?? true),
    app_key: text,
    remotes: flags.nullish(),
  })
  .nullish();

/** As stored: every member is there. */
const storedClaims = z.object({
  channels: z.array(z.string()),
  user_id: z.string(),
  app_key: z.string(),
  remotes: flags,
});

/**
 * The types and times of a signed JWT's registered claims (§4): valid while `now ≤ exp`, `now ≥ nbf` and `now ≥ iat`, in
 * whole seconds and without leeway; 0 is absent. Throws `invalid_token` and `token_expired`.
 */
export function checkRegisteredClaims(payload: Claims, clock: Clock): Claims {
  const { exp, nbf, iat } = parse(registeredClaims, payload, payload);
  const nowMs = clock.epochMs();
  const now = Math.floor(nowMs / 1000);
  const mistimed = (fault: Untimely, message: string, claim: "exp" | "nbf" | "iat") =>
    untimely(fault, message, { claim, claims: payload, nowMs });
  if (exp && now > exp) throw mistimed("expired", "Token has expired", "exp");
  if (nbf && now < nbf) throw mistimed("not_yet_valid", "Token is not valid yet", "nbf");
  if (iat && now < iat) throw mistimed("not_yet_valid", "Token was issued in the future", "iat");
  return payload;
}

/** The grant of a verified JWT (§4). Without a `gusher` claim it grants nothing, not even a connection. Throws `invalid_token`. */
export function gusherClaims(payload: Claims): GusherClaims {
  const claim = parse(gusherClaim, payload["gusher"], payload, "gusher");
  return {
    channels: (claim?.channels ?? []).map((channel) => channel ?? ""),
    userId: claim?.user_id ?? "",
    appKey: claim?.app_key ?? "",
    remotes: claim?.remotes ?? {},
  };
}

/** The token for these claims: opaque, good for any number of connections on any node for `tokenTtlMs` (K8). */
export async function createLoginToken(
  { records, runtime, settings }: Pick<GusherContext, "records" | "runtime" | "settings">,
  { channels, userId, appKey, remotes }: GusherClaims,
): Promise<string> {
  const token = runtime.random.uuid();
  const value = JSON.stringify({ channels, user_id: userId, app_key: appKey, remotes });
  await records.put(TOKEN_KEY_PREFIX + token, value, { ttlMs: settings.token_ttl });
  return token;
}

/** Undefined: not known, or no more. */
export async function findLoginToken(
  records: Records,
  token: string,
): Promise<GusherClaims | undefined> {
  if (!TOKEN.test(token)) return undefined;
  const record = await records.get(TOKEN_KEY_PREFIX + token);
  if (record === undefined) return undefined;
  const { user_id, app_key, channels, remotes } = storedClaims.parse(JSON.parse(record.value));
  const some = Object.keys(remotes).length > 0;
  return { channels, userId: user_id, appKey: app_key, remotes: some ? remotes : NO_REMOTES };
}

/** One for all the connections that keep theirs. */
const NO_REMOTES: GusherClaims["remotes"] = {};

/** `within`: the claim of the token's `claims` that these are. */
function parse<Schema extends z.ZodType>(
  schema: Schema,
  part: unknown,
  claims: Claims,
  within?: string,
): z.output<Schema> {
  const parsed = schema.safeParse(part);
  if (parsed.success) return parsed.data;
  const path = [...(within === undefined ? [] : [within]), ...(parsed.error.issues[0]?.path ?? [])];
  const message = `The token's claim "${path.join(".")}" is not of its type`;
  throw new TokenError("claims", message, { claims });
}
