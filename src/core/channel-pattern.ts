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

export type MatchesName = (name: string) => boolean;

/**
 * The patterns of one app. RE2JS is warmed up for the first that needs it: most servers are never asked for one, and it takes memory
 * for good.
 */
export class ChannelPatterns {
  readonly #runtime: Pick<Runtime, "clock" | "timers">;
  #warm: Promise<void> | undefined;
  /** The last one: asking compiles it for the caller's error, and answering, mostly next, would again. */
  #known: { readonly pattern: string; readonly matches: MatchesName } | undefined;

  constructor(runtime: Pick<Runtime, "clock" | "timers">) {
    this.#runtime = runtime;
  }

  get warm(): boolean {
    return this.#warm !== undefined;
  }

  /** Resolves when the next pattern takes no longer than any other. */
  warmUp(): Promise<void> {
    return (this.#warm ??= warmUpPatterns(this.#runtime));
  }

  /** Rejects as `compileChannelPattern` throws. */
  async compile(pattern: string): Promise<MatchesName> {
    if (needsRe2(pattern)) await this.warmUp();
    if (this.#known?.pattern !== pattern) {
      this.#known = { pattern, matches: compileChannelPattern(pattern) };
    }
    return this.#known.matches;
  }
}

/** Whether it says more than words, and may be compiled at all. */
export function needsRe2(pattern: string): boolean {
  return pattern.length <= PATTERN_CHARACTERS_MAX && wordsOf(pattern) === undefined;
}

/** Throws HubError `bad_request` for what is not an RE2 expression, and beyond the limits. */
export function compileChannelPattern(pattern: string): MatchesName {
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

function matcher(compiled: RE2JS, pattern: string): MatchesName {
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
const WARM_UP_NAMES = ["abba12c".repeat(15), "xyzzy éÀ".repeat(10), "a".repeat(127)];
const WARM_UP_TESTS = WARM_UP_PATTERNS.flatMap((pattern) =>
  WARM_UP_NAMES.map((name) => ({ pattern, name })),
);
const WARM_UP_SHORT_CHARACTERS = 40;
const WARM_UP_PASSES_MAX = 5;
/** What a pass takes once there is nothing to warm up any more. */
const WARM_PASS_MS = 3;

/**
 * Has the runtime compile RE2JS, without which a process's first patterns take ten times as long as later ones. Takes about
 * 200 ms, in many turns of the event loop, and 7 MB or more.
 */
export async function warmUpPatterns(runtime: Pick<Runtime, "clock" | "timers">): Promise<void> {
  const { clock } = runtime;
  const slices = new Slices(runtime);
  let spentMs = Infinity;

  /** Cold, each takes about as long as a turn of the event loop may. */
  async function inOwnTurn<Result>(step: () => Result): Promise<Result> {
    slices.end();
    await slices.turn();
    const startMs = clock.monotonicMs();
    const result = step();
    spentMs += clock.monotonicMs() - startMs;
    return result;
  }

  const re2 = await inOwnTurn(loadRe2);
  for (let pass = 0; pass < WARM_UP_PASSES_MAX && spentMs >= WARM_PASS_MS; pass++) {
    spentMs = 0;
    for (const { pattern, name } of WARM_UP_TESTS) {
      const compiled = await inOwnTurn(() => re2.compile(pattern));
      await inOwnTurn(() => {
        compiled.test(name.slice(0, WARM_UP_SHORT_CHARACTERS));
        compiled.matcher(name).find();
      });
    }
  }
}
