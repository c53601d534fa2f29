/** Who calls the JSON-RPC API, and for which app (task-tokens.md §4.2): `sign` is HMAC-SHA512 over the body as it came, in hexadecimal. */
import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { ApiRefusal, lacking, type ApiCallers } from "../../auth/api-callers.ts";
import type { ApiKey } from "../../auth/api-keys.ts";
import type { Clock } from "../../core/runtime.ts";
import type { RequestHead } from "../../transports/api-call.ts";
import type { TasksContext } from "./context.ts";
import { REPLAY_MS, TIMESTAMP_SECONDS_MAX } from "./limits.ts";

export interface Caller {
  readonly context: TasksContext;
  /** Why its credential is not for this method; undefined: it is. */
  refusalOf(method: string): string | undefined;
}

export interface AuthenticationOptions {
  /** By public id. */
  readonly contexts: ReadonlyMap<string, TasksContext>;
  readonly secrets: SigningSecrets;
  readonly callers: Pick<ApiCallers, "keyOf" | "foreignPage">;
  /** The public id that a call without any credential counts for: development mode's. */
  readonly openTo?: string | undefined;
  readonly clock: Clock;
}

/** Throws HubError `unavailable` when it cannot be told whether a signature was used before. */
export type Authenticate = (request: RequestHead, body: Uint8Array) => Promise<Caller | ApiRefusal>;

const refused = (detail: string) => new ApiRefusal(401, detail);
const OTHER_APP = refused("The API key belongs to another app than public-id");
const NO_ID = refused("The call has no header public-id, or it names no app");
const NO_SIGN = refused("The call has no header sign, and no API key");
const NOT_SIGNED = refused(
  "The header sign is not the HMAC-SHA512 of the body by a signing key of the app's for tasks, in hexadecimal",
);
const NO_TIME = refused("The call has no header sign-timestamp, which require_timestamp asks for");
const UNTIMELY = refused(
  `The header sign-timestamp is no Unix time, or more than ${TIMESTAMP_SECONDS_MAX} s away from the server's`,
);
const REPEATED = refused(
  "The signature was used before: each call needs a sign-timestamp of its own",
);

const EVERY_METHOD: Caller["refusalOf"] = () => undefined;

export function createAuthentication(options: AuthenticationOptions): Authenticate {
  const { contexts, secrets, callers, openTo, clock } = options;
  const isSigned = createSignatureCheck(secrets);

  async function bySignature(request: RequestHead, body: Uint8Array): Promise<Caller | ApiRefusal> {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const [publicId, sign, timestamp] = [
      ...[header("public-id"), header("sign"), header("sign-timestamp")],
    ];
    const nowMs = clock.epochMs();
    const context = contexts.get(publicId ?? "");
    const signed = isSigned({ publicId, sign, timestamp, body }, nowMs);
    if (context === undefined) return NO_ID;
    if (sign === undefined) return NO_SIGN;
    if (!signed) return NOT_SIGNED;
    if (timestamp === undefined) {
      return context.settings.require_timestamp ? NO_TIME : { context, refusalOf: EVERY_METHOD };
    }
    if (!isFresh(timestamp, nowMs)) return UNTIMELY;
    return (await isFirst(context, sign)) ? { context, refusalOf: EVERY_METHOD } : REPEATED;
  }

  /** Its scopes are `*`, `tasks`, or `tasks:<method>` for one method. */
  function byKey(key: ApiKey, publicId: string | null): Caller | ApiRefusal {
    const context = contexts.get(key.app);
    if (context === undefined || (publicId ?? key.app) !== key.app) return OTHER_APP;
    const allowed = new Set(key.scopes);
    return {
      context,
      refusalOf(method) {
        const own = `tasks:${method}`;
        return ["*", "tasks", own].some((scope) => allowed.has(scope))
          ? undefined
          : lacking(key, own);
      },
    };
  }

  return async (request, body) => {
    const { headers } = request;
    if (headers.has("sign")) return bySignature(request, body);
    const key = callers.keyOf(request);
    if (key instanceof ApiRefusal) return key;
    if (key !== undefined) return byKey(key, headers.get("public-id"));
    // Half a credential is a wrong one.
    if (openTo === undefined || headers.has("public-id")) return bySignature(request, body);
    const context = contexts.get(openTo);
    if (context === undefined) return NO_ID;
    return callers.foreignPage(request, openTo) ?? { context, refusalOf: EVERY_METHOD };
  };
}

function isFresh(timestamp: string, nowMs: number): boolean {
  if (!/^\d{1,12}$/.test(timestamp)) return false;
  return Math.abs(Number(timestamp) * 1000 - nowMs) <= TIMESTAMP_SECONDS_MAX * 1000;
}

/** Whether this signature was not used before, on any node: its record is put once. */
async function isFirst({ records }: TasksContext, sign: string): Promise<boolean> {
  // Hexadecimal in another case is the same signature. Kept as a hash, for it would verify until it is stale.
  const hash = createHash("sha256").update(sign.toLowerCase()).digest("hex");
  const version = await records.put(`tasks/sign/${hash}`, "", { ttlMs: REPLAY_MS, ifVersion: 0 });
  return version !== undefined;
}

export interface SigningSecret {
  /** Its UTF-8 bytes are the key. */
  readonly secret: string;
  /** Epoch milliseconds from which on it verifies nothing: for a former secret. Absent: never. */
  readonly untilMs?: number;
}

export interface SignedCall {
  /** The header `public-id`; undefined without it. */
  readonly publicId: string | undefined;
  /** The header `sign`, likewise. */
  readonly sign: string | undefined;
  /** The header `sign-timestamp`, likewise; when present it is signed with the body. */
  readonly timestamp: string | undefined;
  readonly body: Uint8Array;
}

export type Hmac = (secret: string, parts: readonly (string | Uint8Array)[]) => Uint8Array;

const SIGN_BYTES = 64;
const SIGN = /^[0-9a-f]{128}$/i;
/** Compared with at the least, so that an app with one secret takes as long as one that is changing it. */
const SECRETS_MIN = 2;

/** By public id. */
export type SigningSecrets = ReadonlyMap<string, readonly SigningSecret[]>;

/**
 * Whether a call is signed with one of its app's secrets. An unknown app and a wrong signature cost the same: the number of
 * hashes over the body depends on the configuration alone.
 */
export function createSignatureCheck(
  apps: SigningSecrets,
  hmac: Hmac = hmacSha512,
): (call: SignedCall, nowMs: number) => boolean {
  const compared = Math.max(SECRETS_MIN, ...[...apps.values()].map(({ length }) => length));
  return ({ publicId = "", sign = "", timestamp, body }, nowMs) => {
    const secrets = apps.get(publicId) ?? [];
    const wellFormed = SIGN.test(sign);
    const given = wellFormed ? Buffer.from(sign, "hex") : Buffer.alloc(SIGN_BYTES);
    const parts = timestamp === undefined ? [body] : [`${timestamp}.`, body];
    let matched = false;
    for (let index = 0; index < compared; index++) {
      const { secret, untilMs = Infinity } = secrets[index] ?? DECOY;
      const equal = timingSafeEqual(hmac(secret, parts), given);
      // To the end, also after a match.
      if (equal && wellFormed && nowMs < untilMs) matched = true;
    }
    return matched;
  };
}

/** Never matches, whatever was sent. */
const DECOY: SigningSecret = { secret: "no app's", untilMs: -Infinity };

function hmacSha512(secret: string, parts: readonly (string | Uint8Array)[]): Uint8Array {
  const mac = createHmac("sha512", secret);
  for (const part of parts) mac.update(part);
  return mac.digest();
}
