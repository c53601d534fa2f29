/** JSON Schemas of the OpenAPI document, from those that validate. */
import { z } from "zod";

export type Schema = Readonly<Record<string, unknown>>;

export const TEXT = { type: "string" };
export const TEXTS = { type: "array", items: TEXT };
export const COUNT = { type: "integer", minimum: 0 };

/** With these members and no others. */
export function object(
  required: Readonly<Record<string, Schema>>,
  optional: Readonly<Record<string, Schema>> = {},
): Schema {
  return {
    type: "object",
    required: Object.keys(required),
    properties: { ...required, ...optional },
    additionalProperties: false,
  };
}

export const jsonContent = (schema: Schema) => ({ "application/json": { schema } });

export function schemaOf(schema: z.ZodType, io: "input" | "output"): Schema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, {
    io,
    unrepresentable: "any",
    // That our own code does not write to it says nothing to whoever reads the document.
    override: ({ jsonSchema }) => void delete jsonSchema.readOnly,
  });
  return rest;
}

/** The schema of an object of which `null` members count as absent. */
export function withNulls(schema: Schema): Schema {
  const { properties = {}, required = [] } = schema as {
    readonly properties?: Readonly<Record<string, Schema>>;
    readonly required?: readonly string[];
  };
  const members = Object.entries(properties).map(([name, member]) => [
    name,
    required.includes(name) ? member : orNull(member),
  ]);
  return { ...schema, properties: Object.fromEntries(members) as object };
}

function orNull(schema: Schema): Schema {
  const { type, enum: values } = schema;
  // Without a type it takes `null` already, or says itself what else it takes.
  if (typeof type !== "string") return schema;
  return {
    ...schema,
    type: [type, "null"],
    ...(Array.isArray(values) ? { enum: [...(values as unknown[]), null] } : {}),
  };
}
