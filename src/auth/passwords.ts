/** Password hashes (argon2id). Each takes memory and a core for a while, so that few are made at once and few wait. */
import { HubError } from "../core/errors.ts";

/** OWASP's first recommendation: 19 MiB, two passes. What was hashed otherwise is still verified by its own. */
const ARGON2ID = { algorithm: "argon2id", memoryCost: 19_456, timeCost: 2 } as const;

/** Of a password that nobody knows, hashed alike: what is compared with it takes as long as with any other. */
export const DECOY_HASH =
  "$argon2id$v=19$m=19456,t=2,p=1$658suHVWaQjWiuBxTa0c7egDxBpmtTZZGgmHsBlaImg$PKpSeUGUt3jRN3mMpKqleZ52xzfx89jx9JRxUlG0z/g";

/** Characters of a password: nobody types more, and what is hashed is as long as the one who sends it likes. */
export const PASSWORD_CHARACTERS_MAX = 256;

/** Hashings that wait for their turn; beyond it they are refused, which takes no time. */
export const HASHINGS_WAITING_MAX = 64;

/** Both throw HubError `limit_exceeded` when as many wait as may. */
export interface Passwords {
  hash(password: string): Promise<string>;
  /** `hash` undefined: there is none, which is found out in the same time. */
  verify(password: string, hash: string | undefined): Promise<boolean>;
  /** As many wait as may. */
  readonly busy: boolean;
}

/** `atOnceMax`: hashings at the same time on this node, 19 MiB each. */
export function createPasswords({ atOnceMax }: { readonly atOnceMax: number }): Passwords {
  const waiting: (() => void)[] = [];
  let running = 0;

  async function inTurn<Value>(work: () => Promise<Value>): Promise<Value> {
    if (running >= atOnceMax) {
      if (waiting.length >= HASHINGS_WAITING_MAX) {
        throw new HubError("limit_exceeded", "Too many passwords are being checked");
      }
      // Whoever ends hands its place on, so that nobody comes in between.
      await new Promise<void>((resolve) => waiting.push(resolve));
    } else running += 1;
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) running -= 1;
      else next();
    }
  }

  return {
    hash: (password) => inTurn(() => Bun.password.hash(password, ARGON2ID)),
    async verify(password, hash) {
      const same = await inTurn(() => Bun.password.verify(password, hash ?? DECOY_HASH));
      return same && hash !== undefined;
    },
    get busy() {
      return running >= atOnceMax && waiting.length >= HASHINGS_WAITING_MAX;
    },
  };
}
