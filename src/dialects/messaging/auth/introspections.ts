/** Another server's answers about tokens, for as long as they count (messaging.md §13.5). One question at a time for each token. */
import { z } from "zod";
import type { Introspect } from "../../../auth/introspection.ts";
import type { Clock } from "../../../core/runtime.ts";
import { INTROSPECTED_INACTIVE_MS, INTROSPECTED_MS, INTROSPECTIONS_MAX } from "../limits.ts";
import { momentOf } from "./token.ts";

export interface Introspected {
  /** `""`: the token belongs to nobody. */
  readonly subscriber: string;
  /** Epoch milliseconds; Infinity: it does not say. */
  readonly expiresMs: number;
  /** Epoch milliseconds; 0: it does not say. */
  readonly issuedMs: number;
}

/** RFC 7662 §2.2. A member of another type says nothing. */
const members = z.object({
  sub: z.string().catch(""),
  exp: z.number().catch(Infinity),
  iat: z.number().catch(0),
});

interface Asked {
  readonly answer: Promise<Introspected | undefined>;
  /** Monotonic milliseconds from which on it is asked anew. */
  untilMs: number;
}

/** By its hash. Undefined: the token is not active. Throws HubError `unavailable`. */
export type AskAbout = (hash: string, token: string) => Promise<Introspected | undefined>;

export function createIntrospections(introspect: Introspect, clock: Clock): AskAbout {
  // The one asked about first comes first.
  const asked = new Map<string, Asked>();

  async function ask(token: string): Promise<Introspected | undefined> {
    const answer = await introspect(token);
    if (answer === undefined) return undefined;
    const { sub, exp, iat } = members.parse(answer);
    const expiresMs = momentOf(exp);
    if (expiresMs <= clock.epochMs()) return undefined;
    return { subscriber: sub, expiresMs, issuedMs: momentOf(iat) };
  }

  return async (hash, token) => {
    const known = asked.get(hash);
    if (known !== undefined && clock.monotonicMs() < known.untilMs) return known.answer;
    const asking: Asked = { answer: ask(token), untilMs: Infinity };
    asked.delete(hash);
    asked.set(hash, asking);
    forgetOldest(asked);
    try {
      const answer = await asking.answer;
      const leftMs = (answer?.expiresMs ?? Infinity) - clock.epochMs();
      const countsMs = answer === undefined ? INTROSPECTED_INACTIVE_MS : INTROSPECTED_MS;
      asking.untilMs = clock.monotonicMs() + Math.min(countsMs, leftMs);
      return answer;
    } catch (error) {
      if (asked.get(hash) === asking) asked.delete(hash);
      throw error;
    }
  };
}

function forgetOldest(asked: Map<string, Asked>): void {
  if (asked.size <= INTROSPECTIONS_MAX) return;
  for (const oldest of asked.keys()) {
    asked.delete(oldest);
    return;
  }
}
