/** What the OpenAPI document says more than once, said once: its components. */
import type { Schema } from "./openapi-schema.ts";

export interface Operation {
  readonly operationId: string;
  readonly summary: string;
  readonly security: readonly object[];
  readonly tags?: readonly string[];
  readonly parameters?: readonly Schema[];
  readonly requestBody?: Schema;
  readonly responses: Readonly<Record<string, Schema>>;
}
/** By path and method. */
export type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** Shorter than that, a reference says no less. */
const SHARED_CHARACTERS_MIN = 80;

/**
 * Schemas that have a title become components of that name; bodies and answers that stand there twice, of a name made from the first
 * operation; parameters and refusals that do, from the tag. Throws when two schemas of one title differ.
 */
export function withComponents(paths: Paths): {
  readonly paths: Paths;
  readonly components: object;
} {
  const schemas: Record<string, unknown> = {};
  const short = titled(paths, schemas) as Paths;
  const uses = new Map<string, number>();
  for (const { parameters = [], requestBody = {}, responses } of operationsOf(short)) {
    for (const value of [...parameters, requestBody, ...Object.values(responses)]) {
      const text = JSON.stringify(value);
      uses.set(text, (uses.get(text) ?? 0) + 1);
    }
  }
  const shared = {
    parameters: new Map<string, string>(),
    requestBodies: new Map<string, string>(),
    responses: new Map<string, string>(),
  };
  function share(kind: keyof typeof shared, value: Schema, name: string): Schema {
    const text = JSON.stringify(value);
    if (uses.get(text) === 1 || text.length < SHARED_CHARACTERS_MIN) return value;
    const named = shared[kind];
    const known = named.get(text) ?? freeName(name, new Set(named.values()));
    named.set(text, known);
    return { $ref: `#/components/${kind}/${known}` };
  }
  const shorter = mapOperations(short, (operation) => {
    const { operationId: id, tags = [], parameters, requestBody, responses } = operation;
    const tag = tags.join("_");
    return {
      ...operation,
      ...(parameters && {
        parameters: parameters.map((one) =>
          share("parameters", one, `${tag}_${String(one["name"])}`),
        ),
      }),
      ...(requestBody && { requestBody: share("requestBodies", requestBody, id) }),
      responses: mapValues(responses, (answer, status) =>
        share("responses", answer, `${Number(status) < 400 ? id : tag}_${status}`),
      ),
    };
  });
  const all = Object.entries(shared).map(([kind, named]) => {
    const byName = [...named].map(([text, name]) => [name, JSON.parse(text)] as const);
    return [kind, Object.fromEntries(byName)] as const;
  });
  return { paths: shorter, components: { schemas, ...Object.fromEntries(all) } };
}

export function mapOperations(paths: Paths, map: (operation: Operation) => Operation): Paths {
  return mapValues(paths, (methods) => mapValues(methods, map));
}

export function mapValues<Value, Result>(
  record: Readonly<Record<string, Value>>,
  map: (value: Value, name: string) => Result,
): Record<string, Result> {
  return Object.fromEntries(
    Object.entries(record).map(([name, value]) => [name, map(value, name)]),
  );
}

function operationsOf(paths: Paths): readonly Operation[] {
  return Object.values(paths).flatMap((methods) => Object.values(methods));
}

/** The innermost first, so that each component refers to others. */
function titled(value: unknown, schemas: Record<string, unknown>): unknown {
  if (Array.isArray(value)) return value.map((item: unknown) => titled(item, schemas));
  if (typeof value !== "object" || value === null) return value;
  const found = mapValues(value as Schema, (member, name) =>
    // An example may have any members.
    name === "example" ? member : titled(member, schemas),
  );
  const { title } = found;
  if (typeof title !== "string") return found;
  const text = JSON.stringify(found);
  if (JSON.stringify((schemas[title] ??= found)) !== text) {
    throw new Error(`Two schemas are called "${title}"`);
  }
  return { $ref: `#/components/schemas/${title}` };
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  let free = name;
  for (let number = 2; taken.has(free); number++) free = `${name}_${number}`;
  return free;
}
