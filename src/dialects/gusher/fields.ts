/** Request parameters (§2): from a urlencoded, multipart or JSON body, or else from the query. Values are texts. */
import { HubError } from "../../core/errors.ts";
import { compactJson, jsonOf, jsonView, type CompactJson } from "../../core/json-text.ts";
import type { Slices } from "../../core/slices.ts";
import type { RequestHead } from "../../transports/api-call.ts";
import { decodeForm, LONG_STEP } from "./form-text.ts";

export interface FieldsOptions {
  readonly names: readonly string[];
  /** Undefined: it counts as none. */
  readonly body: Uint8Array | undefined;
  /** In which a large form is read. Absent: in one go. */
  readonly slices?: Slices;
}

/** Bytes of a form that is read in one go: it takes a millisecond at the most. */
const WHOLE_FORM_BYTES_MAX = 65_536;

/** Those that were found; one that is there may be empty. */
export type Fields = ReadonlyMap<string, string>;

/**
 * The fields of these names. The body wins over the query, and of one name the first value. What cannot be read counts as
 * absent: a pair with a bad `%` escape, text that is not UTF-8 or a raw `;`, and a body of another type, or that is
 * malformed or too large.
 */
export async function readFields(request: RequestHead, options: FieldsOptions): Promise<Fields> {
  const { names, body, slices } = options;
  const fields = new Map<string, string>();
  if (body !== undefined && body.length > 0)
    await addBodyFields(fields, request, { ...options, body });
  const query = request.url.indexOf("?");
  if (query >= 0) {
    const pairs = addPairs(fields, names, Buffer.from(request.url.slice(query + 1)));
    await finish(pairs, request.url.length, slices);
  }
  return fields;
}

/** Of a request's media type, in lower case and without parameters. */
export function isForm(request: RequestHead): boolean {
  return typeOf(request) === "application/x-www-form-urlencoded";
}

function typeOf({ headers }: RequestHead): string {
  const [type = ""] = (headers.get("content-type") ?? "").split(";", 1);
  return type.trim().toLowerCase();
}

async function addBodyFields(
  fields: Map<string, string>,
  request: RequestHead,
  { names, body, slices }: FieldsOptions & { readonly body: Uint8Array },
): Promise<void> {
  if (isForm(request)) return finish(addPairs(fields, names, body), body.length, slices);
  const text = textOf(body);
  if (text === undefined) return;
  const type = typeOf(request);
  // Beyond the original, which reads forms only.
  if (type === "application/json") addMembers(fields, names, text);
  else if (type === "multipart/form-data") await addParts(fields, names, text, request);
}

/** Runs what pauses: in slices when it is about many bytes. */
async function finish(
  running: Generator<typeof LONG_STEP | void>,
  bytes: number,
  slices: Slices | undefined,
): Promise<void> {
  const inSlices = bytes > WHOLE_FORM_BYTES_MAX ? slices : undefined;
  for (const step of running) {
    if (step === LONG_STEP) inSlices?.end();
    if (inSlices?.isOver === true) await inSlices.turn();
  }
}

const AMPERSAND = 0x26;
const SEMICOLON = 0x3b;
const EQUALS = 0x3d;

/** Bytes of pairs between two pauses. */
const PAIRS_STEP_BYTES = 4096;

/** Pauses between pairs, and within long ones. */
function* addPairs(
  fields: Map<string, string>,
  names: readonly string[],
  bytes: Uint8Array,
): Generator<typeof LONG_STEP | void> {
  const nameBytesMin = Math.min(...names.map((name) => name.length));
  // Each character of a name may be an escape.
  const nameBytesMax = 3 * Math.max(...names.map((name) => name.length));
  let pauseAt = PAIRS_STEP_BYTES;
  for (let start = 0, end = 0; start < bytes.length; start = end + 1) {
    if (start >= pauseAt) {
      yield;
      pauseAt = start + PAIRS_STEP_BYTES;
    }
    end = bytes.indexOf(AMPERSAND, start);
    if (end < 0) end = bytes.length;
    let nameEnd = start;
    while (nameEnd < end && bytes[nameEnd] !== EQUALS && nameEnd - start <= nameBytesMax) nameEnd++;
    if (nameEnd - start < nameBytesMin || nameEnd - start > nameBytesMax) continue;
    const name = yield* decodeForm(bytes.subarray(start, nameEnd));
    if (name === undefined || !names.includes(name) || fields.has(name)) continue;
    const sent = bytes.subarray(Math.min(nameEnd + 1, end), end);
    const value = sent.includes(SEMICOLON) ? undefined : yield* decodeForm(sent);
    if (value !== undefined) fields.set(name, value);
  }
}

/** A string is its text, and any other value the JSON that it was sent as. `null` is absent. */
function addMembers(fields: Map<string, string>, names: readonly string[], text: string): void {
  try {
    const members = jsonView(text).members();
    for (const name of names) {
      const member = members.get(name);
      if (member === undefined || member.kind === "null") continue;
      fields.set(name, member.kind === "string" ? String(member.value) : member.source);
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
}

async function addParts(
  fields: Map<string, string>,
  names: readonly string[],
  text: string,
  { headers }: RequestHead,
): Promise<void> {
  try {
    const type = { "Content-Type": headers.get("content-type") ?? "" };
    const form = await new Response(text, { headers: type }).formData();
    for (const name of names) {
      const value = form.get(name);
      if (typeof value === "string") fields.set(name, value);
    }
  } catch {
    // Not in the parts that its type announces: no fields.
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined when it is not UTF-8: read leniently, it would reach its subscribers with other characters in it. */
function textOf(bytes: Uint8Array): string | undefined {
  try {
    return strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}

/** A `data` field (§5.8) as compact JSON text. A complete document is that value as it was written; anything else, such as `1e400` (D11), is a string of the text. */
export function jsonOfField(text: string): CompactJson {
  try {
    return compactJson(text);
  } catch (error) {
    if (error instanceof HubError) return jsonOf(text);
    throw error;
  }
}
