/** What every name must be, whoever gave it: channels, users, keys of repetitions. */
import { HubError } from "./errors.ts";

/**
 * Throws `bad_request` for a name with half a surrogate pair. Memory tells such names apart, but stores, topics and frames
 * are UTF-8, which has no form for them: any two would be one there.
 */
export function requireUnicode(name: string, what: string): void {
  if (!name.isWellFormed()) {
    throw new HubError("bad_request", `The ${what} holds half a surrogate pair`);
  }
}
