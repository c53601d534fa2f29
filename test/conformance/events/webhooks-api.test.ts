/** The webhooks' REST API (webhooks.md §5): who may call, what is taken and refused, and how answers look. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { WEBHOOK_CALL_BYTES_MAX } from "../../../src/dialects/events/webhook-api/schema.ts";
import { API_KEY, ask, bootEvents, codeOf, ORG, OTHER_ORG, publish } from "../../support/events.ts";
import type { Json } from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";
import {
  ADMIN_SCOPE,
  callWebhooks,
  createEndpoint,
  READ_SCOPE,
  webhooksDo,
} from "../../support/webhook-api.ts";
import { startReceiver, type Receiver } from "../../support/webhook-receiver.ts";

/** Nobody listens there; a literal, so that no name is looked up. */
const LOCAL = "http://127.0.0.1:9999/in";

/** Of one connection, or else of the request's framing. */
const UNSENDABLE = [
  ...["Content-Length", "Transfer-Encoding", "Connection", "Keep-Alive", "Trailer", "TE"],
  ...["Upgrade", "Expect", "HTTP2-Settings", "Proxy-Authorization", "Proxy-Connection"],
];

let server: StreamingServer;
let receiver: Receiver;

beforeAll(async () => {
  server = await bootEvents({ events: { provisions_per_minute: 0 } });
  receiver = await startReceiver();
});

afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await receiver[Symbol.asyncDispose]();
});

/** Another minute for the caller, whose calls are counted. */
const nextMinute = () => server.advance(60_000);

describe("who may call", () => {
  test("32: reading takes webhooks:read, the rest and secrets webhooks:admin; platform:admin does both", async () => {
    const { id } = await createEndpoint(server, { url: LOCAL });
    const as = (scope: string, call: string, body?: object) =>
      callWebhooks(server, call, { scope, ...(body === undefined ? {} : { body }) });
    const reads = [`GET /endpoints`, `GET /endpoints/${id}`, `GET /messages`, `GET /dead-letters`];
    const writes = [`POST /endpoints`, `PATCH /endpoints/${id}`, `GET /endpoints/${id}/secret`];
    writes.push(`POST /endpoints/${id}/secret/rotate`, `DELETE /endpoints/${id}`);
    for (const call of reads) {
      expect([call, (await as(READ_SCOPE, call)).status]).toEqual([call, 200]);
      expect([call, (await as("platform:admin", call)).status]).toEqual([call, 200]);
      const refused = await as("shipments:read", call);
      expect([call, codeOf(refused)]).toEqual([call, "insufficient_scope"]);
      expect(refused.headers["www-authenticate"]).toContain('scope="webhooks:read"');
    }
    for (const call of writes) {
      const refused = await as(READ_SCOPE, call);
      expect([call, refused.status, codeOf(refused)]).toEqual([call, 403, "insufficient_scope"]);
      expect(refused.headers["www-authenticate"]).toContain('scope="webhooks:admin"');
      expect(JSON.stringify(refused.body)).toContain('"webhooks:admin"');
    }
    expect((await as("platform:admin", `GET /endpoints/${id}/secret`)).status).toBe(200);
    expect((await as(ADMIN_SCOPE, `DELETE /endpoints/${id}`)).status).toBe(204);
    await nextMinute();
  });

  test("an API key calls for the organisation in the path", async () => {
    const path = `/organisations/${ORG}/webhooks/endpoints`;
    const made = await ask(server, path, {
      method: "POST",
      headers: API_KEY,
      body: { url: LOCAL },
    });
    expect([made.status, made.body["organisation_id"]]).toEqual([201, ORG]);
    const listed = await ask(server, path, { headers: API_KEY });
    expect(listed.body["data"]).toContainEqual(
      expect.objectContaining({ id: made.body["id"] as string }),
    );
    const one = `${path}/${String(made.body["id"])}`;
    expect((await ask(server, one, { method: "DELETE", headers: API_KEY })).status).toBe(204);
  });

  test("31: another organisation's ids are not found, on every path", async () => {
    const endpoint = await createEndpoint(server, { url: receiver.url });
    const { webhooks } = await publish(server, {});
    const message = (webhooks as Json)["message_id"] as string;
    const since = new Date(server.seconds() * 1000 - 60_000).toISOString();
    const task = await webhooksDo(server, `POST /endpoints/${endpoint.id}/recover`, { since });
    await ask(server, `/events/provision?organisation_id=${OTHER_ORG}`, {
      ...{ method: "POST", headers: API_KEY },
    });
    const calls: [call: string, body?: object][] = [
      [`GET /endpoints/${endpoint.id}`],
      [`PATCH /endpoints/${endpoint.id}`, { disabled: true }],
      [`DELETE /endpoints/${endpoint.id}`],
      [`GET /endpoints/${endpoint.id}/secret`],
      [`POST /endpoints/${endpoint.id}/secret/rotate`, {}],
      [`POST /endpoints/${endpoint.id}/test`],
      [`GET /endpoints/${endpoint.id}/stats`],
      [`GET /endpoints/${endpoint.id}/attempts`],
      [`POST /endpoints/${endpoint.id}/recover`, { since }],
      [`POST /endpoints/${endpoint.id}/replay-missing`, { since }],
      [`GET /messages/${message}`],
      [`GET /messages/${message}/attempts`],
      [`DELETE /messages/${message}/content`],
      [`POST /messages/${message}/endpoints/${endpoint.id}/replay`],
      [`GET /tasks/${String(task["id"])}`],
      [`DELETE /tasks/${String(task["id"])}`],
      ["POST /dead-letters/replay", { endpoint_id: endpoint.id }],
      ["POST /dead-letters/discard", { endpoint_id: endpoint.id }],
    ];
    for (const [call, body] of calls) {
      const other = { organisation: OTHER_ORG, ...(body === undefined ? {} : { body }) };
      const answer = await callWebhooks(server, call, other);
      expect([call, answer.status, codeOf(answer)]).toEqual([call, 404, "not_found"]);
    }
    const mine = await callWebhooks(server, `GET /endpoints/${endpoint.id}`);
    expect([mine.status, mine.body["disabled"]]).toEqual([200, false]);
    await webhooksDo(server, `DELETE /endpoints/${endpoint.id}`);
    await nextMinute();
  });

  test("33: an organisation that is not provisioned is 409 on every path", async () => {
    const organisation = "org_2iFmwXASMpS3l4IZsauPs8I1eOx";
    for (const call of ["GET /endpoints", "POST /endpoints", "GET /messages", "GET /event-types"]) {
      const answer = await callWebhooks(server, call, { organisation });
      expect([call, answer.status, codeOf(answer)]).toEqual([
        call,
        409,
        "organisation_not_provisioned",
      ]);
    }
  });

  test("without a credential nothing is told, and unknown paths and methods are", async () => {
    expect((await ask(server, "/webhooks/endpoints", { token: "" })).status).toBe(401);
    expect(codeOf(await callWebhooks(server, "GET /nothing"))).toBe("not_found");
    const wrong = await callWebhooks(server, "PUT /endpoints");
    expect([wrong.status, codeOf(wrong)]).toEqual([405, "method_not_allowed"]);
    expect(wrong.headers["allow"]).toBe("GET, HEAD, POST");
    const head = await callWebhooks(server, "HEAD /endpoints");
    expect([head.status, head.text]).toEqual([200, ""]);
  });

  test("120 calls a minute, and not one more", async () => {
    await nextMinute();
    const codes: string[] = [];
    for (let call = 0; call < 121; call++) {
      const answer = await callWebhooks(server, "GET /event-types");
      codes.push(codeOf(answer));
      if (call === 120) expect(Number(answer.headers["retry-after"])).toBeGreaterThanOrEqual(1);
    }
    expect(codes.filter((code) => code === "ok")).toHaveLength(120);
    expect(codes.at(-1)).toBe("rate_limited");
    await nextMinute();
  });
});

describe("endpoints", () => {
  test("5: the secret is in the answer to the creation and nowhere else; header values are masked", async () => {
    const given = {
      url: "http://user:pass@127.0.0.1:9999/in",
      ...{ description: "warehouse", event_types: ["order.paid", "shipment.*"] },
      ...{ channels: ["shipments.shp_1"], headers: { "X-Tenant": "42" }, rate_limit: 20 },
      ...{ ordered: true, metadata: { team: "ops" }, secret: null, retry_schedule_s: [1, 60] },
    };
    const { secret, notes, ...endpoint } = await createEndpoint(server, given);
    const now = new Date(server.seconds() * 1000).toISOString();
    expect(secret).toMatch(/^whsec_[A-Za-z0-9+/]{32}$/);
    expect(notes).toEqual(["ordered endpoints stop behind a failing message"]);
    expect(endpoint).toEqual({
      id: expect.stringMatching(/^ep_[0-9A-Za-z]{27}$/),
      organisation_id: ORG,
      url: "http://***:***@127.0.0.1:9999/in",
      ...{ description: "warehouse", event_types: ["order.paid", "shipment.*"] },
      ...{ channels: ["shipments.shp_1"], headers: { "X-Tenant": "***" }, rate_limit: 20 },
      ...{ ordered: true, retry_schedule_s: [1, 60], metadata: { team: "ops" } },
      ...{ signature: "hmac", disabled: false, disabled_reason: null, disabled_at: null },
      health: { state: "healthy", failing_since: null, consecutive_failures: 0 },
      ...{ created_at: now, updated_at: now },
    });
    expect(await webhooksDo(server, `GET /endpoints/${endpoint.id}`)).toEqual(endpoint);
    const list = await webhooksDo(server, "GET /endpoints?limit=1");
    expect(list["data"]).toEqual([endpoint]);
    expect(await webhooksDo(server, `GET /endpoints/${endpoint.id}/secret`)).toEqual({
      ...{ secret, previous: [] },
    });
    await webhooksDo(server, `DELETE /endpoints/${endpoint.id}`);
    expect(codeOf(await callWebhooks(server, `DELETE /endpoints/${endpoint.id}`))).toBe(
      "not_found",
    );
  });

  test("a change replaces what it names, null takes it away, and disabled pauses", async () => {
    const { id } = await createEndpoint(server, {
      url: LOCAL,
      event_types: ["a.b"],
      rate_limit: 7,
    });
    const change = (body: object) => webhooksDo(server, `PATCH /endpoints/${id}`, body);
    expect(await change({ event_types: null, rate_limit: null, description: "d" })).toMatchObject({
      ...{ event_types: null, rate_limit: 50, description: "d", url: LOCAL },
    });
    expect(await change({ disabled: true })).toMatchObject({
      ...{ disabled: true, disabled_reason: "manual" },
      disabled_at: expect.stringMatching(/Z$/),
    });
    expect(await change({ disabled: false })).toMatchObject({
      ...{ disabled: false, disabled_reason: null, disabled_at: null },
    });
    expect(await change({ ordered: true })).toMatchObject({
      notes: ["ordered endpoints stop behind a failing message"],
    });
    await webhooksDo(server, `DELETE /endpoints/${id}`);
  });

  test("7: rotation shows the new secret and until when the old one signs", async () => {
    const { id, secret } = await createEndpoint(server, { url: LOCAL });
    const rotated = await webhooksDo(server, `POST /endpoints/${id}/secret/rotate`, {
      grace_period_s: 60,
    });
    const expires = new Date((server.seconds() + 60) * 1000).toISOString();
    expect(rotated).toEqual({
      secret: expect.stringMatching(/^whsec_/),
      previous_expires_at: expires,
    });
    expect(rotated["secret"]).not.toBe(secret);
    expect(await webhooksDo(server, `GET /endpoints/${id}/secret`)).toEqual({
      ...{ secret: rotated["secret"], previous: [{ expires_at: expires }] },
    });
    await webhooksDo(server, `DELETE /endpoints/${id}`);
    await nextMinute();
  });

  const bytes = (count: number) => `whsec_${Buffer.alloc(count, 7).toString("base64")}`;
  const many = (count: number, of: (index: number) => string) =>
    Array.from({ length: count }, (_, i) => of(i));
  const named = (count: number) =>
    Object.fromEntries(many(count, (i) => `X-${i}`).map((name) => [name, ""]));

  test.each<[what: string, endpoint: Json]>([
    ["a secret of 24 bytes", { secret: bytes(24) }],
    ["a secret of 64 bytes", { secret: bytes(64) }],
    ["100 event types", { event_types: many(100, (i) => `a.b${i}`) }],
    ["an event type of 128 characters", { event_types: ["a".repeat(128)] }],
    ["10 channels", { channels: many(10, (i) => `c${i}`) }],
    ["a channel of 128 characters", { channels: ["c".repeat(128)] }],
    ["20 headers", { headers: named(20) }],
    [
      "a header's name of 64 and value of 1024 characters",
      { headers: { ["x".repeat(64)]: "v".repeat(1024) } },
    ],
    ["a rate of 1", { rate_limit: 1 }],
    ["a rate of 1000", { rate_limit: 1000 }],
    ["15 delays", { retry_schedule_s: Array(15).fill(1) }],
    ["no delay", { retry_schedule_s: [] }],
    ["a URL of 2048 characters", { url: LOCAL + "a".repeat(2048 - LOCAL.length) }],
    ["a description of 1024 characters", { description: "d".repeat(1024) }],
    ["50 metadata", { metadata: named(50) }],
  ])("takes %s", async (_, endpoint) => {
    const { id } = await createEndpoint(server, { url: LOCAL, ...endpoint });
    await webhooksDo(server, `DELETE /endpoints/${id}`);
  });

  test.each<[what: string, endpoint: Json, member: string]>([
    ["a secret of 23 bytes", { secret: bytes(23) }, "secret"],
    ["a secret of 65 bytes", { secret: bytes(65) }, "secret"],
    ["no event type", { event_types: [] }, "event_types"],
    ["101 event types", { event_types: many(101, (i) => `a.b${i}`) }, "event_types"],
    ["an event type of 129 characters", { event_types: ["a".repeat(129)] }, "event_types.0"],
    ["a lone *", { event_types: ["*"] }, "event_types.0"],
    ["a * in the middle", { event_types: ["a.*.b"] }, "event_types.0"],
    ["11 channels", { channels: many(11, (i) => `c${i}`) }, "channels"],
    ["a channel of 129 characters", { channels: ["c".repeat(129)] }, "channels.0"],
    ["21 headers", { headers: named(21) }, "headers"],
    [
      "a header's name of 65 characters",
      { headers: { ["x".repeat(65)]: "" } },
      `headers.${"x".repeat(65)}`,
    ],
    ["a header's value of 1025 characters", { headers: { a: "v".repeat(1025) } }, "headers.a"],
    ["a line end in a header", { headers: { a: "b\r\nc: d" } }, "headers.a"],
    ["Host", { headers: { Host: "a" } }, "headers.Host"],
    ["Webhook-Id", { headers: { "Webhook-Id": "a" } }, "headers.Webhook-Id"],
    ...UNSENDABLE.map(
      (name) => [name, { headers: { [name]: "a" } }, `headers.${name}`] as [string, Json, string],
    ),
    ["one header twice", { headers: { a: "1", A: "2" } }, "headers"],
    ["a rate of 0", { rate_limit: 0 }, "rate_limit"],
    ["a rate of 1001", { rate_limit: 1001 }, "rate_limit"],
    ["16 delays", { retry_schedule_s: Array(16).fill(1) }, "retry_schedule_s"],
    ["a URL of 2049 characters", { url: LOCAL + "a".repeat(2049 - LOCAL.length) }, "url"],
    ["no URL", { url: undefined }, "url"],
    ["a member that is none", { colour: "red" }, ""],
    ["51 metadata", { metadata: named(51) }, "metadata"],
  ])("refuses %s", async (_, endpoint, member) => {
    const answer = await callWebhooks(server, "POST /endpoints", {
      body: { url: LOCAL, ...endpoint },
    });
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_request"]);
    const { details } = answer.body["error"] as { details?: Json };
    expect(details?.["member"] ?? "").toBe(member);
    await server.advance(1_000);
  });

  test("refuses a change to a header that cannot be sent, and keeps those of before", async () => {
    const { id } = await createEndpoint(server, { url: LOCAL, headers: { "X-A": "1" } });
    const call = `PATCH /endpoints/${String(id)}`;
    const answer = await callWebhooks(server, call, { body: { headers: { trailer: "X-B" } } });
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_request"]);
    const shown = await webhooksDo(server, `GET /endpoints/${String(id)}`);
    expect(shown["headers"]).toEqual({ "X-A": "***" });
  });

  test.each([
    ["http://10.0.0.1/", "blocked_address"],
    ["ftp://hooks.example.org/", "scheme"],
    ["https://printer.local/", "host"],
    ["https://127.0.0.1:22/", "port"],
  ])("refuses %s as a target", async (url, reason) => {
    const answer = await callWebhooks(server, "POST /endpoints", { body: { url } });
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_url"]);
    const { details } = answer.body["error"] as { details?: Json };
    expect(details?.["reason"]).toBe(reason);
  });

  test("a body of 64 KiB is read, and not one byte more", async () => {
    const pad = (size: number) => {
      const text = JSON.stringify({ url: LOCAL });
      return text + " ".repeat(size - text.length);
    };
    const send = (size: number) =>
      callWebhooks(server, "POST /endpoints", {
        ...{ body: pad(size), headers: { "Content-Type": "application/json" } },
      });
    const taken = await send(WEBHOOK_CALL_BYTES_MAX);
    expect(taken.status).toBe(201);
    await webhooksDo(server, `DELETE /endpoints/${String(taken.body["id"])}`);
    expect(codeOf(await send(WEBHOOK_CALL_BYTES_MAX + 1))).toBe("payload_too_large");
    const text = { body: "{}", headers: { "Content-Type": "text/plain" } };
    expect(codeOf(await callWebhooks(server, "POST /endpoints", text))).toBe(
      "unsupported_media_type",
    );
    const broken = { body: "{", headers: { "Content-Type": "application/json" } };
    expect(codeOf(await callWebhooks(server, "POST /endpoints", broken))).toBe("invalid_request");
    await nextMinute();
  });
});

describe("Idempotency-Key", () => {
  const create = (key: string, body: object) =>
    callWebhooks(server, "POST /endpoints", { body, headers: { "Idempotency-Key": key } });
  const count = async () =>
    ((await webhooksDo(server, "GET /endpoints?limit=250"))["data"] as unknown[]).length;

  test("35: the same call makes one endpoint and gets the same answer; another one is a conflict", async () => {
    const before = await count();
    const first = await create("k1", { url: LOCAL });
    const again = await create("k1", { url: LOCAL });
    expect([again.status, again.text]).toEqual([201, first.text]);
    expect(await count()).toBe(before + 1);
    const other = await create("k1", { url: `${LOCAL}2` });
    expect([other.status, codeOf(other)]).toEqual([409, "idempotency_conflict"]);
    await server.advance(86_400_000);
    expect((await create("k1", { url: `${LOCAL}2` })).status).toBe(201);
    expect(await count()).toBe(before + 2);
  });

  test("calls that race make one endpoint", async () => {
    const before = await count();
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => create("k2", { url: LOCAL })),
    );
    expect(await count()).toBe(before + 1);
    const codes = answers.map(({ status: code }) => code);
    expect(codes.every((code) => code === 201 || code === 409)).toBe(true);
    expect(codes).toContain(201);
  });

  test("a call that failed may be sent again, corrected", async () => {
    expect(codeOf(await create("k3", { url: "nothing" }))).toBe("invalid_url");
    expect((await create("k3", { url: LOCAL })).status).toBe(201);
  });

  test("has 256 characters at the most, and is the caller's own", async () => {
    expect((await create("x".repeat(256), { url: LOCAL })).status).toBe(201);
    expect(codeOf(await create("x".repeat(257), { url: LOCAL }))).toBe("invalid_request");
    const path = `/organisations/${ORG}/webhooks/endpoints`;
    const headers = { ...API_KEY, "Idempotency-Key": "x".repeat(256) };
    const byKey = await ask(server, path, { method: "POST", headers, body: { url: `${LOCAL}3` } });
    expect(byKey.status).toBe(201);
    await nextMinute();
  });
});
