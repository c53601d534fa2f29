/** What the OpenAPI document says of gusher's master API is what it really answers. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { MASTER_ROUTES } from "../../../src/dialects/gusher/master/http.ts";
import { bootGusher, GRANT_A, jwt, type GusherServer } from "../../support/gusher.ts";
import { openSockets, send } from "../../support/gusher-master.ts";
import { readOpenApi } from "../../support/openapi.ts";

interface Media {
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, Media>> }>
  >;
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

/** A call of each operation that succeeds, and one that does not. */
const FIELDS: Readonly<Record<string, readonly [good: object, bad?: object]>> = {
  gusher_push: [{ data: '{"a":1}' }, {}],
  gusher_push_pattern: [{ channel_pattern: "A", event: "e", data: "x" }, { event: "e" }],
  gusher_push_batch: [{ batch_data: "[{}]" }, { batch_data: "x" }],
  gusher_push_user: [{ data: "x" }],
  gusher_push_socket: [{}],
  gusher_reload: [{ data: '["AA"]' }, { data: "{}" }],
  gusher_add: [{ data: "x" }, {}],
  gusher_take_jobs: [{ limit: "2" }, { lease: "0" }],
  gusher_finish_jobs: [{ jobs: '[{"id":"a","lease":"b"}]' }, { jobs: "[1]" }],
  gusher_decode: [{ data: jwt({ gusher: GRANT_A }) }, { data: "x" }],
};

async function document(server: GusherServer): Promise<Paths> {
  return (await readOpenApi<{ paths: Paths }>(server.apiUrl)).paths;
}

const VALUES = { app_key: "TEST", channel: "AA", event: "e", user_id: "u1", remote: "chat" };

test("every operation answers as its schemas say", async () => {
  await using server = await bootGusher();
  using sockets = await openSockets(server);
  await sockets.s1.ask("gusher.remote", { remote: "chat", uid: "q", payload: 1 }, { debug: true });
  const values: Record<string, string> = { ...VALUES, socket_id: await sockets.s1.socketId() };
  // Fields are texts.
  const ajv = new Ajv2020({ strict: false, validateFormats: false, coerceTypes: true });
  const expectValid = (id: string, schema: object | undefined, value: unknown) =>
    expect([id, value, ajv.validate(schema ?? false, value), ajv.errors]).toEqual([
      ...[id, value, true, null],
    ]);
  let called = 0;
  for (const [path, methods] of Object.entries(await document(server))) {
    if (!path.startsWith("/gusher/")) continue;
    const url =
      server.apiUrl + path.replaceAll(/\{(\w+)\}/g, (_, name: string) => values[name] ?? "");
    for (const [method, { operationId: id, requestBody, responses }] of Object.entries(methods)) {
      const [good, bad] = FIELDS[id] ?? [];
      const call = (fields?: object) =>
        send(url, { method: method.toUpperCase(), ...(fields && { fields: { ...fields } }) });
      const answer = await call(good);
      const [type, media] = Object.entries(responses["200"]?.content ?? {})[0] ?? [];
      expect([id, answer.status, answer.type?.split(";")[0]]).toEqual([id, 200, type]);
      const value: unknown = type === "application/json" ? JSON.parse(answer.body) : answer.body;
      expectValid(id, media?.schema, value);
      if (good !== undefined) {
        const form = requestBody?.content["application/x-www-form-urlencoded"]?.schema;
        expectValid(id, form, { ...good });
        const { required = [] } = form as { readonly required?: readonly string[] };
        for (const name of required) {
          const empty = { ...good, [name]: "" };
          expect([id, name, (await call(empty)).status]).toEqual([id, name, 400]);
          expect([id, name, ajv.validate(form ?? true, empty)]).toEqual([id, name, false]);
        }
      }
      if (bad !== undefined) {
        const refused = await call(bad);
        expect([id, refused.status]).toEqual([id, 400]);
        expectValid(id, responses["400"]?.content?.["text/plain"]?.schema, refused.body);
      }
      called++;
    }
  }
  expect(called).toBe(MASTER_ROUTES.length);
});

test("every route is documented", async () => {
  await using server = await bootGusher();
  const documented = Object.entries(await document(server)).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  for (const { method, path } of MASTER_ROUTES) {
    const templated = `/gusher${path.replaceAll(/:(\w+)/g, "{$1}")}`;
    expect(documented).toContain(`${method} ${templated}`);
  }
});

test("the schemas refuse a wrong answer", async () => {
  await using server = await bootGusher();
  const paths = await document(server);
  const operation = paths["/gusher/{app_key}/online/count"]?.["get"];
  const schema = operation?.responses["200"]?.content?.["application/json"]?.schema ?? true;
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const answer of [{}, { count: "1" }, { count: -1 }, { count: 1, more: 1 }, []]) {
    expect(ajv.validate(schema, answer)).toBe(false);
  }
});
