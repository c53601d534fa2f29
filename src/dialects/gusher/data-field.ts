/** What a `data` field means (§5.8): JSON where it is JSON, and text where it is not. */
import { HubError } from "../../core/errors.ts";
import { compactJson } from "../../core/json-text.ts";

/** Text without it has no number that a float64 cannot hold: those have an exponent or more than 308 digits. */
const LARGE_NUMBER = /\d[eE]\+?\d|(?<!\d)\d{309}/;

/** The field as compact JSON text. A complete document is that value as it was written; anything else is a string of the text. */
export function jsonOfField(text: string): string {
  const json = documentOf(text);
  // D11: it would be a value that JSON does not have, to receivers that read it as a number.
  const kept = json !== undefined && !(LARGE_NUMBER.test(json) && hasInfinity(JSON.parse(json)));
  return kept ? json : JSON.stringify(text);
}

function documentOf(text: string): string | undefined {
  try {
    return compactJson(text);
  } catch (error) {
    if (error instanceof HubError) return undefined;
    throw error;
  }
}

function hasInfinity(document: unknown): boolean {
  const values = [document];
  while (values.length > 0) {
    const value = values.pop();
    if (value === Infinity || value === -Infinity) return true;
    if (typeof value === "object" && value !== null) {
      for (const inner of Object.values(value)) values.push(inner);
    }
  }
  return false;
}
