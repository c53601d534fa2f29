/** API keys of servers and operators: made, found by their hash, and read from a request. Scopes are the callers' to judge. */

import { hash, timingSafeEqual } from "node:crypto";
import { HubError } from "../core/errors.ts";

/** Protects the hash function from long input; a key that `generateApiKey` makes has 85 bytes. */
export const API_KEY_BYTES_MAX = 256;

export interface ApiKey {
  readonly id: string;
  /** SHA-256 of the whole key, 64 hexadecimal digits. */
  readonly hash: string;
  readonly scopes: readonly string[];
  /** An organisation's id, or `*` for every one. */
  readonly organisation: string;
  readonly app: string;
}

export interface ApiKeys {
  find(key: string): ApiKey | undefined;
}

/** Throws `HubError` `bad_request` for an invalid hash, and for an id or hash that occurs twice. */
export function createApiKeys(entries: readonly ApiKey[]): ApiKeys {
  const known = entries.map((entry) => ({ entry, digest: parseHash(entry) }));
  for (const field of ["id", "hash"] as const) {
    if (new Set(entries.map((entry) => entry[field].toLowerCase())).size < entries.length) {
      throw new HubError("bad_request", `Two API keys have the same ${field}`);
    }
  }
  return {
    find(key) {
      if (Buffer.byteLength(key) > API_KEY_BYTES_MAX) return undefined;
      const digest = sha256(key);
      let found: ApiKey | undefined;
      // To the end, also after a match: the time tells nothing about which key it was.
      for (const candidate of known) {
        if (timingSafeEqual(candidate.digest, digest)) found = candidate.entry;
      }
      return found;
    },
  };
}

function parseHash({ id, hash }: ApiKey): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(hash)) {
    throw new HubError("bad_request", `Hash of API key "${id}" is not 64 hexadecimal digits`);
  }
  return Buffer.from(hash, "hex");
}

/** `randomBytes` must be cryptographically secure. The key is shown once; only its hash is kept. */
export function generateApiKey(randomBytes: (count: number) => Uint8Array): {
  readonly id: string;
  readonly key: string;
  readonly hash: string;
} {
  // Hexadecimal, so that a double click selects it and `_` stays the separator.
  const id = Buffer.from(randomBytes(8)).toString("hex");
  const key = `evk_${id}_${Buffer.from(randomBytes(32)).toString("hex")}`;
  return { id, key, hash: hashApiKey(key) };
}

/** What a configuration holds in place of the key. */
export function hashApiKey(key: string): string {
  return sha256(key).toString("hex");
}

/**
 * The credential of a request, in this order: `X-API-Key: K`, `Authorization: apikey K`, `Authorization: Bearer K`,
 * `?api_key=K` (`centrifugo-protocol.md` §17, `event-streaming.md` §4.2). A Bearer may be a token instead.
 */
export function credentialOf(
  headers: { get(name: string): string | null },
  url: string | URL,
): string | undefined {
  const own = headers.get("x-api-key")?.trim();
  if (own) return own;
  const [, authorization] =
    /^(?:apikey|bearer) +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  if (authorization !== undefined) return authorization;
  return URL.parse(String(url), "http://localhost")?.searchParams.get("api_key") || undefined;
}

function sha256(text: string): Buffer {
  return hash("sha256", text, "buffer");
}
