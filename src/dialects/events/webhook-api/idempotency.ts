/** Answers that are remembered by the caller's `Idempotency-Key` (webhooks.md §5): the call happens once, however often it is sent. */
import { createHash } from "node:crypto";
import { z } from "zod";
import type { Records } from "../../../core/engine.ts";
import { EventsError } from "../errors.ts";

export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 256;
const REMEMBERED_MS = 86_400_000;
/** A call that has not ended by then died with its process, unless its engine knows so before. */
const RUNNING_MS = 60_000;

/** Keeps what an answer says unreadable at rest: it may hold a secret. */
export interface Vault {
  seal(text: string): string;
  /** Undefined: sealed by another key. */
  open(sealed: string): string | undefined;
}

export interface RememberedAnswer {
  readonly status: number;
  /** `""`: no body. */
  readonly body: string;
}

export interface IdempotentCall {
  readonly records: Records;
  readonly vault: Vault;
  /** Whose key it is: organisation and caller. */
  readonly owner: string;
  readonly key: string;
  /** All that makes the call what it is: method, path, body. Hashed. */
  readonly request: readonly (string | Uint8Array)[];
}

const stored = z.object({ request: z.string(), answer: z.string().optional() });
const answer = z.object({ status: z.number(), body: z.string() });

/**
 * Runs the call, or gives the answer that an earlier one got. A call that failed is forgotten, so that it can be sent again.
 * Throws `idempotency_conflict` when the key stands for another call, or for one that still runs.
 */
export async function once(
  { records, vault, owner, key, request }: IdempotentCall,
  run: () => Promise<RememberedAnswer>,
): Promise<RememberedAnswer> {
  if (key.length > IDEMPOTENCY_KEY_CHARACTERS_MAX) {
    throw new EventsError(
      "invalid_request",
      `The Idempotency-Key is longer than ${IDEMPOTENCY_KEY_CHARACTERS_MAX} characters.`,
    );
  }
  const name = `events/idempotency/${digest([owner, key])}`;
  const fingerprint = digest(request);
  const claim = JSON.stringify({ request: fingerprint });
  const put = { ifVersion: 0, ttlMs: RUNNING_MS, claim: true };
  const version = await records.put(name, claim, put);
  if (version === undefined) {
    const known = await records.get(name);
    // Forgotten in between: it is as if this call came now.
    if (known === undefined) return once({ records, vault, owner, key, request }, run);
    return remembered(stored.parse(JSON.parse(known.value)), fingerprint, vault);
  }
  let given: RememberedAnswer;
  try {
    given = await run();
  } catch (error) {
    await records.delete(name, { ifVersion: version });
    throw error;
  }
  const value = { request: fingerprint, answer: vault.seal(JSON.stringify(given)) };
  await records.put(name, JSON.stringify(value), { ifVersion: version, ttlMs: REMEMBERED_MS });
  return given;
}

function remembered(
  { request, answer: sealed }: z.output<typeof stored>,
  fingerprint: string,
  vault: Vault,
): RememberedAnswer {
  if (request !== fingerprint) throw conflict("The Idempotency-Key was used for another call.");
  const text = sealed === undefined ? undefined : vault.open(sealed);
  if (text === undefined) throw conflict("The first call with this Idempotency-Key has not ended.");
  return answer.parse(JSON.parse(text));
}

function conflict(message: string): EventsError {
  return new EventsError("idempotency_conflict", message);
}

/** Each part with its length, so that no two lists of parts look alike. */
function digest(parts: readonly (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) {
    const bytes = Buffer.from(part as string);
    hash.update(`${bytes.length}:`).update(bytes);
  }
  return hash.digest("base64url");
}
