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
  /** As written in a file; undefined without one. */
  readonly default: unknown;
  readonly required: boolean;
  readonly description: string;
  /** Absent in and for lists, which only a file can hold. */
  readonly env?: string;
}

/** One table of the file with its own keys; tables within it are sections of their own. */
export interface Section {
  readonly path: readonly string[];
  readonly description: string;
  readonly fields: readonly Field[];
}

const ENV_PREFIX = "CARILLON_";

/** Sections in the order of the schema, each before those within it. */
export function sectionsOf(
  schema: z.ZodObject,
  path: readonly string[] = [],
  description = "",
): Section[] {
  const fields: Field[] = [];
  const within: Section[] = [];
  for (const [key, declared] of Object.entries(schema.shape)) {
    const { inner, fallback, optional, text } = unwrap(declared);
    const element = inner instanceof z.ZodArray ? unwrap(inner.element).inner : undefined;
    if (inner instanceof z.ZodObject) {
      within.push(...sectionsOf(inner, [...path, key], text));
    } else if (element instanceof z.ZodObject) {
      within.push(...sectionsOf(element, [...path, `${key}[]`], text));
    } else {
      const at = [...path, key];
      const scalar = element === undefined && !path.some((part) => part.endsWith("[]"));
      fields.push({
        path: at,
        ...typeOf(inner),
        default: fallback,
        required: fallback === undefined && !optional,
        description: text,
        ...(scalar ? { env: ENV_PREFIX + at.join("_").toUpperCase() } : {}),
      });
    }
  }
  return [{ path, description, fields }, ...within];
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

function typeOf(inner: z.ZodType): { type: FieldType; values?: readonly string[] } {
  const marked = inner.meta()?.["type"];
  const named = NAMED_TYPES.find((type) => type === marked);
  if (named !== undefined) return { type: named };
  if (inner instanceof z.ZodEnum) return { type: "enum", values: inner.options.map(String) };
  if (inner instanceof z.ZodBoolean) return { type: "boolean" };
  if (inner instanceof z.ZodNumber) return { type: "integer" };
  if (inner.def.type === "string") return { type: "string" };
  if (inner instanceof z.ZodArray) {
    const { values } = typeOf(unwrap(inner.element).inner);
    return values === undefined ? { type: "list" } : { type: "list", values };
  }
  throw new Error(`The schema holds a type that the walk does not know: ${inner.def.type}`);
}
