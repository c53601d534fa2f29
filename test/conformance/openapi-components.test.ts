/** The OpenAPI document says what is the same once, and shows an example of each operation. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { bootEvents } from "../support/events.ts";
import { fetchOpenApi, readOpenApi } from "../support/openapi.ts";

/** It was 340,000 when every operation of four dialects said all by itself. */
const DOCUMENT_CHARACTERS_MAX = 220_000;

interface Media {
  readonly schema: object;
  readonly example?: unknown;
}
interface Body {
  readonly content?: Readonly<Record<string, Media>>;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly {
    readonly name: string;
    readonly schema: object;
    readonly example?: unknown;
  }[];
  readonly requestBody?: Body;
  readonly responses: Readonly<Record<string, Body>>;
}
interface Document {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const bootAll = () =>
  bootEvents({ config: { gusher: { enabled: true }, tasks: { enabled: true } } });

test("each operation has an example, which is as its schema says", async () => {
  await using server = await bootAll();
  const { paths } = await readOpenApi<Document>(server.apiUrl);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  let operations = 0;
  for (const [path, methods] of Object.entries(paths)) {
    for (const { operationId, parameters = [], requestBody = {}, responses } of Object.values(
      methods,
    )) {
      const media = [requestBody, ...Object.values(responses)].flatMap(({ content = {} }) =>
        Object.values(content),
      );
      const shown = [...media, ...parameters].filter((one) => "example" in one);
      expect([operationId, shown.length > 0]).toEqual([operationId, true]);
      for (const { schema, example } of shown) {
        expect([operationId, example, ajv.validate(schema, example), ajv.errors]).toEqual([
          ...[operationId, example, true, null],
        ]);
      }
      const inPath = [...path.matchAll(/\{(\w+)\}/g)].map(([, name]) => name);
      const named = parameters.filter(({ example }) => example !== undefined);
      expect(named.map(({ name }) => name)).toEqual(expect.arrayContaining(inPath));
      operations += 1;
    }
  }
  expect(operations).toBeGreaterThan(80);
});

test("what is the same is said once, and each component is used", async () => {
  await using server = await bootAll();
  const document = await fetchOpenApi(server.apiUrl);
  const text = JSON.stringify(document);
  expect(text.length).toBeLessThan(DOCUMENT_CHARACTERS_MAX);
  const { securitySchemes: _, ...components } = document["components"] as Record<string, object>;
  expect(Object.keys(components)).toEqual(["schemas", "parameters", "requestBodies", "responses"]);
  for (const [kind, named] of Object.entries(components)) {
    for (const [name, component] of Object.entries(named)) {
      expect([name, /^[\w.-]+$/.test(name)]).toEqual([name, true]);
      expect([name, text.includes(`"#/components/${kind}/${name}"`)]).toEqual([name, true]);
      const said = text.split(JSON.stringify(component)).length - 1;
      expect([name, said]).toEqual([name, 1]);
    }
  }
});
