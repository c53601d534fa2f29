/** The admin API's part of the OpenAPI document: every call is there with an example, and answers as its schema says. */
import { expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { adminClient, type AdminRequest } from "../../support/admin.ts";
import { ORG } from "../../support/events.ts";
import { subscribe } from "../../support/messaging-auth.ts";
import { readOpenApi } from "../../support/openapi.ts";
import { bootServer } from "../../support/server.ts";
import { issueToken } from "../../support/tasks-rpc.ts";

interface Media {
  readonly schema: object;
  readonly example?: unknown;
}
interface Operation {
  readonly summary: string;
  readonly parameters: readonly { readonly name: string; readonly required?: boolean }[];
  readonly requestBody?: { readonly content: { readonly "application/json": Media } };
  readonly responses: Readonly<
    Record<string, { readonly content: { readonly "application/json": Media } }>
  >;
}

test("every call answers as the document says, which has an example of each", async () => {
  await using server = await bootServer();
  const { taskId } = await issueToken(server);
  await subscribe(server, "12025550101");
  const made = await fetch(`${server.apiUrl}/organisations/${ORG}/webhooks/endpoints`, {
    method: "POST",
    headers: { "X-API-Key": "dev-api-key", "Content-Type": "application/json" },
    body: JSON.stringify({ url: "http://127.0.0.1:60009/" }),
  });
  const { id: endpoint } = (await made.json()) as { id: string };
  const of = { organisation: ORG, endpoint };
  const calls: readonly [path: string, request: AdminRequest][] = [
    ...["server", "nodes", "channels", "connections", "refusals", "tasks"].map(
      (path): [string, AdminRequest] => [path, {}],
    ),
    ["push", { body: { channel: "public:a", data: 1 } }],
    ["channels/presence", { query: { channel: "public:a" } }],
    ["channels/history", { query: { channel: "public:a" } }],
    ["kick", { body: { user: "nobody" } }],
    ["tasks/task", { query: { task: taskId } }],
    ["events/organisations", {}],
    ["webhooks/endpoints", {}],
    ["webhooks/attempts", { query: of }],
    ["webhooks/dead-letters", { query: of }],
    ["webhooks/dead-letters/replay", { body: of }],
    ["messaging/subscribers", {}],
    ["messaging/tokens", { query: { subscriber: "12025550101" } }],
  ];
  const admin = await adminClient(server);
  for (const [path, request] of calls) {
    const { status, text } = await admin(path, request);
    expect([path, status, text]).toEqual([path, 200, text]);
    if (path !== "webhooks/dead-letters/replay") continue;
    const { id: task } = JSON.parse(text) as { id: string };
    const answer = await admin("webhooks/task", { query: { organisation: ORG, task } });
    expect(answer.status).toBe(200);
  }
  const { paths } = await readOpenApi<{ paths: Record<string, Record<string, Operation>> }>(
    server.apiUrl,
  );
  const documented = Object.keys(paths).filter((path) => path.startsWith("/admin/api/"));
  expect([...admin.answered].map((path) => `/admin/api/${path}`).toSorted()).toEqual(
    documented.toSorted(),
  );
  const ajv = new Ajv2020({ strict: false, validateFormats: false });
  for (const path of documented) {
    for (const operation of Object.values(paths[path] ?? {})) {
      const media = operation.requestBody ?? operation.responses["200"];
      const { schema = false, example } = media?.content["application/json"] ?? {};
      expect([path, ajv.validate(schema, example), ajv.errors]).toEqual([path, true, null]);
      for (const parameter of operation.parameters) {
        if (parameter.required === true) {
          expect([path, parameter]).toEqual([
            path,
            expect.objectContaining({ example: expect.any(String) }),
          ]);
        }
      }
    }
  }
});
