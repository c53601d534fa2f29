/**
 * Patterns over channel names: RE2 expressions, found anywhere in a name, in time linear in its length. Neither compiling
 * one nor holding it against a name can be interrupted, so both are bounded beforehand (bench/hostile-patterns.ts).
 */
import { HubError } from "./errors.ts";
import { PATTERN_CHARACTERS_MAX, PATTERN_COST_MAX } from "./limits.ts";
import { patternCost } from "./pattern-cost.ts";
import { wordMatcher, wordsOf } from "./pattern-words.ts";
import type { Runtime } from "./runtime.ts";
import { Slices } from "./slices.ts";
import { loadRe2, type RE2JS } from "./re2.ts";

/** Throws HubError `bad_request` for what is not an RE2 expression, and beyond the limits. */
export function compileChannelPattern(pattern: string): (name: string) => boolean {
  if (pattern.length > PATTERN_CHARACTERS_MAX) throw tooLarge();
  const words = wordsOf(pattern);
  if (words !== undefined) return wordMatcher(words);
  if (patternCost(pattern) > PATTERN_COST_MAX) throw tooLarge();
  let compiled: RE2JS;
  try {
    compiled = loadRe2().compile(pattern);
  } catch (cause) {
    throw new HubError("bad_request", "The channel pattern does not compile", { cause });
  }
  return matcher(compiled, pattern);
}

function tooLarge(): HubError {
  return new HubError("bad_request", "The channel pattern is too large");
}

/**
 * Instructions of a program times characters of a name, beyond which RE2JS is kept from making an automaton of it.
 * An automaton is five times as fast on the names that are like those before, but may have to make a state for each
 * character of a name that is not, each as large as the program.
 */
const AUTOMATON_SIZE_MAX = 8_000;
/** An automaton's states have a place for each range of each class, and these have hundreds. */
const UNICODE_CLASS = /\\[pP]/;

function matcher(compiled: RE2JS, pattern: string): (name: string) => boolean {
  const sizeMax = UNICODE_CLASS.test(pattern) ? 0 : AUTOMATON_SIZE_MAX;
  const charactersMax = sizeMax / compiled.programSize();
  // Asked for the place of a match, and not only whether there is one, it follows the program itself.
  return (name) =>
    name.length <= charactersMax ? compiled.test(name) : compiled.matcher(name).find();
}

/** Each kind of what RE2JS does: parsing, folding, Unicode classes, and the ways to match; enough of the dear ones. */
const WARM_UP_PATTERNS = [
  "^(a|b)*(?:[ab]?\\d{2}|c)+$",
  "(?:x(.*)y|z?){9}\\b",
  "(?i)^\\pL+[^k]é?$",
  "^\\pL{3}\\p{Lu}",
  "(?:(a*)*b?){40}$",
];
const WARM_UP_NAMES = ["abba12c".repeat(30), "xyzzy éÀ".repeat(20), "a".repeat(255)];
const WARM_UP_TESTS = WARM_UP_PATTERNS.flatMap((pattern) =>
  WARM_UP_NAMES.map((name) => ({ pattern, name })),
);
const WARM_UP_SHORT_CHARACTERS = 40;
const WARM_UP_PASSES_MAX = 5;
/** What a pass takes once there is nothing to warm up any more. */
const WARM_PASS_MS = 3;

/**
 * Has the runtime compile RE2JS, without which a process's first patterns take ten times as long as later ones. Takes about
 * 200 ms, a slice at a time, and 7 MB, for when the server has its first connection and nobody asks for patterns yet.
 */
export async function warmUpPatterns(runtime: Pick<Runtime, "clock" | "timers">): Promise<void> {
  const { clock } = runtime;
  const slices = new Slices(runtime);
  let spentMs = Infinity;
  for (let pass = 0; pass < WARM_UP_PASSES_MAX && spentMs >= WARM_PASS_MS; pass++) {
    spentMs = 0;
    await slices.each(WARM_UP_TESTS, ({ pattern, name }) => {
      const startMs = clock.monotonicMs();
      const compiled = loadRe2().compile(pattern);
      compiled.test(name.slice(0, WARM_UP_SHORT_CHARACTERS));
      compiled.matcher(name).find();
      spentMs += clock.monotonicMs() - startMs;
    });
  }
}
