/** Checklist 18 and 26 (event-streaming.md §11) with real receivers: one event on streams and at endpoints, and both cleared away. */
import { expect, test } from "bun:test";
import {
  access,
  ask,
  askByKey,
  bootEvents,
  codeOf,
  connectUser,
  ORG,
  publicationsOf,
  publish,
  subscriptionToken,
  type Json,
} from "../../support/events.ts";

/** Answers every request with this status, and keeps what came. */
function receive(status: number) {
  const bodies: Buffer[] = [];
  const waiting: (() => void)[] = [];
  const server = Bun.serve({
    ...{ hostname: "127.0.0.1", port: 0 },
    async fetch(request) {
      bodies.push(Buffer.from(await request.arrayBuffer()));
      for (const resolve of waiting.splice(0)) resolve();
      return new Response("", { status });
    },
  });
  return {
    url: `http://127.0.0.1:${server.port}/in`,
    bodies,
    async received(count: number): Promise<void> {
      while (bodies.length < count) await new Promise<void>((resolve) => waiting.push(resolve));
    },
    [Symbol.asyncDispose]: () => server.stop(true),
  };
}

test("26: the envelope on the stream and the webhook's body are the same bytes", async () => {
  await using receiver = receive(200);
  await using server = await bootEvents();
  const made = await ask(server, "/webhooks/endpoints", {
    ...{ method: "POST", body: { url: receiver.url } },
  });
  expect(made.status).toBe(201);
  using client = await connectUser(server);
  const data = `{"big":9007199254740993,"text":"é ü \\u00e9","z":1.0,"a":[1,2]}`;
  const event = `{"type":"shipment.updated","organisation_id":"${ORG}","resource":"shipments","data":${data}}`;
  const answer = await ask(server, "/events/publish", {
    ...{ method: "POST", body: event },
    headers: { "X-API-Key": "dev-api-key", "Content-Type": "application/json" },
  });
  expect(answer.body).toMatchObject({ accepted: true, webhooks: { endpoints: 1 } });
  await receiver.received(1);
  const [body] = receiver.bodies;
  const { text } = await client.raw.next();
  expect(body?.toString()).toContain(data);
  expect(text).toContain(`"pub":{"data":${body?.toString()}`);
});

test("18: deprovisioning deletes the endpoints, cancels deliveries and closes connections", async () => {
  await using receiver = receive(500);
  await using server = await bootEvents();
  for (let count = 0; count < 3; count++) {
    const body = { url: receiver.url };
    expect((await ask(server, "/webhooks/endpoints", { method: "POST", body })).status).toBe(201);
  }
  using client = await connectUser(server);
  for (let count = 0; count < 2; count++) {
    const { webhooks } = await publish(server, { streaming: false });
    expect(webhooks).toMatchObject({ endpoints: 3 });
  }
  // Each failed once and waits for its next attempt.
  await receiver.received(3);
  await server.advance(1_000);
  await receiver.received(6);
  const failed = 'carillon_webhook_attempts_total{status="failed"} 6';
  for (let metrics = ""; !metrics.includes(failed);) {
    metrics = await (await fetch(`${server.apiUrl}/metrics`)).text();
  }
  const off = await ask(server, "/events/deprovision");
  expect(off.body).toMatchObject({
    ...{ webhook_endpoints_deleted: 3, connections_closed: 1, deliveries_cancelled: 6 },
  });
  expect(await client.closed()).toMatchObject({ code: 4501 });
  expect((await ask(server, "/events/deprovision")).body).toMatchObject({
    ...{ webhook_endpoints_deleted: 0, connections_closed: 0, deliveries_cancelled: 0 },
  });
  await server.advance(86_400_000);
  expect(receiver.bodies).toHaveLength(6);
  expect(codeOf(await ask(server, "/webhooks/endpoints"))).toBe("organisation_not_provisioned");
  await askByKey(server, `/events/provision?organisation_id=${ORG}`);
  expect((await ask(server, "/webhooks/endpoints")).body).toMatchObject({ data: [] });
});

test("an organisation hears of its endpoints on a stream of its own", async () => {
  await using receiver = receive(200);
  await using server = await bootEvents();
  const claims = { scope: "webhooks:admin" };
  using client = await connectUser(server, claims);
  const channel = `webhooks:${ORG}`;
  const token = await subscriptionToken(server, channel, claims);
  await client.ask({ subscribe: { channel, token } });
  const made = await ask(server, "/webhooks/endpoints", {
    ...{ method: "POST", token: access(server, claims), body: { url: receiver.url } },
  });
  const message = await client.next();
  const [notice] = publicationsOf([message]);
  expect(notice).toMatchObject({
    channel,
    data: { type: "endpoint.created", data: { endpoint_id: made.body["id"] } as Json },
  });
});
