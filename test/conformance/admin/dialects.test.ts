/** What dialects add to the admin API: organisations with their webhooks, and subscribers with their tokens; and whom was refused what. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { adminClient, type AdminClient, type Row } from "../../support/admin.ts";
import { askByKey, bootEvents, ORG, OTHER_ORG, publish } from "../../support/events.ts";
import { subscribe } from "../../support/messaging-auth.ts";
import { handshake } from "../../support/raw-websocket.ts";
import { connectClient, openClient, type StreamingServer } from "../../support/streaming.ts";
import { callWebhooks, createEndpoint } from "../../support/webhook-api.ts";
import { startReceiver, status } from "../../support/webhook-receiver.ts";

let server: StreamingServer;
let admin: AdminClient;

beforeAll(async () => {
  server = await bootEvents();
  admin = await adminClient(server);
});
afterAll(() => server[Symbol.asyncDispose]());

/** Time moves until it is so. */
async function until<Value>(look: () => Promise<Value | undefined>): Promise<Value> {
  for (;;) {
    const found = await look();
    if (found !== undefined) return found;
    await server.advance(10);
  }
}

describe("webhooks", () => {
  test("attempts and dead letters of an endpoint are shown, and replayed", async () => {
    await using target = await startReceiver({ answer: status(500, {}, "broken") });
    const { id, secret } = await createEndpoint(server, {
      ...{ url: target.url, retry_schedule_s: [], headers: { "X-Secret": "h1dden" } },
    });
    await publish(server, {});
    const of = { organisation: ORG, endpoint: id };
    const [letter] = await until(async () => {
      const rows = await admin.all("webhooks/dead-letters", of);
      return rows.length > 0 ? rows : undefined;
    });
    expect(letter).toMatchObject({ endpoint_id: id, reason: "exhausted", attempts: 1 });
    const attempts = await admin.all("webhooks/attempts", { ...of, status: "failed" });
    expect(attempts).toMatchObject([{ response_status: 500, response_body: "broken" }]);
    expect(await admin.all("webhooks/attempts", { ...of, status: "succeeded" })).toEqual([]);
    const shown = await admin("webhooks/endpoints", { query: { organisation: ORG } });
    expect(shown.data).toMatchObject([{ id, organisation_id: ORG, health: { state: "unproven" } }]);
    expect(shown.text).not.toContain("h1dden");
    expect(shown.text).not.toContain(secret);

    target.answer = status(204);
    const replay = await admin("webhooks/dead-letters/replay", {
      body: { organisation: ORG, ids: [String(letter?.["id"])] },
    });
    expect(replay.body).toMatchObject({ type: "replay-dead-letters" });
    const task = { organisation: ORG, task: String(replay.body["id"]) };
    const ended = await until(async () => {
      const { body } = await admin("webhooks/task", { query: task });
      return body["status"] === "running" ? undefined : body;
    });
    expect(ended).toMatchObject({ status: "finished", done: 1 });
    await until(async () => (target.received.length > 1 ? true : undefined));
    await until(async () => {
      const rows = await admin.all("webhooks/attempts", { ...of, status: "succeeded" });
      return rows.length > 0 ? true : undefined;
    });
  });

  test("endpoints of all organisations are pages, whatever their size", async () => {
    await askByKey(server, "/events/provision", { organisation_id: OTHER_ORG });
    const others: string[] = [];
    for (let n = 0; n < 3; n++) {
      const body = { url: `http://127.0.0.1:60009/${n}` };
      const made = await callWebhooks(server, "POST /endpoints", { body, organisation: OTHER_ORG });
      others.push(String(made.body["id"]));
    }
    const ofOther = (rows: readonly Row[]) =>
      rows.filter(({ organisation_id: of }) => of === OTHER_ORG).map(({ id }) => String(id));
    for (const limit of [1, 2, 3, 50]) {
      const rows = await admin.all("webhooks/endpoints", {}, limit);
      expect(ofOther(rows).toSorted()).toEqual(others.toSorted());
      expect(rows).toHaveLength(4);
      const own = await admin.all("webhooks/endpoints", { organisation: OTHER_ORG }, limit);
      expect(own).toHaveLength(3);
      const organisations = await admin.all("events/organisations", {}, limit);
      expect(organisations.map(({ organisation }) => organisation)).toEqual([ORG, OTHER_ORG]);
    }
    expect((await admin.all("events/organisations"))[1]).toMatchObject({
      ...{ status: "active", generation: 1, provisioned_at: expect.stringMatching(/Z$/) },
    });
  });

  test.each([
    ["webhooks/endpoints", { organisation: "org_none" }, 404],
    ["webhooks/attempts", { organisation: ORG, endpoint: "ep_none" }, 404],
    ["webhooks/attempts", { organisation: ORG, endpoint: "ep_none", cursor: "eA" }, 404],
    ["webhooks/dead-letters", { organisation: ORG, cursor: "eA" }, 400],
    ["webhooks/task", { organisation: ORG, task: "task_none" }, 404],
    ["webhooks/endpoints", { cursor: "eC95" }, 200],
  ])("%s %j is answered %i", async (path, query, expected) => {
    const answer = await admin(path, { query });
    expect([answer.text, answer.status]).toEqual([answer.text, expected]);
  });
});

describe("messaging", () => {
  test("subscribers and their tokens are shown, never a token's text", async () => {
    const { token, keyId } = await subscribe(server, "+12025550101", { name: "<b>phone</b>" });
    await subscribe(server, "~a|b=c@d:e");
    const rows = await admin.all("messaging/subscribers", {}, 1);
    expect(rows).toMatchObject([
      { subscriber: "+12025550101", active: true, has_password: false },
      { subscriber: "~a|b=c@d:e" },
    ]);
    const tokens = await admin("messaging/tokens", { query: { subscriber: "+12025550101" } });
    expect(tokens.data).toMatchObject([{ key_id: keyId, name: "<b>phone</b>", active: true }]);
    expect(tokens.text).not.toContain(token);
    for (const subscriber of ["none", "", "__proto__", "a/b"]) {
      const answer = await admin("messaging/tokens", { query: { subscriber } });
      expect([subscriber, answer.status]).toEqual([subscriber, 404]);
    }
  });
});

describe("refusals", () => {
  const refusals = (query: Record<string, string> = {}) => admin.all("refusals", query, 2);

  test("of connects, commands and calls are shown with their reasons, newest first", async () => {
    using client = await connectClient(server, { sub: "u" });
    await client.ask({ subscribe: { channel: "nowhere:a" } });
    await handshake(`${server.clientsUrl.replace("http", "ws")}/messaging/websocket`);
    await askByKey(server, "/webhooks/endpoints?organisation_id=org_x");
    const rows = await refusals();
    const times = rows.map(({ at }) => Date.parse(String(at)));
    expect(times).toEqual(times.toSorted((a, b) => b - a));
    const events = rows.map(({ dialect, event }) => `${String(dialect)}: ${String(event)}`);
    expect(events).toEqual(
      expect.arrayContaining([
        "streaming: Command refused",
        "messaging: Connect refused",
        "events: API call refused",
      ]),
    );
    for (const row of rows) expect(row).toMatchObject({ node: server.hub.nodeId });
    const streaming = await refusals({ dialect: "streaming" });
    expect(streaming[0]).toMatchObject({ about: { connection: client.id, code: 102 } });
    expect(await refusals({ dialect: "none" })).toEqual([]);
  });

  test("hold no token, and a refused origin once however often it comes", async () => {
    await using own = await bootEvents({
      config: { apps: [{ id: "dev", allowed_origins: ["https://shop.example"] }] },
    });
    const call = await adminClient(own);
    using client = await openClient(own);
    await client.ask({ connect: { token: "secret.to.ken" } }).catch(() => {});
    const headers = { Origin: "https://evil.example" };
    for (let n = 0; n < 3; n++) await handshake(own.websocketUrl, { headers });
    const { data, text } = await call("refusals");
    expect(text).not.toContain("secret.to.ken");
    const detail = expect.stringContaining("allowed_origins") as string;
    const about = { origin: "https://evil.example" };
    expect(data[0]).toMatchObject({ event: "Connect refused", times: 3, detail });
    expect(data[1]).toMatchObject({ event: "Origin refused", times: 3, detail, about });
  });
});
