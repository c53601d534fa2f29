/** A request's JSON (task-tokens.md §4.3): UTF-8, one trailing comma tolerated, member names in any case. */
import { HubError } from "../../core/errors.ts";
import { isSpace } from "../../core/json-check.ts";
import { jsonView, type JsonView } from "../../core/json-text.ts";
import { RpcError } from "./errors.ts";

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** Contexts say which numbers they take by an answer of their own (§3.1). */
const viewOf = (text: string): JsonView => jsonView(text, { anyNumbers: true });

/** Throws `parse_error` for what is no UTF-8 or no JSON. `strict`: trailing commas are none. */
export function readJson(bytes: Uint8Array, { strict }: { readonly strict: boolean }): JsonView {
  try {
    const text = strictUtf8.decode(bytes);
    return strict ? viewOf(text) : (tryView(text) ?? viewOf(withoutTrailingCommas(text)));
  } catch (error) {
    if (!(error instanceof HubError) && !(error instanceof TypeError)) throw error;
    throw new RpcError("parse_error", undefined, { cause: error });
  }
}

function tryView(text: string): JsonView | undefined {
  try {
    return viewOf(text);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}

/**
 * Each comma that follows a value and ends a list, replaced by a space. The published samples have such commas, and the JSON
 * library of the known C# clients takes them. What else is wrong with the text stays so.
 */
function withoutTrailingCommas(text: string): string {
  let clean = "";
  let cleanTo = 0;
  /** What comes before the place, without white space: a value's last character, a bracket, a comma or a colon. */
  let before = "";
  let trailing = -1;
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at);
    if (isSpace(text.charCodeAt(at))) continue;
    if (char === '"') {
      while (++at < text.length && text[at] !== '"') if (text[at] === "\\") at++;
    } else if (char === ",") {
      trailing = before === "" || ",:[{".includes(before) ? -1 : at;
    } else if ((char === "}" || char === "]") && before === "," && trailing >= 0) {
      clean += `${text.slice(cleanTo, trailing)} `;
      cleanTo = trailing + 1;
    }
    before = char;
  }
  return clean + text.slice(cleanTo);
}

/**
 * An object's members by their names in lower case. Throws `invalid_request` when two differ in case only: readers would
 * disagree on which one counts.
 */
export function foldedMembers(object: JsonView): ReadonlyMap<string, JsonView> {
  const members = object.members();
  const folded = new Map([...members].map(([name, member]) => [name.toLowerCase(), member]));
  if (folded.size < members.size) throw new RpcError("invalid_request");
  return folded;
}
