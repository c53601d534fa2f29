/** The webhooks' REST API (webhooks.md §5.2 to §5.5): messages, attempts, replays, dead letters and pages. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Ajv2020 } from "ajv/dist/2020.js";
import { Webhook } from "standardwebhooks";
import { SERVER_EVENT_TYPES } from "../../../src/dialects/events/config.ts";
import { bootEvents, codeOf, publish } from "../../support/events.ts";
import type { Json } from "../../support/events.ts";
import type { StreamingServer } from "../../support/streaming.ts";
import { callWebhooks, createEndpoint, webhooksDo } from "../../support/webhook-api.ts";
import { startReceiver, status, type Receiver } from "../../support/webhook-receiver.ts";

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
