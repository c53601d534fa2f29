/** Who calls the JSON-RPC API, and for which app (task-tokens.md §4.2). */
import { createHash } from "node:crypto";
import type { Clock } from "../../core/runtime.ts";
import type { TasksContext } from "./context.ts";
import { REPLAY_MS, TIMESTAMP_SECONDS_MAX } from "./limits.ts";
import { createSignatureCheck, type SigningSecrets } from "./sign.ts";

export interface Caller {
  readonly context: TasksContext;
  /** Whether its credential is for this method. */
  may(method: string): boolean;
}

/** An API key of the server's configuration. */
export interface CallerKey {
  readonly app: string;
  /** `*`, `tasks`, or `tasks:<method>` for one method. */
  readonly scopes: readonly string[];
}

export interface AuthenticationOptions {
  /** By public id. */
  readonly contexts: ReadonlyMap<string, TasksContext>;
  readonly secrets: SigningSecrets;
  /** The key that a request carries; `unknown`: it carries one that is none of ours. */
  readonly keyOf: (request: Request) => CallerKey | "unknown" | undefined;
  /** The public id that a call without any credential counts for: development mode's. */
  readonly openTo?: string | undefined;
  readonly clock: Clock;
}

/** Undefined: refused. Throws HubError `unavailable` when it cannot be told whether a signature was used before. */
export type Authenticate = (request: Request, body: Uint8Array) => Promise<Caller | undefined>;

export function createAuthentication(options: AuthenticationOptions): Authenticate {
  const { contexts, secrets, keyOf, openTo, clock } = options;
  const isSigned = createSignatureCheck(secrets);

  async function bySignature(request: Request, body: Uint8Array): Promise<Caller | undefined> {
    const header = (name: string) => request.headers.get(name) ?? undefined;
    const [publicId, sign, timestamp] = [
      ...[header("public-id"), header("sign"), header("sign-timestamp")],
    ];
    const nowMs = clock.epochMs();
    const context = contexts.get(publicId ?? "");
    const signed = isSigned({ publicId, sign, timestamp, body }, nowMs);
    if (!signed || context === undefined || sign === undefined) return undefined;
    if (timestamp === undefined) {
      return context.settings.requireTimestamp ? undefined : { context, may: () => true };
    }
    const fresh = isFresh(timestamp, nowMs) && (await isFirst(context, sign));
    return fresh ? { context, may: () => true } : undefined;
  }

  function byKey(key: CallerKey, publicId: string | null): Caller | undefined {
    const context = contexts.get(key.app);
    if (context === undefined || (publicId ?? key.app) !== key.app) return undefined;
    const allowed = new Set(key.scopes);
    return {
      context,
      may: (method) => ["*", "tasks", `tasks:${method}`].some((scope) => allowed.has(scope)),
    };
  }

  return async (request, body) => {
    const { headers } = request;
    if (headers.has("sign")) return bySignature(request, body);
    const key = keyOf(request);
    if (key === "unknown") return undefined;
    if (key !== undefined) return byKey(key, headers.get("public-id"));
    // Half a credential is a wrong one.
    if (openTo === undefined || headers.has("public-id")) return bySignature(request, body);
    const context = contexts.get(openTo);
    return context && { context, may: () => true };
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
