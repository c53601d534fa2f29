/** Examples for the OpenAPI document, made from its schemas and from values by their members' names. */
import { mapValues, type Operation } from "./openapi-components.ts";
import type { Schema } from "./openapi-schema.ts";

/** Values by name of a member or parameter; `Title.name`: of a member of the schema of that title. */
export type Examples = Readonly<Record<string, unknown>>;

const TIME = "2026-01-05T10:00:00.000Z";

/** Shows what is sent, or, where that is nothing, what is answered; and whatever stands in the path. */
export function withExamples(operation: Operation, examples: Examples): Operation {
  const { parameters, requestBody, responses } = operation;
  const shown = (body: Schema): Schema => ({
    ...body,
    ...(body["content"] === undefined
      ? {}
      : {
          content: mapValues(body["content"] as Record<string, { schema: Schema }>, (media) => ({
            ...media,
            example: exampleOf(media.schema, examples),
          })),
        }),
  });
  return {
    ...operation,
    ...(parameters && {
      parameters: parameters.map((parameter) =>
        parameter["required"] === true
          ? { example: examples[String(parameter["name"])], ...parameter }
          : parameter,
      ),
    }),
    ...(requestBody && { requestBody: shown(requestBody) }),
    responses: mapValues(responses, (answer, status) =>
      requestBody === undefined && Number(status) < 400 ? shown(answer) : answer,
    ),
  };
}

/** Of an object the members that it must have, and those that have a value. */
function exampleOf(schema: Schema, examples: Examples, name = ""): unknown {
  const { const: constant, enum: values, anyOf, oneOf, title, format } = schema;
  if (Array.isArray(schema["examples"])) return schema["examples"][0] as unknown;
  if (constant !== undefined) return constant;
  if (Array.isArray(values)) return values[0] as unknown;
  const known = examples[name];
  const type = [schema["type"]].flat()[0];
  if (known !== undefined && (type === undefined || type === typeOf(known))) return known;
  const [first] = [anyOf ?? oneOf].flat() as (Schema | undefined)[];
  if (first !== undefined) return exampleOf(first, examples, name);
  if (schema["default"] !== undefined) return schema["default"];
  switch (type) {
    case "object": {
      const { properties = {}, required = [] } = schema as {
        readonly properties?: Readonly<Record<string, Schema>>;
        readonly required?: readonly string[];
      };
      const members = Object.entries(properties).flatMap(([member, of]) => {
        const full = `${String(title)}.${member}`;
        const by = full in examples ? full : member;
        const wanted = required.includes(member) || by in examples;
        return wanted ? [[member, exampleOf(of, examples, by)]] : [];
      });
      return Object.fromEntries(members) as unknown;
    }
    case "array":
      return [exampleOf((schema["items"] ?? {}) as Schema, examples)];
    case "string":
      return format === "date-time" ? TIME : "text";
    case "boolean":
      return true;
    case "null":
      return null;
    default:
      return schema["minimum"] ?? 0;
  }
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
}
