/** Request parameters (§2): from a urlencoded, multipart or JSON body, or else from the query. Values are texts. */
import { HubError } from "../../core/errors.ts";
import { jsonView } from "../../core/json-text.ts";

export interface FieldsOptions {
  readonly names: readonly string[];
  /** Undefined: it is too large, which counts as none (§2). */
  readonly body: Uint8Array | undefined;
}

/** Those that were found; one that is there may be empty. */
export type Fields = ReadonlyMap<string, string>;

/**
 * The fields of these names. The body wins over the query, and of one name the first value. What cannot be read counts as
 * absent: a pair with a bad `%` escape, text that is no UTF-8 or a raw `;`, and a body of another type, or that is
 * malformed or too large.
 */
export async function readFields(
  request: Request,
  { names, body }: FieldsOptions,
): Promise<Fields> {
  const fields = new Map<string, string>();
  const text = bodyText(body);
  if (text !== undefined && text !== "") await addBodyFields(fields, { request, names, text });
  const query = request.url.indexOf("?");
  if (query >= 0) addPairs(fields, names, request.url.slice(query + 1));
  return fields;
}

interface Body {
  readonly request: Request;
  readonly names: readonly string[];
  readonly text: string;
}

async function addBodyFields(fields: Map<string, string>, body: Body): Promise<void> {
  const contentType = body.request.headers.get("content-type") ?? "";
  const [type = ""] = contentType.split(";", 1);
  switch (type.trim().toLowerCase()) {
    case "application/x-www-form-urlencoded":
      return addPairs(fields, body.names, body.text);
    // Beyond the original, which reads forms only.
    case "application/json":
      return addMembers(fields, body);
    case "multipart/form-data":
      return addParts(fields, body, contentType);
  }
}

function addPairs(fields: Map<string, string>, names: readonly string[], text: string): void {
  for (let at = 0; at < text.length;) {
    const end = text.indexOf("&", at) < 0 ? text.length : text.indexOf("&", at);
    const pair = text.slice(at, end);
    at = end + 1;
    const separator = pair.indexOf("=");
    const name = decode(separator < 0 ? pair : pair.slice(0, separator));
    if (name === undefined || !names.includes(name) || fields.has(name)) continue;
    const value = separator < 0 ? "" : decode(pair.slice(separator + 1));
    if (value !== undefined && !pair.includes(";")) fields.set(name, value);
  }
}

function decode(text: string): string | undefined {
  try {
    return decodeURIComponent(text.replaceAll("+", " "));
  } catch {
    return undefined;
  }
}

/** A string is its text, and any other value the JSON that it was sent as. `null` is absent. */
function addMembers(fields: Map<string, string>, { names, text }: Body): void {
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
  { names, text }: Body,
  contentType: string,
): Promise<void> {
  try {
    const form = await new Response(text, {
      headers: { "Content-Type": contentType },
    }).formData();
    for (const name of names) {
      const value = form.get(name);
      if (typeof value === "string") fields.set(name, value);
    }
  } catch {
    // Not in the parts that its type announces: no fields.
  }
}

const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Undefined when it is no UTF-8: read leniently, it would reach its subscribers with other characters in it. */
function bodyText(bytes: Uint8Array | undefined): string | undefined {
  try {
    return bytes && strictUtf8.decode(bytes);
  } catch {
    return undefined;
  }
}
