/** Environment variables that override single values of the file. Their names come from the schema. */
import { sectionsOf, type Field } from "./fields.ts";
import { nearest } from "./nearest.ts";
import { configSchema } from "./schema.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the file; read by whoever loads it. */
export const CONFIG_VARIABLE = "CARILLON_CONFIG";
const PREFIX = "CARILLON_";

interface Override {
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Variables that are set but empty count as absent. Each problem is a line that begins with the variable's name. */
export function readEnvironment(env: Environment): {
  readonly overrides: readonly Override[];
  readonly problems: readonly string[];
} {
  const known = new Map<string, Field>();
  for (const { fields } of sectionsOf(configSchema)) {
    for (const field of fields) if (field.env !== undefined) known.set(field.env, field);
  }
  const overrides: Override[] = [];
  const problems: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE || !text) continue;
    const field = known.get(name);
    if (field === undefined) {
      const meant = nearest(name, [CONFIG_VARIABLE, ...known.keys()]);
      problems.push(`${name}: unknown variable, did you mean "${meant}"?`);
      continue;
    }
    const value = valueOf(field, text.trim());
    if (value === undefined) {
      const wanted = field.type === "boolean" ? "true or false" : "an integer";
      problems.push(`${name}: must be ${wanted}`);
    } else {
      overrides.push({ name, path: field.path, value });
    }
  }
  return { overrides, problems };
}

function valueOf(field: Field, text: string): unknown {
  switch (field.type) {
    case "boolean":
      return { true: true, "1": true, false: false, "0": false }[text.toLowerCase()];
    case "integer":
      return /^-?\d+$/.test(text) ? Number(text) : undefined;
    case "string":
    case "enum":
    case "duration":
    case "date-time":
    case "json":
    case "list":
    case "string or list":
      return text;
  }
}
