/** Environment variables that override values of the file. Their names come from the schema. What is in lists of tables is in `environment-lists.ts`. */
import { ENV_PREFIX, envOf, sectionsOf, type Field } from "./fields.ts";
import { hintOf, nearest } from "./nearest.ts";
import type { Model } from "./model.ts";
import type { Path } from "./problem.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the file; read by whoever loads it. */
export const CONFIG_VARIABLE = "CARILLON_CONFIG";

/**
 * What Kubernetes sets in every container beside a service whose name begins with `carillon`, and Docker for a link of that name. They
 * say nothing about this server.
 */
const INJECTED_NAME =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?|ENV_\w+)$/;
/** `CARILLON_API_PORT=tcp://10.0.0.1:9000` is one as well: there is a service `carillon-api`. And `CARILLON_NAME=/this/carillon`. */
const INJECTED_VALUES = { port: /^(?:tcp|udp|sctp):\/\//, name: /^\/[^/]+\/[^/]+$/ };

export interface Override {
  readonly name: string;
  readonly path: Path;
  readonly value: unknown;
}

export interface Variable {
  readonly name: string;
  readonly text: string;
}

export interface ReadVariables {
  readonly overrides: readonly Override[];
  /** Each is a line that begins with the variable's name. */
  readonly problems: readonly string[];
}

/** Variables that are set but empty count as absent. `listed`: those that are a list of tables', to be read once the file's are known. */
export function readEnvironment(
  { schema }: Model,
  env: Environment,
): ReadVariables & { readonly listed: readonly Variable[] } {
  const variables = Object.entries(env).flatMap(([name, given]) =>
    name.startsWith(ENV_PREFIX) && name !== CONFIG_VARIABLE && given
      ? [{ name, text: given.trim() }]
      : [],
  );
  // The walk over the schema is a tenth of a start.
  if (variables.length === 0) return { overrides: [], problems: [], listed: [] };
  const known = new Map<string, Field>();
  const lists: string[] = [];
  for (const { path, fields } of sectionsOf(schema)) {
    if (path.some((part) => part.endsWith("[]"))) lists.push(envOf(path));
    else for (const field of fields) if (field.env !== undefined) known.set(field.env, field);
  }
  const overrides: Override[] = [];
  const problems: string[] = [];
  const listed: Variable[] = [];
  for (const { name, text } of variables) {
    const field = known.get(name);
    if (name.endsWith("_PORT") && INJECTED_VALUES.port.test(text)) continue;
    if (field !== undefined) {
      const value = valueOf(field, text);
      if (value === undefined) problems.push(`${name}: must be ${wantedOf(field)}`);
      else overrides.push({ name, path: field.path, value });
    } else if (lists.some((list) => name === list || name.startsWith(`${list}_`))) {
      listed.push({ name, text });
    } else if (!isInjected({ name, text })) {
      problems.push(
        `${name}: unknown variable${hintOf(meantBy(name, [...known.keys(), ...lists]))}`,
      );
    }
  }
  return { overrides, problems, listed };
}

/** Of a name that nothing here has. */
export function isInjected({ name, text }: Variable): boolean {
  return INJECTED_NAME.test(name) || (name.endsWith("_NAME") && INJECTED_VALUES.name.test(text));
}

/** What all have in common makes none nearer. */
export function meantBy(name: string, known: readonly string[]): string | undefined {
  const names = [CONFIG_VARIABLE, ...known];
  const meant = nearest(
    name.slice(ENV_PREFIX.length),
    names.map((candidate) => candidate.slice(ENV_PREFIX.length)),
  );
  return meant && ENV_PREFIX + meant;
}

/** Undefined: the text is no value of the field. */
export function valueOf(field: Pick<Field, "type" | "items">, text: string): unknown {
  switch (field.type) {
    case "boolean":
      return { true: true, "1": true, false: false, "0": false }[text.toLowerCase()];
    case "integer":
      return /^-?\d+$/.test(text) ? Number(text) : undefined;
    case "list":
      return listOf(text, (item) => valueOf({ type: field.items ?? "string" }, item));
    case "string":
    case "enum":
    case "duration":
    case "date-time":
    case "json":
    case "string or list":
      return text;
  }
}

/** Words between spaces, or a list in JSON. */
function listOf(text: string, itemOf: (word: string) => unknown): unknown {
  if (text.startsWith("[")) return jsonList(text);
  const items = text.split(/\s+/).map(itemOf);
  return items.includes(undefined) ? undefined : items;
}

export function jsonList(text: string): readonly unknown[] | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

export function wantedOf({ type, items }: Pick<Field, "type" | "items">): string {
  if (type === "boolean") return "true or false";
  if (type === "integer") return "an integer";
  return `${items === "integer" ? "integers" : "words"} between spaces, or a list in JSON`;
}
