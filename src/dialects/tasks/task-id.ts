/**
 * Task ids (task-tokens.md §3.1): the same context gives the same id for ever, and a genuine id is known without a store. A context
 * is bytes: a string as it is, any other JSON value in its canonical form (RFC 8785). Equal contexts give equal bytes, others never.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import { HubError } from "../../core/errors.ts";
import type { JsonView } from "../../core/json-text.ts";
import { CONTEXT_BYTES_MAX } from "./limits.ts";

export interface TaskIds {
  /** 80 lower-case hexadecimal digits. `context` is what `contextBytes` makes of a task's context. */
  of(context: Uint8Array): string;
  /** The id in lower case when this server made it for this app; undefined for anything else. */
  genuine(id: string): string | undefined;
}

/** What the app's id key is derived for. */
export const idPurpose = (publicId: string): string => `envoy.task-id.v1|${publicId}`;

const HASH_BYTES = 32;
const TAG_BYTES = 8;
const TAG_PREFIX = "t";
const ID = /^[0-9a-fA-F]{80}$/;

/** `key`: the app's own, for all time; API secrets rotate, ids must not. */
export function createTaskIds(key: Uint8Array): TaskIds {
  const hmac = (...parts: readonly (Uint8Array | string)[]) => {
    const made = createHmac("sha256", key);
    for (const part of parts) made.update(part);
    return made.digest();
  };
  const tagOf = (hash: Uint8Array) => hmac(TAG_PREFIX, hash).subarray(0, TAG_BYTES);
  return {
    of(context) {
      const hash = hmac(context);
      return hash.toString("hex") + tagOf(hash).toString("hex");
    },
    genuine(id) {
      if (!ID.test(id)) return undefined;
      const bytes = Buffer.from(id, "hex");
      const tag = tagOf(bytes.subarray(0, HASH_BYTES));
      return timingSafeEqual(tag, bytes.subarray(HASH_BYTES)) ? id.toLowerCase() : undefined;
    },
  };
}

/** First bytes, which keep the kinds apart: `"1"` and `1` are different contexts. */
const STRING = "s";
const OTHER = "j";
const RANDOM = "r";

/** What a caller is told of a context that is refused by its type. */
export const CONTEXT_RULE =
  "A context has no number that a double cannot hold digit for digit, no -0, no repeated member name and no half of a surrogate pair: send such values as strings.";

/** Bytes; or why it cannot be a context, in the words of §4.4; `type` is for `CONTEXT_RULE`. */
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

/**
 * RFC 8785. Throws HubError `bad_request` where two different values would have one form, or one has none: a number that no
 * double holds digit for digit, `-0`, two members of one name, half a surrogate pair.
 */
export function canonicalJson(view: JsonView): string {
  switch (view.kind) {
    case "object": {
      // §3.2.3: sorted by UTF-16 code units, which is how JavaScript compares.
      const members = view.entries().toSorted(([a], [b]) => (a < b ? -1 : 1));
      if (members.some(([name], index) => name === members[index + 1]?.[0])) {
        throw new HubError("bad_request", "Two members have one name");
      }
      const written = members.map(([name, member]) => `${quoted(name)}:${canonicalJson(member)}`);
      return `{${written.join(",")}}`;
    }
    case "array":
      return `[${view.items().map(canonicalJson).join(",")}]`;
    case "string":
      return quoted(String(view.value));
    case "number": {
      // §3.2.2.3: as ECMAScript writes them.
      const text = String(Number(view.source));
      if (decimal(text) === decimal(view.source)) return text;
      throw new HubError("bad_request", "A number does not fit a double");
    }
    case "boolean":
    case "null":
      return view.source;
  }
}

/** The same for all ways to write one number, and for no two numbers. What is not a number comes back as it is. */
function decimal(text: string): string {
  const parts = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]?\d+))?$/i.exec(text);
  if (parts === null) return text;
  const [, sign = "", whole = "", fraction = "", exponent = "0"] = parts;
  const digits = (whole + fraction).replace(/^0+/, "");
  let end = digits.length;
  while (digits[end - 1] === "0") end--;
  const power = Number(exponent) - fraction.length + digits.length - end;
  return end === 0 ? `${sign}0` : `${sign}${digits.slice(0, end)}e${power}`;
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
