/**
 * A task's context as bytes (task-tokens.md §3.1): a string as it is, any other JSON value in its canonical form (RFC 8785).
 * Equal contexts give equal bytes, others never.
 */
import { HubError } from "../../core/errors.ts";
import type { JsonView } from "../../core/json-text.ts";
import { CONTEXT_BYTES_MAX } from "./limits.ts";

/** First bytes, which keep the kinds apart: `"1"` and `1` are different contexts. */
const STRING = "s";
const OTHER = "j";
const RANDOM = "r";

/** Bytes; or why it cannot be a context, in the words of §4.4. */
export function contextBytes(context: JsonView): Uint8Array | "empty" | "too_long" | "type" {
  const text = context.kind === "string" ? String(context.value) : undefined;
  // Every caller that forgot to fill a variable would share one task.
  if (text === "") return "empty";
  try {
    const encoded = text === undefined ? canonicalJson(context) : wellFormed(text);
    if (Buffer.byteLength(encoded) > CONTEXT_BYTES_MAX) return "too_long";
    return Buffer.from((text === undefined ? OTHER : STRING) + encoded);
  } catch (error) {
    if (error instanceof HubError) return "type";
    throw error;
  }
}

/** Of a task that no context names: unique. */
export function randomContext(random: Uint8Array): Uint8Array {
  return Buffer.concat([Buffer.from(RANDOM), random]);
}

/** RFC 8785. Throws HubError `bad_request` for what has no canonical form: half a surrogate pair, a number beyond doubles. */
export function canonicalJson(view: JsonView): string {
  switch (view.kind) {
    case "object": {
      // §3.2.3: sorted by UTF-16 code units, which is how JavaScript compares.
      const members = [...view.members()].sort(([a], [b]) => (a < b ? -1 : 1));
      const written = members.map(([name, member]) => `${quoted(name)}:${canonicalJson(member)}`);
      return `{${written.join(",")}}`;
    }
    case "array":
      return `[${view.items().map(canonicalJson).join(",")}]`;
    case "string":
      return quoted(String(view.value));
    case "number": {
      const number = Number(view.source);
      if (!Number.isFinite(number)) throw new HubError("bad_request", "A number is too large");
      // §3.2.2.3: as ECMAScript writes them.
      return String(number);
    }
    case "boolean":
    case "null":
      return view.source;
  }
}

/** §3.2.2.2: as ECMAScript writes them. */
function quoted(text: string): string {
  return JSON.stringify(wellFormed(text));
}

/** Half of a surrogate pair has no UTF-8: encoded, any two such texts would be the same. */
function wellFormed(text: string): string {
  if (text.isWellFormed()) return text;
  throw new HubError("bad_request", "A string holds half a surrogate pair");
}
