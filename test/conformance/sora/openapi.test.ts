/** What the OpenAPI document says of Sora's API is what it really answers. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { soraOpenApi } from "../../../src/dialects/sora/openapi.ts";
import { OPERATIONS } from "../../../src/dialects/sora/operations.ts";
import { readOpenApi } from "../../support/openapi.ts";
import { bootSora, connectSora } from "../../support/sora.ts";

interface Media {
  readonly content: { readonly "application/json": { readonly schema: object } };
}
interface Document {
  readonly paths: {
    readonly "/": {
      readonly post: {
        readonly parameters: readonly { readonly schema: { readonly enum: readonly string[] } }[];
        readonly requestBody: Media;
        readonly responses: Readonly<Record<string, Media>>;
      };
    };
  };
}

test("every operation takes and answers what its schemas say", async () => {
  await using server = await bootSora();
  const { post } = (await readOpenApi<Document>(server.apiUrl)).paths["/"];
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const schema = (media: Media | undefined) => media?.content["application/json"].schema ?? false;
  const targets = post.parameters[0]?.schema.enum ?? [];
  expect(targets).toHaveLength(Object.keys(OPERATIONS).length);
  // Disconnects come last.
  for (const target of targets.toSorted((one) => (one.includes("Disconnect") ? 1 : -1))) {
    using client = await connectSora(server, { client_id: "u1", audio: { codec_type: "OPUS" } });
    const values = { channel_id: "sora", client_id: "u1", connection_id: client.id };
    const all: Record<string, unknown> = { ...values, role: "recvonly", data: { a: 1 } };
    const { keys } = OPERATIONS[target.slice("Sora_".length)] ?? { keys: [] };
    const body = Object.fromEntries(keys.map((key) => [key, all[key]]));
    if (keys.length > 0)
      expect([target, ajv.validate(schema(post.requestBody), body)]).toEqual([target, true]);
    const answer = await server.call(target, keys.length === 0 ? undefined : body);
    expect([target, answer.status]).toEqual([target, 200]);
    expect([target, ajv.validate(schema(post.responses["200"]), answer.json)]).toEqual([
      target,
      true,
    ]);
    for (const key of keys) {
      const { [key]: _, ...rest } = body;
      const refused = await server.call(target, rest);
      expect([target, key, refused.status]).toEqual([target, key, 400]);
      expect(ajv.validate(schema(post.responses["400"]), refused.json)).toBe(true);
    }
  }
});

test("the schemas refuse a wrong answer", async () => {
  await using server = await bootSora();
  const { post } = (await readOpenApi<Document>(server.apiUrl)).paths["/"];
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const schema = post.responses["200"]?.content["application/json"].schema ?? true;
  for (const answer of [
    {},
    { data: 1, type: "push" },
    { data: {}, type: "x" },
    [{ channel_id: 1 }],
  ]) {
    expect(ajv.validate(schema, answer)).toBe(false);
  }
});

test("its part says what it has to in 5,000 characters", () => {
  expect(JSON.stringify(soraOpenApi()).length).toBeLessThan(5000);
});
