/** A key set on a clock that tests move, the key and claims that most of its tests use, and its answers in one word. */
import { DEV_TOKEN_SECRET } from "../../test/support/tokens.ts";
import { HubError, type HubErrorCode } from "../core/errors.ts";
import { createKeySet, type SigningKey } from "./key-set.ts";

export const NOW_MS = 1_800_000_000_000;
export const NOW_SECONDS = NOW_MS / 1000;

export function createClock() {
  let passedMs = 0;
  return {
    epochMs: () => NOW_MS + passedMs,
    monotonicMs: () => passedMs,
    advance: (ms: number) => (passedMs += ms),
  };
}

const noFetch = () => Promise.reject(new Error("Must not be fetched"));

export const hmacKey: SigningKey = {
  use: "streaming",
  algorithms: ["HS256"],
  secret: { hmac: DEV_TOKEN_SECRET },
};

export const keySet = (
  keys: readonly SigningKey[],
  clock = createClock(),
  fetchJson: (url: string) => Promise<unknown> = noFetch,
) => createKeySet(keys, { clock, fetchJson });

export async function codeOf(outcome: Promise<unknown>): Promise<HubErrorCode | "ok"> {
  try {
    await outcome;
    return "ok";
  } catch (error) {
    if (error instanceof HubError) return error.code;
    throw error;
  }
}

export const encode = (value: unknown) => Buffer.from(JSON.stringify(value)).toString("base64url");
export const claims = { sub: "u1", exp: NOW_SECONDS + 60 };
