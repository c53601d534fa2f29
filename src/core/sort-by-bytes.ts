/** Sorting many names without holding the event loop: runs that are sorted at once, then merged, in slices. */
import type { Slices } from "./slices.ts";

/** Names that are sorted, or merged, at once: about a millisecond. */
const BLOCK_NAMES = 4_096;

/** A sorted copy, in the order of the names' UTF-8 bytes. */
export async function sortByBytes(
  names: readonly string[],
  slices: Slices,
): Promise<readonly string[]> {
  let runs: string[][] = [];
  await slices.each(blocksOf(names), (block) => runs.push(block.map(keyOf).sort()));
  while (runs.length > 1) {
    const merged: string[][] = [];
    for (let index = 0; index < runs.length; index += 2) {
      const merging = merge(runs[index] ?? [], runs[index + 1] ?? []);
      let keys: string[] = [];
      await slices.each(merging, (soFar) => {
        keys = soFar;
      });
      merged.push(keys);
    }
    runs = merged;
  }
  const sorted: string[] = [];
  await slices.each(blocksOf(runs[0] ?? []), (block) => {
    for (const key of block) sorted.push(nameOf(key));
  });
  return sorted;
}

function* blocksOf(names: readonly string[]): Iterable<string[]> {
  for (let from = 0; from < names.length; from += BLOCK_NAMES) {
    yield names.slice(from, from + BLOCK_NAMES);
  }
}

/** The same list again and again, a block longer each time. */
function* merge(left: readonly string[], right: readonly string[]): Iterable<string[]> {
  const merged: string[] = [];
  let [at, other] = [0, 0];
  while (at < left.length || other < right.length) {
    for (let count = 0; count < BLOCK_NAMES; count++) {
      const [a, b] = [left[at], right[other]];
      if (b === undefined || (a !== undefined && a <= b)) {
        if (a === undefined) break;
        merged.push(a);
        at++;
      } else {
        merged.push(b);
        other++;
      }
    }
    yield merged;
  }
}

/**
 * The order of code units is that of UTF-8 bytes, save that surrogates, which stand for the highest characters, come before
 * U+E000 to U+FFFF. In a key the two have changed places.
 */
function keyOf(name: string): string {
  return SURROGATES_AND_ABOVE.test(name)
    ? name.replace(EACH_OF_THEM, (unit) => shifted(unit, unit < "\ue000" ? 0x2000 : -0x800))
    : name;
}

function nameOf(key: string): string {
  return SURROGATES_AND_ABOVE.test(key)
    ? key.replace(EACH_OF_THEM, (unit) => shifted(unit, unit < "\uf800" ? 0x800 : -0x2000))
    : key;
}

const SURROGATES_AND_ABOVE = /[\ud800-\uffff]/;
const EACH_OF_THEM = /[\ud800-\uffff]/g;

function shifted(unit: string, by: number): string {
  return String.fromCharCode(unit.charCodeAt(0) + by);
}
