/** Walks the schema: which keys there are, of which type, with which default and environment name. */
import { z } from "zod";

export type FieldType =
  | "string"
  | "integer"
  | "boolean"
  | "duration"
  | "date-time"
  | "json"
  | "enum"
  | "list"
  /** One text, which only a file can hold as a list. */
  | "string or list";

export interface Field {
  /** Lists of tables appear as `namespaces[]`. */
  readonly path: readonly string[];
  readonly type: FieldType;
  /** Of an enum, or of a list of enum values. */
  readonly values?: readonly string[];
  /** Of what a list holds. */
  readonly items?: FieldType;
  /** As written in a file; undefined without one. */
  readonly default: unknown;
  readonly required: boolean;
  readonly description: string;
  /** With `<NAME>` in a list's tables, for the entry's own. Absent for that name itself. */
  readonly env?: string;
}

/** What an entry of a list of tables is called by, if its tables have one of these. */
export const ENTRY_KEYS = ["name", "id"] as const;

/** One table of the file with its own keys; tables within it are sections of their own. */
export interface Section {
  readonly path: readonly string[];
  readonly description: string;
  readonly fields: readonly Field[];
  /** Of a list of tables: as written in a file. */
  readonly default?: unknown;
}

export const ENV_PREFIX = "CARILLON_";

/** `channel.namespaces[].presence` as `CARILLON_CHANNEL_NAMESPACES_<NAME>_PRESENCE`; a list itself without the name. */
export function envOf(path: readonly string[]): string {
  const words = path.map((part, index) =>
    part.endsWith("[]") ? part.slice(0, -2) + (index < path.length - 1 ? "_<name>" : "") : part,
  );
  return ENV_PREFIX + words.join("_").toUpperCase();
}

/** Sections in the order of the schema, each before those within it. */
export function sectionsOf(
  schema: z.ZodObject,
  path: readonly string[] = [],
  about: Pick<Section, "description" | "default"> = { description: "" },
): Section[] {
  const fields: Field[] = [];
  const within: Section[] = [];
  for (const [key, declared] of Object.entries(schema.shape)) {
    const { inner, fallback, optional, text } = unwrap(declared);
    const element = inner instanceof z.ZodArray ? unwrap(inner.element).inner : undefined;
    if (inner instanceof z.ZodObject) {
      within.push(...sectionsOf(inner, [...path, key], { description: text }));
    } else if (element instanceof z.ZodObject) {
      const list = { description: text, default: fallback };
      within.push(...sectionsOf(element, [...path, `${key}[]`], list));
    } else {
      const at = [...path, key];
      const names = path.at(-1)?.endsWith("[]") && ENTRY_KEYS.some((name) => name === key);
      fields.push({
        path: at,
        ...typeOf(inner),
        default: fallback,
        required: fallback === undefined && !optional,
        description: text,
        ...(names === true ? {} : { env: envOf(at) }),
      });
    }
  }
  return [{ path, ...about, fields }, ...within];
}

/** The keys of the table at `path` of a file; undefined where there is none. */
export function keysAt(
  schema: z.ZodType,
  path: readonly (string | number)[],
): readonly string[] | undefined {
  const { inner } = unwrap(schema);
  const [step, ...rest] = path;
  if (inner instanceof z.ZodArray && step !== undefined) {
    return keysAt(inner.element as z.ZodType, rest);
  }
  if (!(inner instanceof z.ZodObject)) return undefined;
  if (step === undefined) return Object.keys(inner.shape);
  const next = inner.shape[step];
  return next === undefined ? undefined : keysAt(next as z.ZodType, rest);
}

interface Unwrapped {
  readonly inner: z.ZodType;
  readonly fallback: unknown;
  readonly optional: boolean;
  readonly text: string;
}

function unwrap(declared: z.core.$ZodType): Unwrapped {
  let inner = declared as z.ZodType;
  let fallback: unknown;
  let optional = false;
  let text = "";
  for (;;) {
    text ||= inner.description ?? "";
    if (inner instanceof z.ZodDefault || inner instanceof z.ZodPrefault) {
      fallback ??= inner.def.defaultValue;
    } else if (inner instanceof z.ZodOptional || inner instanceof z.ZodExactOptional) {
      optional = true;
    } else {
      return { inner, fallback, optional, text };
    }
    inner = inner.unwrap() as z.ZodType;
  }
}

/** Types that the schema names, as their texts and values tell nothing. */
const NAMED_TYPES = ["duration", "date-time", "json", "string or list"] as const;

function typeOf(inner: z.ZodType): Pick<Field, "type" | "values" | "items"> {
  const marked = inner.meta()?.["type"];
  const named = NAMED_TYPES.find((type) => type === marked);
  if (named !== undefined) return { type: named };
  if (inner instanceof z.ZodEnum) return { type: "enum", values: inner.options.map(String) };
  if (inner instanceof z.ZodBoolean) return { type: "boolean" };
  if (inner instanceof z.ZodNumber) return { type: "integer" };
  if (inner.def.type === "string") return { type: "string" };
  if (inner instanceof z.ZodArray) {
    const { type: items, values } = typeOf(unwrap(inner.element).inner);
    return { type: "list", items, ...(values === undefined ? {} : { values }) };
  }
  throw new Error(`The schema holds a type that the walk does not know: ${inner.def.type}`);
}
