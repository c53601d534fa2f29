/** Which channel names a grant allows (§5.3). Grants are globs of their own kind, not regular expressions. */

export interface GrantRules {
  /** D13: `*` also stands for no character. */
  readonly starEmpty: boolean;
}

/** Allows every name, the empty one included. */
const EVERYTHING = "*";

export function isGranted(grants: readonly string[], name: string, rules: GrantRules): boolean {
  return grants.some((grant) => grantMatches(grant, name, rules));
}

/** The original's multi_subscribe and reload (strict options of D2 and D3): a grant is a literal name, save a lone `*`. */
export function isGrantedLiterally(grants: readonly string[], name: string): boolean {
  return grants.includes(name) || grants.includes(EVERYTHING);
}

/**
 * A lone `*` allows every name. Within a grant each `*` stands for one or more characters (zero or more with
 * `starEmpty`) other than a line feed (D12); everything else is literal, and the whole name must match.
 *
 * Each literal part is looked for once, from left to right, and nothing is tried again: a part without a line feed is
 * best taken where it occurs first, and one with a line feed can only lie at the name's next line feed. So there is no
 * backtracking, however many stars a grant has.
 */
export function grantMatches(grant: string, name: string, { starEmpty }: GrantRules): boolean {
  if (grant === EVERYTHING || grant === name) return true;
  const [first = "", ...parts] = grant.split("*");
  const last = parts.pop();
  if (last === undefined || !name.startsWith(first)) return false;
  let at = first.length;
  let stars = 1;
  for (const part of parts) {
    if (part !== "") {
      const found = name.indexOf(part, starEmpty ? at : skip(name, at, stars));
      if (found < 0 || hasLineFeed(name, at, found)) return false;
      at = found + part.length;
      stars = 0;
    }
    stars++;
  }
  const end = name.length - last.length;
  const from = starEmpty ? at : skip(name, at, stars);
  return from <= end && name.endsWith(last) && !hasLineFeed(name, at, end);
}

/** The index behind this many characters; beyond the end when there are fewer. */
function skip(name: string, from: number, characters: number): number {
  let at = from;
  for (let count = 0; count < characters; count++) {
    at += (name.codePointAt(at) ?? 0) > 0xffff ? 2 : 1;
  }
  return at;
}

function hasLineFeed(name: string, from: number, to: number): boolean {
  return name.slice(from, to).includes("\n");
}
