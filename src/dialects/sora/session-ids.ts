/**
 * A channel's session: its id is made with the first connection and lives as long as there is one, plus a grace time (§2.2). A record
 * that every node sees holds it; it expires unless those who have connections in the channel renew it.
 */
import type { Records } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import type { Random } from "../../core/runtime.ts";
import { base32OfUuid } from "./base32.ts";

/** How often a node renews the sessions of its channels, and how long one outlives the last renewal. */
export const RENEW_MS = 30_000;
const KEPT_MS = 3 * RENEW_MS;
/** Each further attempt needs a record that expired at that very moment. */
const ATTEMPTS_MAX = 5;

const keyOf = (channelId: string) => `sora/session/${channelId}`;
const HOW = { ttlMs: KEPT_MS, claim: true };

/** Throws HubError `unavailable`. */
export async function findSessionId(
  records: Records,
  channelId: string,
  random: Random,
): Promise<string> {
  const key = keyOf(channelId);
  for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
    const found = await records.get(key);
    if (found !== undefined) {
      // Another connect may have renewed it meanwhile.
      await records.put(key, found.value, { ...HOW, ifVersion: found.version });
      return found.value;
    }
    const made = base32OfUuid(random.uuid());
    if ((await records.put(key, made, { ...HOW, ifVersion: 0 })) !== undefined) return made;
  }
  throw new HubError("unavailable", "The channel's session could not be told");
}

export async function renewSessionId(
  records: Records,
  channelId: string,
  sessionId: string,
): Promise<void> {
  await records.put(keyOf(channelId), sessionId, HOW);
}
