/** The webhooks' REST API (webhooks.md §5): who may call, what is taken and refused, and how answers look. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Webhook } from "standardwebhooks";
import { SERVER_EVENT_TYPES } from "../../../src/config/events.ts";
import { WEBHOOK_CALL_BYTES_MAX } from "../../../src/dialects/events/webhooks-schema.ts";
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
import { startReceiver, status, type Receiver } from "../../support/webhook-receiver.ts";

/** Nobody listens there; a literal, so that no name is looked up. */
const LOCAL = "http://127.0.0.1:9999/in";

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
      [`POST /endpoints/${endpoint.id}/secret/rotate`],
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

describe("messages and attempts", () => {
  test("a publish is delivered, verified by a receiver's library, and shown with its attempts", async () => {
    await using own = await bootEvents();
    await using target = await startReceiver();
    const { id, secret } = await createEndpoint(own, {
      ...{ url: target.url, event_types: ["shipment.*"], channels: ["shipments.shp_1"] },
    });
    const event = { entity: "shp_1", data: { big: 1, text: "süß" } };
    const { webhooks, id: eventId } = await publish(own, event);
    const { message_id: messageId, endpoints } = webhooks as {
      message_id: string;
      endpoints: number;
    };
    expect(endpoints).toBe(1);
    await requests(own, target, 1);
    const [received] = target.received;
    expect(received?.id).toBe(messageId);
    const headers = Object.fromEntries(
      ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => [
        name,
        String(received?.headers[name]),
      ]),
    );
    const text = received?.body.toString() ?? "";
    expect(signedNow(secret, text, headers, own)).toEqual(
      expect.objectContaining({ id: eventId as string, type: "shipment.updated" }),
    );
    // The result is written when the answer has been read.
    const message = await settledMessage(own, messageId);
    expect(message).toEqual({
      ...{ id: messageId, event_type: "shipment.updated" },
      channels: ["shipments", "shipments.shp_1"],
      accepted_at: expect.stringMatching(/Z$/),
      ...{ bytes: Buffer.byteLength(text), envelope: JSON.parse(text) as Json },
      deliveries: [{ endpoint_id: id, status: "succeeded", attempts: 1, next_attempt_at: null }],
    });
    const attempts = await webhooksDo(own, `GET /messages/${messageId}/attempts`);
    expect(attempts).toEqual({
      ...{ iterator: null, prev_iterator: null, done: true },
      data: [
        {
          ...{ id: expect.stringMatching(/^atmpt_/), message_id: messageId, endpoint_id: id },
          ...{ number: 1, trigger: "scheduled", status: "succeeded", url: target.url },
          ...{ response_status: 204, response_body: "", response_truncated: false, error: null },
          ...{ duration_ms: expect.any(Number), at: expect.stringMatching(/Z$/) },
          next_attempt_at: null,
        },
      ],
    });
    expect(
      await webhooksDo(own, `GET /endpoints/${id}/attempts?status=succeeded&status_class=2xx`),
    ).toEqual(attempts);
    expect(await webhooksDo(own, `GET /endpoints/${id}/attempts?status=failed`)).toMatchObject({
      data: [],
    });
    expect(await webhooksDo(own, `GET /endpoints/${id}/stats`)).toMatchObject({
      ...{ pending: 0, succeeded: 1, failed: 0, cancelled: 0 },
    });
    const list = (query: string) => webhooksDo(own, `GET /messages?${query}`);
    expect(await list("event_type=shipment.updated&channel=shipments")).toMatchObject({
      data: [{ id: messageId }],
    });
    expect(await list("event_type=order.paid")).toMatchObject({ data: [] });

    const replayed = await callWebhooks(own, `POST /messages/${messageId}/endpoints/${id}/replay`);
    expect([replayed.status, replayed.body]).toEqual([202, { attempt_pending: true }]);
    await requests(own, target, 2);
    expect(target.received[1]?.id).toBe(messageId);

    // 36
    expect((await callWebhooks(own, `DELETE /messages/${messageId}/content`)).status).toBe(204);
    expect(await webhooksDo(own, `GET /messages/${messageId}`)).toMatchObject({ envelope: null });
    expect(
      codeOf(await callWebhooks(own, `POST /messages/${messageId}/endpoints/${id}/replay`)),
    ).toBe("not_found");
  });

  test("a test event is sent at once, and the answer is its attempt", async () => {
    receiver.answer = status(503, {}, "busy");
    const { id } = await createEndpoint(server, { url: receiver.url });
    const attempt = await webhooksDo(server, `POST /endpoints/${id}/test`);
    expect(attempt).toMatchObject({
      ...{ endpoint_id: id, number: 1, trigger: "manual", status: "failed", next_attempt_at: null },
      ...{ response_status: 503, response_body: "busy", error: null },
    });
    receiver.answer = status(204);
    await webhooksDo(server, `DELETE /endpoints/${id}`);
  });

  test("20: what used up its schedule is a dead letter, and is replayed or discarded", async () => {
    await using own = await bootEvents();
    await using target = await startReceiver({ answer: status(500) });
    const { id } = await createEndpoint(own, { url: target.url, retry_schedule_s: [] });
    const { webhooks } = await publish(own, {});
    const { message_id: messageId } = webhooks as { message_id: string };
    await requests(own, target, 1);
    expect(await settledMessage(own, messageId)).toMatchObject({
      deliveries: [{ status: "failed" }],
    });
    const { data } = await webhooksDo(own, `GET /dead-letters?endpoint_id=${id}`);
    expect(data).toEqual([
      {
        ...{ id: expect.stringMatching(/^dl_/), message_id: messageId, endpoint_id: id },
        ...{ event_type: "shipment.updated", attempts: 1, reason: "exhausted" },
        failed_at: expect.stringMatching(/Z$/),
      },
    ]);
    target.answer = status(204);
    const replay = await callWebhooks(own, "POST /dead-letters/replay", {
      body: { endpoint_id: id },
    });
    expect([replay.status, replay.body["type"]]).toEqual([202, "replay-dead-letters"]);
    await requests(own, target, 2);
    expect(target.received[1]?.id).toBe(messageId);
    const discarded = await webhooksDo(own, "POST /dead-letters/discard", { ids: ["dl_none"] });
    expect(discarded).toEqual({ discarded: 0 });
    for (const body of [
      {},
      { ids: [] },
      { ids: Array(101).fill("dl_1") },
      { ids: ["a"], endpoint_id: id },
    ]) {
      const answer = await callWebhooks(own, "POST /dead-letters/replay", { body });
      expect(codeOf(answer)).toBe("invalid_request");
    }
  });

  test("19: recover and replay-missing answer with a task, 15 days back is refused", async () => {
    await using own = await bootEvents();
    await using target = await startReceiver();
    const { id } = await createEndpoint(own, { url: target.url });
    const iso = (agoMs: number) => new Date(own.seconds() * 1000 - agoMs).toISOString();
    for (const [path, type] of [
      ["recover", "recover"],
      ["replay-missing", "replay-missing"],
    ]) {
      const call = `POST /endpoints/${id}/${path}`;
      const started = await callWebhooks(own, call, { body: { since: iso(3_600_000) } });
      expect([started.status, started.body["type"]]).toEqual([202, type]);
      await finishedTask(own, String(started.body["id"]));
      const old = await callWebhooks(own, call, { body: { since: iso(15 * 86_400_000) } });
      expect([old.status, codeOf(old)]).toEqual([400, "invalid_request"]);
      expect(codeOf(await callWebhooks(own, call, { body: {} }))).toBe("invalid_request");
      expect(codeOf(await callWebhooks(own, call, { body: { since: "today" } }))).toBe(
        "invalid_request",
      );
    }
    await webhooksDo(own, `PATCH /endpoints/${id}`, { disabled: true });
    const disabled = await callWebhooks(own, `POST /endpoints/${id}/recover`, {
      body: { since: iso(0) },
    });
    expect([disabled.status, codeOf(disabled)]).toEqual([409, "endpoint_disabled"]);
  });
});

describe("lists", () => {
  test("34: iterators walk everything once, newest first, while rows are added", async () => {
    await using own = await bootEvents();
    const made: string[] = [];
    const publishOne = async () => {
      const { webhooks } = await publish(own, {});
      made.push((webhooks as { message_id: string }).message_id);
      await own.advance(1_000);
    };
    for (let count = 0; count < 7; count++) await publishOne();
    const walked: string[] = [];
    let query = "limit=3";
    for (;;) {
      const page = await webhooksDo(own, `GET /messages?${query}`);
      walked.push(...(page["data"] as { id: string }[]).map(({ id }) => id));
      if (page["done"] === true) break;
      await publishOne();
      query = `limit=3&iterator=${String(page["iterator"])}`;
    }
    expect(walked).toEqual(made.slice(0, 7).toReversed());
    const since = new Date(0).toISOString();
    const newest = await webhooksDo(own, `GET /messages?limit=2&since=${since}`);
    expect((newest["data"] as { id: string }[]).map(({ id }) => id)).toEqual(
      made.slice(-2).toReversed(),
    );
  });

  test.each([
    "limit=0",
    "limit=251",
    "limit=x",
    "iterator=x",
    "since=now",
    "until=1",
    "event_type=*",
  ])("refuse %s", async (query) => {
    const answer = await callWebhooks(server, `GET /messages?${query}`);
    expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_request"]);
  });

  test("250 rows may be asked for", async () => {
    expect((await callWebhooks(server, "GET /messages?limit=250")).status).toBe(200);
  });

  test("event types: the server's own, then those of the configuration; and where deliveries come from", async () => {
    const schema = { type: "object", properties: { data: { required: ["id"] } } };
    const moved = { name: "shipment.updated", description: "A shipment has moved" };
    const paid = { name: "order.paid", description: "An order was paid", schema };
    await using own = await bootEvents({ events: { event_types: [moved, paid] } });
    const { data } = await webhooksDo(own, "GET /event-types");
    const types = data as { name: string; description: string; schema: Json }[];
    expect(types.map(({ name }) => name)).toEqual([
      ...SERVER_EVENT_TYPES,
      ...["shipment.updated", "order.paid"],
    ]);
    const [first] = types;
    expect(types.at(-2)).toEqual({
      ...moved,
      schema: {
        ...first?.schema,
        properties: {
          ...(first?.schema["properties"] as Json),
          type: { const: "shipment.updated" },
        },
      },
    });
    expect(types.at(-1)).toEqual(paid);
    expect(await webhooksDo(own, "GET /source-addresses")).toEqual({ data: [] });
  });

  test("what is delivered is as the event type's schema says", async () => {
    await using own = await bootEvents();
    await using target = await startReceiver();
    const { id } = await createEndpoint(own, { url: target.url });
    await webhooksDo(own, `POST /endpoints/${id}/test`);
    const { data } = await webhooksDo(own, "GET /event-types");
    const schemaOf = (name: string) =>
      (data as { name: string; schema: object }[]).find((type) => type.name === name)?.schema;
    const body: unknown = JSON.parse(target.received[0]?.body.toString() ?? "");
    const ajv = new Ajv2020({ validateFormats: false });
    expect([body, ajv.validate(schemaOf("webhook.test") ?? false, body)]).toEqual([body, true]);
    expect(ajv.validate(schemaOf("endpoint.created") ?? false, body)).toBe(false);
  });
});

/** The library looks at the machine's clock, so the test's must be it. */
function signedNow(
  secret: string,
  text: string,
  headers: Readonly<Record<string, string>>,
  on: StreamingServer,
): unknown {
  const realNow = Date.now;
  Date.now = () => on.seconds() * 1000;
  try {
    return new Webhook(secret).verify(text, headers);
  } finally {
    Date.now = realNow;
  }
}

/** Once no delivery of it is open; its end is written right behind the receiver's answer. */
async function settledMessage(server: StreamingServer, id: string): Promise<Json> {
  for (;;) {
    const message = await webhooksDo(server, `GET /messages/${id}`);
    const deliveries = message["deliveries"] as { status: string }[];
    if (deliveries.every(({ status: state }) => !/pending|sending/.test(state))) return message;
    await server.advance(10);
  }
}

/** Deliveries may wait for a moment that only the test can bring. */
async function requests(server: StreamingServer, target: Receiver, count: number): Promise<void> {
  while (target.received.length < count) await server.advance(10);
}

async function finishedTask(server: StreamingServer, id: string): Promise<void> {
  while ((await webhooksDo(server, `GET /tasks/${id}`))["status"] === "running") {
    await server.advance(10);
  }
}
