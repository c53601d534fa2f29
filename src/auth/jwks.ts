/** A key set behind a URL: fetched when first needed, cached, fetched again for an unknown key, but not at anyone's will. */

import {
  createLocalJWKSet,
  type CryptoKey,
  errors,
  type JSONWebKeySet,
  type JWTHeaderParameters,
} from "jose";
import { HubError } from "../core/errors.ts";
import type { Clock } from "../core/runtime.ts";

/** After this a removed key is no longer trusted (`event-streaming.md` §4.1). */
export const JWKS_AGE_MS_MAX = 3_600_000;

/** Between two fetches for an unknown `kid`: tokens with invented ones must not become requests (same place). */
export const JWKS_REFETCH_COOLDOWN_MS = 60_000;

/** Between two fetches while there is no key set at all: an endpoint that is away is not asked per token. */
export const JWKS_RETRY_COOLDOWN_MS = 1000;

/** A token without `kid` is tried on every key of its type, so their number bounds its cost. */
export const JWKS_KEYS_MAX = 64;

/** A GET that answers the parsed JSON body of a 200, bounded in time and size by whoever provides it. */
export type FetchJson = (url: string) => Promise<unknown>;

export interface RemoteKeySet {
  /** The public keys that fit `alg` and `kid`, none when a fetch has just shown that. Throws `unavailable` when the set cannot be had. */
  find(header: JWTHeaderParameters): Promise<readonly CryptoKey[]>;
}

type LocalKeySet = ReturnType<typeof createLocalJWKSet>;

// Not jose's createRemoteJWKSet: it reads the time itself, and its cooldown counts from the last success,
// so an endpoint that is away would be asked for every token.
export function createRemoteKeySet(
  url: string,
  { clock, fetchJson }: { readonly clock: Clock; readonly fetchJson: FetchJson },
): RemoteKeySet {
  let keys: LocalKeySet | undefined;
  let fetchedMs = 0;
  let failedMs: number | undefined;
  let refetchedMs: number | undefined;
  let pending: Promise<LocalKeySet> | undefined;

  const within = (sinceMs: number | undefined, durationMs: number) =>
    sinceMs !== undefined && clock.monotonicMs() - sinceMs < durationMs;

  async function load(): Promise<LocalKeySet> {
    try {
      keys = createLocalJWKSet(checked(await fetchJson(url)));
      fetchedMs = clock.monotonicMs();
      failedMs = undefined;
      return keys;
    } catch (cause) {
      failedMs = clock.monotonicMs();
      throw unavailable(url, cause);
    } finally {
      pending = undefined;
    }
  }

  const loadOnce = () => (pending ??= load());

  return {
    async find(header) {
      if (keys === undefined || !within(fetchedMs, JWKS_AGE_MS_MAX)) {
        if (pending === undefined && within(failedMs, JWKS_RETRY_COOLDOWN_MS))
          throw unavailable(url);
        return matching(await loadOnce(), header);
      }
      const found = await matching(keys, header);
      if (found.length > 0) return found;
      // Without the fetch nobody knows whether the key exists: the client is to come back, not to give up.
      if (pending === undefined && within(refetchedMs, JWKS_REFETCH_COOLDOWN_MS)) {
        throw unavailable(url, undefined, "has no such key yet: it is fetched again soon");
      }
      refetchedMs = clock.monotonicMs();
      return matching(await loadOnce(), header);
    },
  };
}

/** `createLocalJWKSet` checks the rest. */
function checked(document: unknown): JSONWebKeySet {
  const set = document as Partial<JSONWebKeySet> | null;
  if (!Array.isArray(set?.keys)) throw new Error("Key set has no list of keys");
  if (set.keys.length > JWKS_KEYS_MAX)
    throw new Error(`Key set has more than ${JWKS_KEYS_MAX} keys`);
  return { ...set, keys: set.keys };
}

async function matching(keys: LocalKeySet, header: JWTHeaderParameters): Promise<CryptoKey[]> {
  try {
    return [await keys(header)];
  } catch (error) {
    if (error instanceof errors.JWKSMultipleMatchingKeys) return Array.fromAsync(error);
    // No key fits, or the one that does cannot be imported.
    return [];
  }
}

function unavailable(url: string, cause?: unknown, problem = "cannot be fetched"): HubError {
  return new HubError("unavailable", `The key set of "${new URL(url).host}" ${problem}`, { cause });
}
