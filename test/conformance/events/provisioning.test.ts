/** Checklist 16 to 20 (event-streaming.md §11): organisations switched on and off. */
import { describe, expect, test } from "bun:test";
import { ksuidTimeMs } from "../../../src/core/ksuid.ts";
import {
  access,
  ask,
  askByKey,
  bootEvents,
  codeOf,
  connectionToken,
  connectUser,
  connectWith,
  ORG,
  OTHER_ORG,
  publicationsOf,
  publish,
  subscriptionToken,
  USER,
  type Json,
} from "../../support/events.ts";
import {
  apiResult,
  keptDataDir,
  openClient,
  type StreamingServer,
} from "../../support/streaming.ts";

const NEW = { org_id: OTHER_ORG };
const PROVISION = "/events/provision";
const DEPROVISION = "/events/deprovision";

const provisionNew = (server: StreamingServer, method = "GET") =>
  ask(server, PROVISION, { method, token: access(server, NEW) });
const statusOf = async (server: StreamingServer, claims: Json = {}) =>
  (await ask(server, "/events/status", { token: access(server, claims) })).body;

describe("16: provision", () => {
  test("creates the state and the application once; GET and POST answer the same", async () => {
    await using server = await bootEvents();
    expect(await statusOf(server, NEW)).toEqual({
      ...{ organisation_id: OTHER_ORG, status: "none", generation: 0 },
    });
    const first = await provisionNew(server);
    expect(first.status).toBe(200);
    expect(first.body).toEqual({
      organisation_id: OTHER_ORG,
      status: "active",
      generation: 1,
      provisioned_at: new Date(server.runtime.clock.epochMs()).toISOString(),
      streaming: {
        endpoint: server.websocketUrl,
        namespaces: ["orders", "public", "shipments", "status"],
      },
      webhooks: { application_id: expect.stringMatching(/^app_[0-9A-Za-z]{27}$/) },
    });
    const { application_id: application } = first.body["webhooks"] as { application_id: string };
    expect(ksuidTimeMs(application)).toBe(server.seconds() * 1000);
    await server.advance(5_000);
    expect((await provisionNew(server)).text).toBe(first.text);
    expect((await provisionNew(server, "POST")).text).toBe(first.text);
    expect(await statusOf(server, NEW)).toMatchObject({ status: "active", generation: 1 });
  });

  test("twenty times at once: one application, all 200, equal bodies", async () => {
    await using server = await bootEvents();
    const answers = await Promise.all(Array.from({ length: 20 }, () => provisionNew(server)));
    expect(answers.map(({ status }) => status)).toEqual(Array(20).fill(200));
    expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
  });

  test("survives a restart", async () => {
    using kept = keptDataDir();
    let text: string;
    {
      await using server = await bootEvents({ dataDir: kept.path });
      ({ text } = await provisionNew(server));
    }
    await using server = await bootEvents({ dataDir: kept.path });
    const before = JSON.parse(text) as { webhooks: unknown; provisioned_at: unknown };
    const { webhooks, provisioned_at } = (await provisionNew(server)).body;
    expect({ webhooks, provisioned_at }).toEqual({
      ...{ webhooks: before.webhooks, provisioned_at: before.provisioned_at },
    });
  });

  test("shows the configured endpoint", async () => {
    await using server = await bootEvents({ events: { endpoint: "wss://events.example.com/x" } });
    const { streaming } = (await provisionNew(server)).body;
    expect(streaming).toMatchObject({ endpoint: "wss://events.example.com/x" });
  });
});

test("17: platform:admin is needed, and no other scope stands for it", async () => {
  await using server = await bootEvents();
  for (const scope of ["shipments:admin events:provision", undefined, "platform:admins"]) {
    for (const path of [PROVISION, DEPROVISION]) {
      const answer = await ask(server, path, { token: access(server, { ...NEW, scope }) });
      expect([answer.status, codeOf(answer)]).toEqual([403, "insufficient_scope"]);
      expect(answer.headers["www-authenticate"]).toBe(
        'Bearer error="insufficient_scope", scope="platform:admin"',
      );
    }
  }
  expect(await statusOf(server, NEW)).toMatchObject({ status: "none" });
});

describe("18: deprovision", () => {
  test("closes the organisation's connections, and no other's", async () => {
    await using server = await bootEvents();
    await provisionNew(server);
    using mine = await connectUser(server);
    using empty = await connectUser(server, { scope: undefined });
    using theirs = await connectUser(server, NEW);
    const answer = await ask(server, DEPROVISION);
    expect(answer.status).toBe(200);
    expect(answer.body).toEqual({
      organisation_id: ORG,
      status: "deprovisioned",
      deprovisioned_at: new Date(server.runtime.clock.epochMs()).toISOString(),
      webhook_endpoints_deleted: 0,
      connections_closed: 2,
      deliveries_cancelled: 0,
    });
    for (const client of [mine, empty]) {
      expect(await client.closed()).toEqual({ code: 4501, reason: "org deprovisioned" });
    }
    expect(await theirs.arrived()).toEqual([]);
  });

  test("again, or for one never provisioned: 200 and zeros", async () => {
    await using server = await bootEvents();
    using client = await connectUser(server);
    const first = await ask(server, DEPROVISION);
    await client.closed();
    await server.advance(1_000);
    for (const [method, path] of [
      ["GET", DEPROVISION],
      ["POST", DEPROVISION],
      ["DELETE", PROVISION],
    ] as const) {
      const again = await ask(server, path, { method });
      expect([again.status, again.body]).toEqual([200, { ...first.body, connections_closed: 0 }]);
    }
    const never = await ask(server, DEPROVISION, { token: access(server, NEW) });
    expect([never.status, never.body]).toEqual([
      200,
      {
        ...{ organisation_id: OTHER_ORG, status: "none" },
        ...{ webhook_endpoints_deleted: 0, connections_closed: 0, deliveries_cancelled: 0 },
      },
    ]);
  });

  test("issues and accepts nothing from there on", async () => {
    await using server = await bootEvents();
    const former = await connectionToken(server);
    await ask(server, DEPROVISION);
    for (const path of ["/events/connection_token", "/webhooks/endpoints"]) {
      expect(codeOf(await ask(server, path))).toBe("organisation_not_provisioned");
    }
    using client = await openClient(server);
    client.send({ id: 1, connect: { token: former } });
    expect(await client.closed()).toEqual({ code: 4501, reason: "org deprovisioned" });
    expect(await publish(server, {})).toMatchObject({ accepted: false });
    expect(await statusOf(server)).toEqual({
      ...{ organisation_id: ORG, status: "deprovisioned", generation: 1 },
    });
  });

  test("removes the history of every channel that was published to, and no other's", async () => {
    await using server = await bootEvents();
    await provisionNew(server);
    await publish(server, { entity: "shp_1", data: { n: 1 } });
    await publish(server, { users: [USER], data: { n: 2 } });
    await publish(server, { organisation_id: OTHER_ORG, data: { n: 3 } });
    const kept = async (channel: string) => {
      const { publications } = await apiResult(server, "history", { channel, limit: 10 });
      return (publications as unknown[]).length;
    };
    const mine = ["", ".shp_1", `#${USER}`].map((rest) => `shipments:${ORG}${rest}`);
    for (const channel of mine) expect(await kept(channel)).toBe(1);
    await ask(server, DEPROVISION);
    for (const channel of mine) expect(await kept(channel)).toBe(0);
    expect(await kept(`shipments:${OTHER_ORG}`)).toBe(1);
    // A second generation's too, within the time in which the first one's notes would still stand.
    await ask(server, PROVISION);
    await publish(server, { data: { n: 4 } });
    expect(await kept(`shipments:${ORG}`)).toBe(1);
    await ask(server, DEPROVISION);
    expect(await kept(`shipments:${ORG}`)).toBe(0);
  });

  test("a development server's organisation stays off across a restart", async () => {
    using data = keptDataDir();
    {
      await using server = await bootEvents({ dataDir: data.path });
      await ask(server, DEPROVISION);
    }
    await using server = await bootEvents({ dataDir: data.path });
    expect(await statusOf(server)).toMatchObject({ status: "deprovisioned" });
  });
});

describe("19: tokens from before", () => {
  test("fail once the organisation is provisioned again, which starts anew", async () => {
    await using server = await bootEvents();
    const before = (await ask(server, PROVISION)).body;
    const connection = await connectionToken(server);
    const channel = `shipments:${ORG}.shp_1`;
    const subscription = await subscriptionToken(server, channel);
    await ask(server, DEPROVISION);
    const after = (await ask(server, PROVISION)).body;
    expect(after).toMatchObject({ status: "active", generation: 2 });
    expect(after["webhooks"]).not.toEqual(before["webhooks"]);
    using refused = await openClient(server);
    refused.send({ id: 1, connect: { token: connection } });
    expect(await refused.closed()).toEqual({ code: 4501, reason: "org deprovisioned" });
    using client = await connectUser(server);
    expect(await client.ask({ subscribe: { channel, token: subscription } })).toMatchObject({
      error: { code: 103 },
    });
    const fresh = await subscriptionToken(server, channel);
    expect(await client.ask({ subscribe: { channel, token: fresh } })).toMatchObject({
      subscribe: { recoverable: true },
    });
    await publish(server, { entity: "shp_1", data: { n: 1 } });
    expect(publicationsOf(await client.arrived()).map((each) => each.channel)).toEqual([
      ...[`shipments:${ORG}`, channel],
    ]);
  });

  test("fail on refresh too", async () => {
    await using server = await bootEvents();
    await provisionNew(server);
    const former = await connectionToken(server, NEW);
    const token = access(server, NEW);
    await ask(server, DEPROVISION, { token });
    await provisionNew(server);
    using client = await connectUser(server, NEW);
    client.send({ id: 9, refresh: { token: former } });
    expect(await client.closed()).toEqual({ code: 4501, reason: "org deprovisioned" });
  });
});

describe("20: looking ahead changes nothing", () => {
  test.each([
    ["Sec-Purpose", "prefetch"],
    ["Sec-Purpose", "prefetch;prerender"],
    ["Purpose", "prefetch"],
  ])("%s: %s", async (name, value) => {
    await using server = await bootEvents();
    for (const path of [PROVISION, DEPROVISION]) {
      const token = access(server, path === PROVISION ? NEW : {});
      const answer = await ask(server, path, { token, headers: { [name]: value } });
      expect([answer.status, codeOf(answer)]).toEqual([400, "invalid_request"]);
    }
    expect(await statusOf(server, NEW)).toMatchObject({ status: "none" });
    expect(await statusOf(server)).toMatchObject({ status: "active" });
  });

  test("HEAD is 405", async () => {
    await using server = await bootEvents();
    for (const [path, allow] of [
      [PROVISION, "GET, POST, DELETE"],
      [DEPROVISION, "GET, POST"],
    ] as const) {
      const token = access(server, path === PROVISION ? NEW : {});
      const answer = await ask(server, path, { method: "HEAD", token });
      expect([answer.status, answer.headers["allow"]]).toEqual([405, allow]);
    }
    expect(await statusOf(server, NEW)).toMatchObject({ status: "none" });
    expect(await statusOf(server)).toMatchObject({ status: "active" });
  });
});

test("an API key provisions any organisation by name", async () => {
  await using server = await bootEvents();
  const query = `?organisation_id=${OTHER_ORG}`;
  expect((await askByKey(server, PROVISION + query)).body).toMatchObject({
    ...{ organisation_id: OTHER_ORG, status: "active" },
  });
  const off = await askByKey(server, DEPROVISION, { organisation_id: OTHER_ORG });
  expect(off.body).toMatchObject({ organisation_id: OTHER_ORG, status: "deprovisioned" });
  expect(codeOf(await askByKey(server, PROVISION))).toBe("invalid_request");
});

test("a connection that is being let in while its organisation is switched off does not stay", async () => {
  await using server = await bootEvents();
  const token = await connectionToken(server);
  // Both at once, many times over: whichever is first, nobody is left.
  for (let round = 0; round < 20; round++) {
    const { client } = await connectWith(server, await connectionToken(server));
    using first = client;
    using racing = await openClient(server);
    racing.send({ id: 1, connect: { token: round === 0 ? token : await connectionToken(server) } });
    await ask(server, DEPROVISION);
    expect(await first.closed()).toMatchObject({ code: 4501 });
    for (;;) {
      const frame = await racing.raw.next();
      if (frame.opcode !== 8) continue;
      expect(frame.code).toBe(4501);
      break;
    }
    await server.advance(60_000);
    await ask(server, PROVISION);
  }
});
