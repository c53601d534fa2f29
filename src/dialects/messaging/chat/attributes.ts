/** Attributes as text: merged without being parsed, so that numbers stay as their sender wrote them. */
import { compactJson, jsonView, type CompactJson } from "../../../core/json-text.ts";
import { Refusal } from "../errors.ts";
import { ATTRIBUTES_KEYS_MAX, type ChatSettings } from "./settings.ts";

export const NO_ATTRIBUTES = compactJson("{}");

/** G11: a shallow merge, in which null deletes. */
export function mergeAttributes(present: CompactJson, changes: CompactJson): CompactJson {
  const merged = new Map(jsonView(present).members());
  for (const [name, value] of jsonView(changes).members()) {
    if (value.kind === "null") merged.delete(name);
    else merged.set(name, value);
  }
  const members = [...merged].map(([name, value]) => `${JSON.stringify(name)}:${value.json}`);
  return compactJson(`{${members.join(",")}}`);
}

/** Throws `Refusal` `too-large`. */
export function requireSmall(attributes: CompactJson, settings: ChatSettings): void {
  // Most messages have no attributes, and checking them costs as much as all other checks.
  if (attributes === NO_ATTRIBUTES) return;
  const { attributes_size_limit: bytes } = settings;
  if (Buffer.byteLength(attributes) > bytes) {
    throw tooLarge(`Attributes have more than ${bytes} bytes`);
  }
  if (jsonView(attributes).members().size > ATTRIBUTES_KEYS_MAX) {
    throw tooLarge(`Attributes have more than ${ATTRIBUTES_KEYS_MAX} members`);
  }
}

function tooLarge(reason: string): Refusal {
  return new Refusal("too-large", reason, { field: "attributes" });
}
