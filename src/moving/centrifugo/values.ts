/** Values as Centrifugo reads them, from a file or a variable; undefined for what is none. */
import { formatDuration } from "../../config/durations.ts";
import type { FieldType } from "../../config/fields.ts";

const NANOSECONDS = { h: 3.6e12, m: 6e10, s: 1e9, ms: 1e6, us: 1e3, µs: 1e3, μs: 1e3, ns: 1 };

/** `""` for what is neither text nor a number nor true or false. */
export function plainText(value: unknown): string {
  if (typeof value === "string") return value;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : "";
}

/** Go's `strconv.ParseBool` for text. */
export function booleanOf(value: unknown): boolean | undefined {
  if (typeof value === "boolean") return value;
  const text = plainText(value);
  if (/^(?:1|t|T|TRUE|true|True)$/.test(text)) return true;
  return /^(?:0|f|F|FALSE|false|False)$/.test(text) ? false : undefined;
}

export function integerOf(value: unknown): number | undefined {
  const number = typeof value === "string" && value.trim() !== "" ? Number(value) : value;
  return typeof number === "number" && Number.isSafeInteger(number) ? number : undefined;
}

/** Go's `time.ParseDuration`; a number counts nanoseconds. Milliseconds, in whole. */
export function durationMsOf(value: unknown): number | undefined {
  if (typeof value === "number") return Math.round(value / NANOSECONDS.ms);
  const text = plainText(value).trim();
  if (/^\d+$/.test(text)) return Math.round(Number(text) / NANOSECONDS.ms);
  const parts = /(\d+\.?\d*|\.\d+)(h|ms|m|s|us|µs|μs|ns)/g;
  if (text === "" || text.replace(parts, "") !== "") return undefined;
  let nanoseconds = 0;
  for (const [, amount, unit] of text.matchAll(parts)) {
    nanoseconds += Number(amount) * NANOSECONDS[unit as keyof typeof NANOSECONDS];
  }
  return Math.round(nanoseconds / NANOSECONDS.ms);
}

/** A variable has words between spaces. */
export function listOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(plainText);
  const text = plainText(value).trim();
  if (text.startsWith("[")) {
    try {
      return (JSON.parse(text) as unknown[]).map(plainText);
    } catch {
      return [];
    }
  }
  return text === "" ? [] : text.split(/\s+/);
}

/** For a key of this type in Carillon's file. */
export function convert(value: unknown, type: FieldType): unknown {
  switch (type) {
    case "boolean":
      return booleanOf(value);
    case "integer":
      return integerOf(value);
    case "duration": {
      const durationMs = durationMsOf(value);
      return durationMs === undefined ? undefined : formatDuration(durationMs);
    }
    case "list":
      return listOf(value);
    case "string":
    case "enum":
    case "date-time":
    case "json":
    case "string or list":
      return typeof value === "object" ? undefined : plainText(value);
  }
}

export function isOn(setting: { readonly value: unknown } | undefined): boolean {
  return setting !== undefined && booleanOf(setting.value) === true;
}

/** `""`: absent or empty. */
export function textOf(setting: { readonly value: unknown } | undefined): string {
  return plainText(setting?.value);
}
