/** What the OpenAPI document says of the webhook API is what it really answers, at both places where it is mounted. */
import { developmentFile } from "../../../src/dialects/configuration.ts";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";

import { WEBHOOK_ROUTES } from "../../../src/dialects/events/webhook-api/routes.ts";
import { access, bootEvents, codeOf, publish, type Json } from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";
import { startReceiver, status, type Receiver } from "../../support/webhook-receiver.ts";
import {
  ajv,
  MOUNTS,
  readDocument,
  schemaOf,
  type Call,
  type Documented,
  type DocumentedWebhooks,
  type Mount,
} from "../../support/webhook-document.ts";

const NO_ORGANISATION = "org_2iFmwXASMpS3l4IZsauPs8I1eOx";
const SINCE = "2020-01-01T00:00:00Z";
const UNKNOWN = { id: "none", endpoint_id: "none" };

let server: StreamingServer;
let receiver: Receiver;
let webhooks: DocumentedWebhooks;

beforeAll(async () => {
  const sources = { source_addresses: ["192.0.2.1"] };
  server = await bootEvents({
    config: { webhooks: { ...developmentFile().webhooks, ...sources } },
  });
  receiver = await startReceiver();
  webhooks = await readDocument(server);
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

const done = (mount: Mount, id: string, call: Call = {}) => webhooks.done(mount, id, call);

/** Of a list that is not empty. */
async function rows(mount: Mount, id: string, call: Call = {}): Promise<readonly Json[]> {
  const { data } = await done(mount, id, call);
  expect([id, (data as Json[]).length > 0]).toEqual([id, true]);
  return data as Json[];
}

/** Once the message's only delivery has this status. */
async function settled(mount: Mount, id: string, state: string): Promise<void> {
  for (;;) {
    const { deliveries } = await done(mount, "get_message", { path: { id } });
    if ((deliveries as Json[])[0]?.["status"] === state) return;
  }
}

/** What any such operation refuses, by code. */
function refusalsOf({ path, parameters, requestBody }: Documented) {
  const has = (name: string) => parameters.some((parameter) => parameter.name === name);
  const as = (claims: Json): Call => ({ token: access(server, claims) });
  const elsewhere = { path: { ...UNKNOWN, organisation_id: NO_ORGANISATION } };
  const json = { "Content-Type": "application/json" };
  const refusals: [code: string, call: Call][] = [
    ["authentication_required", { token: "" }],
    ["invalid_token", { token: "x" }],
    ["insufficient_scope", as({ scope: "shipments:read" })],
    ["organisation_required", as({ org_id: undefined })],
    ["organisation_not_provisioned", { ...as({ org_id: NO_ORGANISATION }), ...elsewhere }],
  ];
  if (requestBody !== undefined) {
    const text = { body: "{}", headers: { "Content-Type": "text/plain" } };
    refusals.push(["invalid_request", { body: "{", headers: json }]);
    refusals.push(["unsupported_media_type", text]);
    refusals.push(["payload_too_large", { body: " ".repeat(65_537), headers: json }]);
  } else if (path.includes("{id}")) {
    refusals.push(["not_found", {}]);
  }
  if (has("limit")) refusals.push(["invalid_request", { query: { limit: "0" } }]);
  if (has("since")) refusals.push(["invalid_request", { query: { since: "now" } }]);
  if (has("Idempotency-Key")) {
    const headers = { "Idempotency-Key": "x".repeat(257) };
    refusals.push(["invalid_request", { headers }]);
  }
  return refusals;
}

describe.each(MOUNTS)("at $under", (mount) => {
  test("every operation answers as its schemas say", async () => {
    const endpoint = await done(mount, "create_endpoint", {
      headers: { "Idempotency-Key": `${mount.prefix}-1` },
      body: {
        ...{ url: receiver.url, description: "warehouse", event_types: ["shipment.*"] },
        ...{ channels: ["shipments"], headers: { "X-Tenant": "42" }, rate_limit: 20 },
        ...{ ordered: true, retry_schedule_s: [], metadata: { team: "ops" }, secret: null },
      },
    });
    const id = String(endpoint["id"]);
    const path = { id };
    await rows(mount, "list_endpoints", { query: { limit: "1" } });
    await done(mount, "get_endpoint", { path });
    await done(mount, "change_endpoint", { path, body: { ordered: true, channels: null } });
    await done(mount, "rotate_secret", { path, body: { grace_period_s: 60 } });
    expect(await done(mount, "get_secret", { path })).toMatchObject({
      previous: [{ expires_at: expect.any(String) }],
    });

    receiver.answer = status(500, {}, "busy");
    const published = await publish(server, {});
    const message = String((published["webhooks"] as Json)["message_id"]);
    const ofMessage = { path: { id: message } };
    await settled(mount, message, "failed");
    const kind = { event_type: "shipment.updated", since: SINCE };
    await rows(mount, "list_messages", { query: { ...kind, channel: "shipments", limit: "250" } });
    await rows(mount, "list_message_attempts", ofMessage);
    const failed = { status: "failed", status_class: "5xx" };
    await rows(mount, "list_endpoint_attempts", { path, query: failed });
    await done(mount, "get_stats", { path, query: { since: SINCE } });
    const letters = { query: { ...kind, endpoint_id: id } };
    const [letter] = await rows(mount, "list_dead_letters", letters);

    receiver.answer = status(204);
    const recent = { since: new Date((server.seconds() - 3600) * 1000).toISOString() };
    const task = await done(mount, "recover", { path, body: recent });
    await settled(mount, message, "succeeded");
    const ofTask = { path: { id: String(task["id"]) } };
    while ((await done(mount, "get_task", ofTask))["status"] === "running");
    await done(mount, "replay_missing", { path, body: { ...recent, event_types: null } });
    await done(mount, "cancel_task", ofTask);
    await done(mount, "replay_dead_letters", { body: { ids: [String(letter?.["id"])] } });
    await done(mount, "discard_dead_letters", { body: { endpoint_id: id } });
    await done(mount, "replay_message", { path: { id: message, endpoint_id: id }, body: {} });
    await done(mount, "test_endpoint", { path, body: { event_type: "webhook.test" } });
    await rows(mount, "list_event_types");
    expect(await done(mount, "list_source_addresses")).toEqual({ data: ["192.0.2.1"] });
    await done(mount, "erase_message", ofMessage);
    expect(await done(mount, "get_message", ofMessage)).toMatchObject({ envelope: null });
    await done(mount, "delete_endpoint", { path });

    const documented = webhooks.idsAt(mount);
    expect([...webhooks.doneAt(mount)].toSorted()).toEqual(documented.toSorted());
    const routes = Object.values(WEBHOOK_ROUTES).flatMap((methods) => Object.keys(methods));
    expect(documented).toHaveLength(routes.length);
  });

  test("every operation is refused as it says", async () => {
    for (const id of webhooks.idsAt(mount)) {
      for (const [code, call] of refusalsOf(webhooks.operation(mount, id))) {
        const answer = await webhooks.send(mount, id, { path: UNKNOWN, ...call });
        expect([id, call, codeOf(answer)]).toEqual([id, call, code]);
      }
      // The scope that it names permits it: what is refused then is something else.
      const [{ bearer: [scope = ""] = [] } = {}] = webhooks.operation(mount, id).security;
      expect([id, scope]).toEqual([id, expect.stringMatching(/^webhooks:(read|admin)$/)]);
      const permitted = await webhooks.send(mount, id, {
        path: UNKNOWN,
        token: access(server, { scope }),
      });
      expect([id, permitted.status]).not.toEqual([id, 403]);
      await server.advance(60_000);
    }
  });

  test("refusals of single calls are documented", async () => {
    const key = { "Idempotency-Key": `${mount.prefix}-2` };
    const body = { url: receiver.url };
    const { id } = await done(mount, "create_endpoint", { headers: key, body });
    const path = { id: String(id) };
    const code = async (name: string, call: Call) => codeOf(await webhooks.send(mount, name, call));
    const internal = { url: "http://10.0.0.1/" };
    expect(await code("create_endpoint", { headers: key, body: internal })).toBe(
      "idempotency_conflict",
    );
    expect(await code("create_endpoint", { body: internal })).toBe("invalid_url");
    expect(await code("change_endpoint", { path, body: internal })).toBe("invalid_url");
    expect(await code("change_endpoint", { path: UNKNOWN, body: {} })).toBe("not_found");
    expect(await code("rotate_secret", { path, body: { secret: "x" } })).toBe("invalid_request");

    await done(mount, "change_endpoint", { path, body: { disabled: true } });
    const recent = { since: new Date(server.seconds() * 1000).toISOString() };
    for (const [name, asked] of [
      ["recover", { path, body: recent }],
      ["replay_missing", { path, body: recent }],
      ["replay_dead_letters", { body: { endpoint_id: path.id } }],
    ] as const) {
      expect([name, await code(name, asked)]).toEqual([name, "endpoint_disabled"]);
    }
    await done(mount, "delete_endpoint", { path });
  });
});

test("the schemas refuse what is wrong", () => {
  const [mount] = MOUNTS;
  const request = (id: string) => schemaOf(webhooks.operation(mount, id).requestBody) ?? true;
  const many = (count: number, value: unknown = "a") => Array<unknown>(count).fill(value);
  const members = (count: number) => Object.fromEntries(many(count).map((_, n) => [`X-${n}`, ""]));
  const url = receiver.url;
  expect(ajv.validate(request("create_endpoint"), { url, headers: members(20) })).toBe(true);
  for (const wrong of [
    ...[{}, { url, colour: "red" }, { url, event_types: ["*"] }, { url, event_types: [] }],
    ...[
      { url, channels: many(11) },
      { url, headers: members(21) },
      { url, rate_limit: 1001 },
    ],
    ...[
      { url, metadata: members(51) },
      { url, retry_schedule_s: many(16, 1) },
    ],
    ...[{ url: "a".repeat(2049) }, { url, headers: { a: "b\r\nc" } }],
  ]) {
    expect([wrong, ajv.validate(request("create_endpoint"), wrong)]).toEqual([wrong, false]);
  }
  for (const wrong of [{}, { ids: [] }, { ids: many(101) }, { ids: ["a"], endpoint_id: "b" }]) {
    expect([wrong, ajv.validate(request("replay_dead_letters"), wrong)]).toEqual([wrong, false]);
  }
  expect(ajv.validate(request("recover"), { since: "today" })).toBe(false);
  expect(ajv.validate(request("rotate_secret"), { grace_period_s: 604_801 })).toBe(false);
  const { responses } = webhooks.operation(mount, "get_task");
  const task = { id: "task_1", type: "recover", status: "finished", done: 1, total: 1 };
  const answer = schemaOf(responses["200"]) ?? true;
  expect(ajv.validate(answer, task)).toBe(true);
  for (const wrong of [{ type: "replay_missing" }, { done: -1 }, { more: 1 }, { id: undefined }]) {
    expect(ajv.validate(answer, { ...task, ...wrong })).toBe(false);
  }
});
