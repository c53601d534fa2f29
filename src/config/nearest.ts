/** Which known word an unknown one was probably meant to be. */

/** One slip per so many characters, and at least one: with more it is another word. */
const CHARACTERS_PER_SLIP = 3;

/** The candidate that takes the fewest slips, the earlier one of equals; undefined when none is near. */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestSlips = Math.max(1, Math.floor(word.length / CHARACTERS_PER_SLIP)) + 1;
  for (const candidate of candidates) {
    const between = slips(word, candidate);
    if (between < bestSlips) [best, bestSlips] = [candidate, between];
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of two neighbours, one row at a time. */
function slips(from: string, to: string): number {
  let before: number[] = [];
  let row = Array.from({ length: to.length + 1 }, (_, index) => index);
  for (let i = 1; i <= from.length; i++) {
    const next = [i];
    for (let j = 1; j <= to.length; j++) {
      const replaced = (row[j - 1] ?? 0) + (from[i - 1] === to[j - 1] ? 0 : 1);
      const swap = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const swapped = swap ? (before[j - 2] ?? 0) + 1 : Number.POSITIVE_INFINITY;
      next.push(Math.min(replaced, swapped, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    [before, row] = [row, next];
  }
  return row[to.length] ?? 0;
}

/** Behind the name of something unknown: a question, or nothing. */
export function hintOf(meant: string | undefined): string {
  return meant === undefined ? "" : `, did you mean "${meant}"?`;
}
