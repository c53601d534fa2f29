/** A token's claims for a message about them: their names and types, the user kept short, and no other value. */
import type { TellClaims } from "../core/authority.ts";

/** Claims that are named; a token may have any number. */
const CLAIMS_MAX = 20;
const NAME_CHARACTERS_MAX = 40;
const USER_CHARACTERS_MAX = 12;

type Claims = Readonly<Record<string, unknown>>;

/** `the token has "sub" ("alice"), "exp" (number)`. `userClaim`: the one whose value is shown, if it is a text. */
export function claimsText(claims: Claims, userClaim = "sub"): string {
  const user = claims[userClaim];
  return tellerOf(claims, userClaim)(typeof user === "string" ? user : "");
}

/** For grants, of which few are ever told about: what is made is one for all tokens with claims of the same names and types. */
export function createTellers(userClaim = "sub"): (claims: Claims) => TellClaims {
  let names: readonly string[] = [];
  let types: readonly string[] = [];
  let tell = tellerOf({}, userClaim);
  return (claims) => {
    const itsNames = Object.keys(claims);
    const itsTypes = itsNames.map((name) => typeOf(claims[name]));
    if (!isSame(itsNames, names) || !isSame(itsTypes, types)) {
      names = itsNames;
      types = itsTypes;
      tell = tellerOf(claims, userClaim);
    }
    return tell;
  };
}

function isSame(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((text, index) => text === others[index]);
}

function tellerOf(claims: Claims, userClaim: string): TellClaims {
  const all = Object.keys(claims);
  const named = all.slice(0, CLAIMS_MAX).map((name) => {
    const isUser = name === userClaim && typeof claims[name] === "string";
    return `${shortened(name, NAME_CHARACTERS_MAX)} (${isUser ? USER : typeOf(claims[name])})`;
  });
  const more = all.length > named.length ? ` and ${all.length - named.length} more` : "";
  const text = all.length === 0 ? "no claims" : `${named.join(", ")}${more}`;
  return telling(text.split(USER));
}

/** Apart, since a function keeps alive what the functions around it use: connections keep it, and are not to keep claims. */
function telling([before = "", behind]: readonly string[]): TellClaims {
  return (user) => {
    const shown = behind === undefined ? "" : `${shortened(user, USER_CHARACTERS_MAX)}${behind}`;
    return `the token has ${before}${shown}`;
  };
}

/** Stands for the user's name: quoted texts have no such character. */
const USER = "\0";

/** Quoted as JSON would, so that no name ends a line of a log or an answer. */
export function shortened(text: string, charactersMax: number): string {
  const short = text.length <= charactersMax ? text : `${text.slice(0, charactersMax)}…`;
  return JSON.stringify(short.toWellFormed());
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return `list of ${value.length}`;
  return value === null ? "null" : typeof value;
}
