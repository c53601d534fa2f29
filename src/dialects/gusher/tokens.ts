/** Grants and login tokens: what a JWT's claims must be (§4), and the opaque tokens that stand for them (§3.1). */
import { z } from "zod";
import type { Claims } from "../../auth/key-set.ts";
import type { Records } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Clock } from "../../core/runtime.ts";
import type { GusherClaims, GusherContext } from "./context.ts";

/** Where login tokens live in an app's records. */
const TOKEN_KEY_PREFIX = "gusher/token/";
/** What `createLoginToken` makes. Nothing else is looked for, so that no record but a token can be reached (O9). */
const TOKEN = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** Absent is 0, as the original's integers are. Fractions count (RFC 7519 §2), which the original refuses. */
const seconds = z.number().max(Number.MAX_SAFE_INTEGER).min(Number.MIN_SAFE_INTEGER).optional();
const text = z.string().nullish();

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
  const { exp, nbf, iat } = parse(registeredClaims, payload);
  const now = Math.floor(clock.epochMs() / 1000);
  if (exp && now > exp) throw new HubError("token_expired", "Token has expired");
  if (nbf && now < nbf) throw new HubError("token_expired", "Token is not valid yet");
  if (iat && now < iat) throw new HubError("token_expired", "Token was issued in the future");
  return payload;
}

/** The grant of a verified JWT (§4). Without a `gusher` claim it grants nothing, not even a connection. Throws `invalid_token`. */
export function gusherClaims(payload: Claims): GusherClaims {
  const claim = parse(gusherClaim, payload["gusher"]);
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
  const { user_id, app_key, ...rest } = storedClaims.parse(JSON.parse(record.value));
  return { ...rest, userId: user_id, appKey: app_key };
}

function parse<Schema extends z.ZodType>(schema: Schema, claims: unknown): z.output<Schema> {
  const parsed = schema.safeParse(claims);
  if (parsed.success) return parsed.data;
  const path = parsed.error.issues[0]?.path.join(".") ?? "";
  throw new HubError("invalid_token", `The token's claim "${path}" is not of its type`);
}
