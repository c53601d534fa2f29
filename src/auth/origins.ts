/** Which browser pages may connect: an app's list of origins, with globs (centrifugo-protocol.md §15). */
import { globExpression } from "../core/glob.ts";
import { loadRe2 } from "../core/re2.ts";

/**
 * What a browser sends (RFC 6454 §6.2): a scheme, a host and perhaps a port, or `null`. A `*` stands for any characters, so text
 * that is not a origin is refused before the patterns are asked: `https://evil.example#.shop.example` is not a shop.
 */
const ORIGIN = /^(?:[a-z][-+.a-z0-9]*:\/\/(?:[-a-z0-9._]*|\[[0-9a-f:.]+\])(?::\d{1,5})?|null)$/;

/**
 * Whether a browser origin may open connections. `origin` null: not a browser, always. No patterns: none.
 * The result is made once per app, since compiling costs.
 */
export function createOriginCheck(patterns: readonly string[]): (origin: string | null) => boolean {
  if (patterns.includes("*")) return () => true;
  const compiled = patterns.map((pattern) =>
    loadRe2().compile(globExpression(pattern.toLowerCase())),
  );
  return (origin) => {
    if (origin === null || origin === "") return true;
    const lower = origin.toLowerCase();
    return ORIGIN.test(lower) && compiled.some((pattern) => pattern.matches(lower));
  };
}
