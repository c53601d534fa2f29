/** Environment variables that override single values of the file. Their names come from the schema. */
import { sectionsOf, type Field } from "./fields.ts";
import { hintOf, nearest } from "./nearest.ts";
import type { Model } from "./model.ts";

export type Environment = Readonly<Record<string, string | undefined>>;

/** Names the file; read by whoever loads it. */
export const CONFIG_VARIABLE = "CARILLON_CONFIG";
const PREFIX = "CARILLON_";

/**
 * What Kubernetes sets in every container beside a service whose name begins with `carillon`, and Docker for a link of that name. They
 * say nothing about this server.
 */
const INJECTED_NAME =
  /_(?:SERVICE_HOST|SERVICE_PORT(?:_\w+)?|PORT_\d+_(?:TCP|UDP|SCTP)(?:_\w+)?|ENV_\w+)$/;
/** `CARILLON_API_PORT=tcp://10.0.0.1:9000` is one as well: there is a service `carillon-api`. And `CARILLON_NAME=/this/carillon`. */
const INJECTED_VALUES = { port: /^(?:tcp|udp|sctp):\/\//, name: /^\/[^/]+\/[^/]+$/ };

interface Override {
  readonly name: string;
  readonly path: readonly string[];
  readonly value: unknown;
}

/** Variables that are set but empty count as absent. Each problem is a line that begins with the variable's name. */
export function readEnvironment(
  { schema }: Model,
  env: Environment,
): {
  readonly overrides: readonly Override[];
  readonly problems: readonly string[];
} {
  const known = new Map<string, Field>();
  for (const { fields } of sectionsOf(schema)) {
    for (const field of fields) if (field.env !== undefined) known.set(field.env, field);
  }
  const overrides: Override[] = [];
  const problems: string[] = [];
  for (const [name, text] of Object.entries(env)) {
    if (!name.startsWith(PREFIX) || name === CONFIG_VARIABLE || !text) continue;
    const field = known.get(name);
    if (isInjected(name, text, field)) continue;
    if (field === undefined) {
      problems.push(`${name}: unknown variable${hintOf(meantBy(name, known))}`);
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

function isInjected(name: string, text: string, field: Field | undefined): boolean {
  if (name.endsWith("_PORT") && INJECTED_VALUES.port.test(text)) return true;
  if (field !== undefined) return false;
  return INJECTED_NAME.test(name) || (name.endsWith("_NAME") && INJECTED_VALUES.name.test(text));
}

/** What all have in common makes none nearer. */
function meantBy(name: string, known: ReadonlyMap<string, Field>): string | undefined {
  const names = [CONFIG_VARIABLE, ...known.keys()];
  const meant = nearest(
    name.slice(PREFIX.length),
    names.map((candidate) => candidate.slice(PREFIX.length)),
  );
  return meant && PREFIX + meant;
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
