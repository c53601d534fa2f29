/** Which browser pages may connect: an app's list of origins, with globs (centrifugo-protocol.md §15). */
import { RE2JS } from "re2js";
import { globExpression } from "../core/glob.ts";

/**
 * Whether a browser origin may open connections. `origin` null: not a browser, always. No patterns: none.
 * The result is made once per app, since compiling costs.
 */
export function createOriginCheck(patterns: readonly string[]): (origin: string | null) => boolean {
  const compiled = patterns.map((pattern) => RE2JS.compile(globExpression(pattern.toLowerCase())));
  return (origin) => {
    if (origin === null || origin === "") return true;
    const lower = origin.toLowerCase();
    return compiled.some((pattern) => pattern.matches(lower));
  };
}
