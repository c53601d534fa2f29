/** What a `data` field means (§5.8): JSON where it is JSON, and text where it is not. */
import { HubError } from "../../core/errors.ts";
import { compactJson } from "../../core/json-text.ts";

/** The field as compact JSON text. A complete document is that value as it was written; anything else, such as `1e400` (D11), is a string of the text. */
export function jsonOfField(text: string): string {
  try {
    return compactJson(text);
  } catch (error) {
    if (error instanceof HubError) return JSON.stringify(text);
    throw error;
  }
}
