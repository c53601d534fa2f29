/** A token's claims for a message about them: their names and types, the user kept short, and no other value. */

/** Claims that are named; a token may have any number. */
const CLAIMS_MAX = 20;
const NAME_CHARACTERS_MAX = 40;
const USER_CHARACTERS_MAX = 12;

/** `the token has "sub" ("alice"), "exp" (number)`. `userClaim`: the one whose value is shown, if it is a text. */
export function claimsText(claims: Readonly<Record<string, unknown>>, userClaim = "sub"): string {
  const names = Object.keys(claims);
  if (names.length === 0) return "the token has no claims";
  const named = names.slice(0, CLAIMS_MAX).map((name) => {
    const value = claims[name];
    const isUser = name === userClaim && typeof value === "string";
    return `${shortened(name, NAME_CHARACTERS_MAX)} (${isUser ? shortened(value, USER_CHARACTERS_MAX) : typeOf(value)})`;
  });
  const more = names.length - named.length;
  return `the token has ${named.join(", ")}${more > 0 ? ` and ${more} more` : ""}`;
}

/** Quoted as JSON would, so that no name ends a line of a log or an answer. */
export function shortened(text: string, charactersMax: number): string {
  const short = text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
  // Of every token several texts are looked at, and nearly all are plain.
  return PLAIN.test(short) ? `"${short}"` : JSON.stringify(short.toWellFormed());
}

/** What is quoted as it is. */
const PLAIN = /^[-\w .:@/…]*$/;

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return `list of ${value.length}`;
  return value === null ? "null" : typeof value;
}
