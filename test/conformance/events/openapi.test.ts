/** What the OpenAPI document says of the events API is what it really answers. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { ENDPOINTS } from "../../../src/dialects/events/http.ts";
import { API_KEY, ask, bootEvents, ORG, type EventsRequest } from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";
import { readOpenApi } from "../../support/openapi.ts";

interface Media {
  readonly schema: object;
}
interface Operation {
  readonly operationId: string;
  readonly parameters?: readonly { readonly name: string; readonly schema: object }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, Media>> };
  readonly responses: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, Media>> }>
  >;
}
type Paths = Readonly<Record<string, Readonly<Record<string, Operation>>>>;

async function documented(server: StreamingServer): Promise<Paths> {
  const { paths } = await readOpenApi<{ paths: Paths }>(server.apiUrl);
  return Object.fromEntries(Object.entries(paths).filter(([path]) => path.startsWith("/events/")));
}

const EVENT = { type: "a", organisation_id: ORG, resource: "shipments", data: { n: 1 } };
const POST = { method: "POST", headers: API_KEY };

/** Calls that succeed, and calls that do not, by endpoint. Those that switch off come last. */
const CALLS: Readonly<
  Record<string, readonly [good: readonly [string, EventsRequest][], bad: [string, EventsRequest]]>
> = {
  connection_token: [
    [
      ["?verbose=1", {}],
      ["", { method: "POST", body: { namespaces: "orders", verbose: "0" } }],
    ],
    ["?verbose=x", {}],
  ],
  subscription_token: [
    [
      ["?channel=status:a", {}],
      ["", { method: "POST", body: { channel: `shipments:${ORG}`, client: "c" } }],
    ],
    ["?channel=shipments:org_x", {}],
  ],
  status: [[["", {}]], ["", { headers: API_KEY }]],
  revoke: [
    [["", { method: "POST", body: { jti: "a", issued_before: "2026-01-05T10:00:00Z" } }]],
    ["", { method: "POST", body: { user_id: "x" } }],
  ],
  publish: [
    [
      ["", { ...POST, body: EVENT }],
      ["", { ...POST, body: { ...EVENT, id: "e", users: ["usr_1"], webhooks: false } }],
      ["", { ...POST, body: { ...EVENT, organisation_id: "org_x" } }],
    ],
    ["", { ...POST, body: { ...EVENT, type: "!" } }],
  ],
  publish_batch: [
    [["", { ...POST, body: [EVENT, { ...EVENT, id: "a b" }] }]],
    ["", { ...POST, body: {} }],
  ],
  provision: [
    [
      ["", {}],
      ["", { method: "POST", body: {} }],
      ["", { method: "DELETE" }],
    ],
    ["", { headers: { "Sec-Purpose": "prefetch" } }],
  ],
  deprovision: [
    [
      ["", {}],
      ["", { method: "POST", body: {} }],
      ["?organisation_id=org_x", { headers: API_KEY }],
    ],
    ["", { token: "" }],
  ],
};

test("every operation is documented and answers as its schemas say", async () => {
  await using server = await bootEvents();
  const paths = await documented(server);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const expectValid = (what: string, schema: object | undefined, value: unknown) =>
    expect([what, value, ajv.validate(schema ?? false, value), ajv.errors]).toEqual([
      ...[what, value, true, null],
    ]);
  const called = new Set<string>();
  for (const [name, [good, bad]] of Object.entries(CALLS)) {
    const found = Object.entries(ENDPOINTS).find(([, endpoint]) => endpoint.name === name);
    const [path = "", { status = 200 } = {}] = found ?? [];
    for (const [query, request] of [...good, bad]) {
      const operation = paths[path]?.[(request.method ?? "GET").toLowerCase()];
      called.add(operation?.operationId ?? `${request.method} ${path}`);
      const answer = await ask(server, path + query, request);
      const isGood = request !== bad[1];
      expect([name, answer.status < 400]).toEqual([name, isGood]);
      if (isGood) expect([name, answer.status]).toEqual([name, status]);
      const media = operation?.responses[`${answer.status}`]?.content?.["application/json"];
      expectValid(name, media?.schema, answer.body);
      if (!isGood) continue;
      const body = operation?.requestBody?.content["application/json"]?.schema;
      if (request.body !== undefined && name !== "publish_batch") {
        expectValid(name, body, request.body);
      }
      const names = operation?.parameters?.map((parameter) => parameter.name) ?? [];
      for (const given of new URLSearchParams(query).keys()) expect(names).toContain(given);
    }
  }
  const all = Object.values(paths).flatMap((methods) =>
    Object.values(methods).map(({ operationId }) => operationId),
  );
  expect([...called].toSorted()).toEqual(all.toSorted());
  const implemented = Object.values(ENDPOINTS).flatMap(({ methods }) => Object.keys(methods));
  expect(all).toHaveLength(implemented.length);
});

test("what the schemas say of null and of spellings is what the calls do", async () => {
  await using server = await bootEvents();
  const paths = await documented(server);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  await ask(server, "/events/provision", { method: "POST", body: {} });
  const publish = ["id", "type", "entity", "users", "timestamp", "streaming", "webhooks", "data"];
  for (const [path, request, changes] of [
    ["/events/publish", EVENT, publish.map((name) => ({ [name]: null }))],
    [
      "/events/connection_token",
      {},
      [
        ...["organisation_id", "user_id", "namespaces", "verbose"].map((name) => ({
          [name]: null,
        })),
        ...["1", "true", 1, true, "0", "false", 0, false, "", 2, [1], ["1"], {}].map((verbose) => ({
          verbose,
        })),
        ...[[], ["orders"], "orders", "", [1], {}, 1].map((namespaces) => ({ namespaces })),
        ...["", "org_", "org_!", 1].map((organisation_id) => ({ organisation_id })),
      ],
    ],
  ] as const) {
    const schema = paths[path]?.["post"]?.requestBody?.content["application/json"]?.schema;
    for (const change of changes) {
      const body = { ...request, ...change };
      const headers = path === "/events/publish" ? API_KEY : {};
      const { status, text } = await ask(server, path, { method: "POST", body, headers });
      expect([body, text, ajv.validate(schema ?? false, body)]).toEqual([body, text, status < 400]);
    }
  }
});

test("the schemas refuse what is wrong", async () => {
  await using server = await bootEvents();
  const paths = await documented(server);
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  const publish = paths["/events/publish"]?.["post"];
  const event = publish?.requestBody?.content["application/json"]?.schema ?? true;
  for (const change of [{ type: "a..b" }, { data: [] }, { users: [] }, { entity: "a b" }]) {
    expect(ajv.validate(event, { ...EVENT, ...change })).toBe(false);
  }
  const { type: _, ...untyped } = EVENT;
  expect(ajv.validate(event, untyped)).toBe(false);
  const token = paths["/events/connection_token"]?.["get"]?.responses["200"]?.content;
  const answer = token?.["application/json"]?.schema ?? true;
  for (const wrong of [{}, { token: 1 }, { token: "a", more: 1 }]) {
    expect(ajv.validate(answer, wrong)).toBe(false);
  }
});
