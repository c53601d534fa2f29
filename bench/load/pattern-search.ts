/**
 * Looks for the channel patterns that hold a warm process the longest: starts from families of dear ones, changes the
 * dearest at random, and keeps what is dearer. Reads a `SearchSpec`, prints a `SearchReport`.
 */
import { randomFrom } from "../../test/support/random.ts";
import { families, hostileNames, mutate, randomPattern, tryCompile } from "./hostile-patterns.ts";
import { readLines, writeLine } from "../../src/bench/load/lines.ts";

export interface SearchSpec {
  readonly seed: number;
  readonly seconds: number;
}

export interface Found {
  readonly pattern: string;
  /** Of the names, the one that took the longest. */
  readonly name: string;
  readonly compileMs: number;
  readonly nameMs: number;
}

export interface SearchReport {
  readonly tried: number;
  /** The dearest to compile, then the dearest to hold against a name. */
  readonly found: readonly Found[];
}

const KEPT = 24;
/** How often each time is taken of what looks dear. */
const TAKES = 3;

function search({ seed, seconds }: SearchSpec): SearchReport {
  const random = randomFrom(seed);
  const names = hostileNames(random);
  const dearest = { compileMs: [] as Found[], nameMs: [] as Found[] };
  const kinds = ["compileMs", "nameMs"] as const;

  function consider(pattern: string): void {
    const glance = measure(pattern, names);
    if (!kinds.some((kind) => isDear(glance, kind))) return;
    const found = measureWell(pattern, names);
    for (const kind of kinds) {
      if (!isDear(found, kind)) continue;
      dearest[kind].push(found);
      dearest[kind].sort((one, other) => other[kind] - one[kind]);
      dearest[kind].length = Math.min(dearest[kind].length, KEPT);
    }
  }

  function isDear(found: Found, kind: (typeof kinds)[number]): boolean {
    return dearest[kind].length < KEPT || found[kind] > (dearest[kind].at(-1)?.[kind] ?? 0);
  }

  let tried = 0;
  for (const pattern of families()) {
    consider(pattern);
    tried++;
  }
  const endMs = performance.now() + seconds * 1000;
  for (; performance.now() < endMs; tried++) {
    let pattern = random.chance(0.15)
      ? randomPattern(random)
      : random.pick(dearest[random.pick(kinds)]).pattern;
    do pattern = mutate(random, pattern);
    while (random.chance(0.4));
    consider(pattern);
  }
  return { tried, found: kinds.flatMap((kind) => dearest[kind].slice(0, KEPT / 2)) };
}

/** One that is refused is measured up to its refusal. */
function measure(pattern: string, names: readonly string[]): Found {
  const startMs = performance.now();
  const matches = tryCompile(pattern);
  const compileMs = performance.now() - startMs;
  let [dearest, nameMs] = ["", 0];
  for (const name of matches === undefined ? [] : names) {
    const nameStartMs = performance.now();
    matches?.(name);
    const ms = performance.now() - nameStartMs;
    if (ms > nameMs) [dearest, nameMs] = [name, ms];
  }
  return { pattern, name: dearest, compileMs, nameMs };
}

/** Each name as the first one that the pattern sees, and the shortest of several times: the others are the machine's. */
function measureWell(pattern: string, names: readonly string[]): Found {
  const each = names.map((name) => {
    const takes = Array.from({ length: TAKES }, () => measure(pattern, [name]));
    const least = (kind: "compileMs" | "nameMs") => Math.min(...takes.map((take) => take[kind]));
    return { pattern, name, compileMs: least("compileMs"), nameMs: least("nameMs") };
  });
  const compileMs = Math.min(...each.map((found) => found.compileMs));
  const dearest = each.reduce((one, other) => (other.nameMs > one.nameMs ? other : one));
  return { ...dearest, compileMs };
}

await readLines(Bun.stdin.stream(), (line) => writeLine(search(line as SearchSpec)));
