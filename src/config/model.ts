/** The whole configuration: the tables that hold for all, and those of the dialects. */
import { z } from "zod";
import { reservedSegments } from "./apps.ts";
import type { ConfigPart } from "./part.ts";
import { redactUrls } from "./redis.ts";
import { baseOf, type BaseConfig } from "./schema.ts";

/** The configuration of a server that speaks these dialects. */
export interface Model {
  readonly schema: z.ZodObject;
  readonly parts: readonly ConfigPart[];
}

export function createModel(parts: readonly ConfigPart[]): Model {
  const base = baseOf({
    reserved: reservedSegments(parts),
    uses: parts.flatMap(({ keyUses }) => keyUses.map(({ use }) => use)),
    joiners: parts,
  });
  const sections = Object.assign({}, ...parts.map((part) => part.sections)) as z.ZodRawShape;
  return { schema: base.extend(sections), parts };
}

/** The tables of these parts, as they are parsed. */
export type SectionsOf<Part> = Part extends { readonly sections: infer Sections }
  ? { readonly [Key in keyof Sections]: z.output<Sections[Key]> }
  : never;

/** The inverse of parsing: what a file would say. `redact` hides secrets. */
export function toFile(
  { schema }: Model,
  config: BaseConfig,
  options: { readonly redact: boolean },
): object {
  const written = z.encode(schema, config as Record<string, unknown>) as Written;
  if (!options.redact) return written;
  for (const key of written.signing_keys ?? []) {
    for (const secret of ["hmac_secret", "private_key"] as const) {
      if (key[secret] !== undefined) key[secret] = REDACTED;
    }
  }
  if (written.master_key !== undefined) written.master_key = REDACTED;
  written.previous_master_keys = written.previous_master_keys?.map(() => REDACTED);
  if (written.redis?.url !== undefined) written.redis.url = redactUrls(written.redis.url);
  redactNamed(written);
  return written;
}

/** By their names, so that no table has to say so. */
function redactNamed(table: object): void {
  for (const [name, value] of Object.entries(table)) {
    if (name.endsWith("_secret") || name === "credential") {
      (table as Record<string, unknown>)[name] = REDACTED;
    } else if (Array.isArray(value)) {
      value.filter(isTable).forEach(redactNamed);
    } else if (isTable(value)) redactNamed(value);
  }
}

const REDACTED = "<redacted>";
type Written = z.input<ReturnType<typeof baseOf>>;

function isTable(value: unknown): value is object {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
