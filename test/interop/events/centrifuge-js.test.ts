/** Checklist 34 and the whole flow (event-streaming.md §9.6, §11), as centrifuge-js sees it with `getToken` on these endpoints. */
import { describe, expect, test } from "bun:test";
import { State, SubscriptionState, UnauthorizedError } from "centrifuge";
import { UnauthorizedError as ProtobufUnauthorizedError } from "centrifuge/build/protobuf";
import {
  BUILDS,
  createOfficial,
  type Build,
  type OfficialClient,
} from "../../support/centrifuge-client.ts";
import {
  access,
  ask,
  askByKey,
  bootEvents,
  ORG,
  OTHER_ORG,
  publish,
  USER,
  type Json,
} from "../../support/events.ts";
import { holdTimers } from "../../support/held-timers.ts";
import type { StreamingServer } from "../../support/streaming.ts";

const CHANNEL = `shipments:${ORG}`;

interface Page {
  readonly build: Build;
  readonly official: OfficialClient;
  /** Statuses of the answers to its `getToken`. */
  readonly answers: number[];
  /** Of its access token, from now on. */
  claims: Json;
}

/** What a page does: asks for tokens, and gives up where it may not. */
function openPage(build: Build, server: StreamingServer, claims: Json = {}): Page {
  const answers: number[] = [];
  const page: Page = {
    ...{ answers, claims, build },
    official: createOfficial(build, server.websocketUrl, {
      getToken: () => fetchToken(server, page, "connection_token"),
    }),
  };
  return page;
}

/** By `fetch`, on the listener that browsers reach. */
async function fetchToken(server: StreamingServer, page: Page, path: string): Promise<string> {
  const answer = await fetch(`${server.clientsUrl}/events/${path}`, {
    headers: { Authorization: `Bearer ${access(server, page.claims)}` },
  });
  page.answers.push(answer.status);
  // Each build knows its own class alone.
  const Unauthorized = page.build === "json" ? UnauthorizedError : ProtobufUnauthorizedError;
  if (answer.status === 403) throw new Unauthorized("");
  if (!answer.ok) throw new Error(`Answered ${answer.status}`);
  return ((await answer.json()) as { token: string }).token;
}

describe.each(BUILDS)("centrifuge-js, %s", (build) => {
  test("provision, connect, receive, deprovision, and it stays away", async () => {
    await using server = await bootEvents();
    const claims = { org_id: OTHER_ORG };
    const page = openPage(build, server, claims);
    using official = page.official;
    const { client, heard } = official;
    client.connect();
    // Not provisioned yet: it tries again.
    while (page.answers.length < 3) await server.runtime.settle();
    expect(page.answers.slice(0, 3)).toEqual([409, 409, 409]);
    expect(client.state).toBe(State.Connecting);
    await ask(server, "/events/provision", { token: access(server, claims) });
    await heard.next("connected");

    const channels = ["orders", "shipments"].flatMap((name) => [
      ...[`${name}:${OTHER_ORG}`, `${name}:${OTHER_ORG}#${USER}`],
    ]);
    const joined = await Promise.all(channels.map(() => heard.next("subscribed")));
    expect(joined.map(({ channel }) => channel).toSorted()).toEqual(channels);
    expect(joined[0]).toMatchObject({ recoverable: true, positioned: true });

    const data = { n: 1, big: "9007199254740993" };
    await publish(server, { organisation_id: OTHER_ORG, id: "evt_1", data });
    await publish(server, { organisation_id: OTHER_ORG, users: [USER], data: { n: 2 } });
    const first = await heard.next("publication");
    expect([first.channel, official.value(first.data)]).toEqual([
      `shipments:${OTHER_ORG}`,
      {
        ...{ id: "evt_1", type: "shipment.updated", data },
        timestamp: new Date(server.runtime.clock.epochMs()).toISOString(),
      },
    ]);
    expect((await heard.next("publication")).channel).toBe(`shipments:${OTHER_ORG}#${USER}`);

    const off = await ask(server, "/events/deprovision", { token: access(server, claims) });
    expect(off.body).toMatchObject({ connections_closed: 1 });
    expect(await heard.next("disconnected")).toEqual({ code: 4501, reason: "org deprovisioned" });
    expect(client.state).toBe(State.Disconnected);
    // From this state there is no way back but a call of `connect`, and the token that it has opens nothing any more.
    client.connect();
    expect(await heard.next("disconnected")).toEqual({ code: 4501, reason: "org deprovisioned" });
    const manual = await ask(server, "/events/connection_token", { token: access(server, claims) });
    expect(manual.status).toBe(409);
  });

  test("a refresh without a scope leaves its channels, and the connection stays", async () => {
    await using server = await bootEvents();
    using timers = holdTimers(900_000);
    const page = openPage(build, server);
    using official = page.official;
    await official.connect();
    for (let channel = 0; channel < 4; channel++) await official.heard.next("subscribed");
    page.claims = { scope: "orders:read" };
    await server.advance(600_000);
    // The client's clock stands still meanwhile: it asks when its timer says.
    timers.fire();
    const left = [
      await official.heard.next("unsubscribed"),
      await official.heard.next("unsubscribed"),
    ];
    expect(left.map(({ channel }) => channel)).toEqual([CHANNEL, `${CHANNEL}#${USER}`]);
    await publish(server, { data: { n: 1 } });
    await publish(server, { resource: "orders", data: { n: 2 } });
    expect((await official.heard.next("publication")).channel).toBe(`orders:${ORG}`);
    expect(official.heard.untaken("publication")).toEqual([]);
    expect(official.client.state).toBe(State.Connected);
    expect(page.answers).toEqual([200, 200]);
    // Refreshed, so that it outlives the first token.
    await server.advance(400_000);
    expect(official.client.state).toBe(State.Connected);
  });

  test("a private channel by getToken: joined, refused for good with 403, retried with 409", async () => {
    await using server = await bootEvents();
    const page = openPage(build, server);
    using official = page.official;
    await official.connect();
    const subscribe = (channel: string) => {
      const path = `subscription_token?channel=${encodeURIComponent(channel)}`;
      return official.subscribe(channel, { getToken: () => fetchToken(server, page, path) });
    };
    const entity = subscribe(`${CHANNEL}.shp_1`);
    expect(await entity.heard.next("subscribed")).toMatchObject({ recoverable: true });
    await publish(server, { entity: "shp_1", data: { n: 1 } });
    expect(official.value((await entity.heard.next("publication")).data)).toMatchObject({
      data: { n: 1 },
    });
    const refused = subscribe(`shipments:${OTHER_ORG}`);
    expect(await refused.heard.next("unsubscribed")).toMatchObject({ code: 1 });
    expect(refused.subscription.state).toBe(SubscriptionState.Unsubscribed);
    expect(page.answers).toEqual([200, 200, 403]);
    expect(official.client.state).toBe(State.Connected);
  });

  test("without an organisation there is nothing to wait for: 403 ends it", async () => {
    await using server = await bootEvents();
    const page = openPage(build, server, { org_id: undefined });
    using official = page.official;
    official.client.connect();
    expect(await official.heard.next("disconnected")).toMatchObject({ reason: "unauthorized" });
    expect(page.answers).toEqual([403]);
  });

  test("a public channel needs no token", async () => {
    await using server = await bootEvents();
    const page = openPage(build, server, { scope: undefined });
    using official = page.official;
    await official.connect();
    const { heard } = official.subscribe("status:global");
    await heard.next("subscribed");
  });

  test("revoked: it asks for another token and is judged anew", async () => {
    await using server = await bootEvents();
    const page = openPage(build, server);
    using official = page.official;
    const { client } = await official.connect();
    await official.heard.next("connecting");
    official.heard.forget("subscribed");
    page.claims = { scope: "orders:read" };
    await server.advance(1_000);
    const body = { organisation_id: ORG, user_id: USER };
    const { body: revoked } = await askByKey(server, "/events/revoke", body);
    expect(revoked).toEqual({ revoked: true, connections_closed: 1 });
    // The mark is of this millisecond; what is issued later is beyond it.
    await server.advance(1);
    expect(await official.heard.next("connecting")).toEqual({
      ...{ code: 3014, reason: "state invalidated" },
    });
    expect((await official.heard.next("connected")).client).not.toBe(client);
    const channels = [
      await official.heard.next("subscribed"),
      await official.heard.next("subscribed"),
    ];
    expect(channels.map(({ channel }) => channel).toSorted()).toEqual([
      ...[`orders:${ORG}`, `orders:${ORG}#${USER}`],
    ]);
  });
});
