/**
 * Subscribers that are deactivated or deleted, and tokens that are revoked, with their conversations (messaging.md §4.3, §8.5; §15,
 * items 5 to 7): connections end on every node and over every transport, and channels are left only where the subscriber ends.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { AppEngine, Engine, Records } from "../../../src/core/engine.ts";
import { HubError } from "../../../src/core/errors.ts";
import { createTestEngine } from "../../support/engine.ts";
import { connect, connectSockJs, tokenOf, type MessagingClient } from "../../support/messaging.ts";
import { manage, managed, send } from "../../support/messaging-auth.ts";
import { MessagingNodes } from "../../support/messaging-nodes.ts";
import { createTestRuntime, type TestRuntime } from "../../support/runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

const ENDED = { code: 4401, reason: "Unauthorized" };

let nodes: MessagingNodes;
let here: BootedServer;
/** On Redis another node, embedded the same. */
let there: BootedServer;
beforeAll(async () => {
  nodes = await MessagingNodes.start({});
  const [first, second = first] = nodes.servers;
  if (first === undefined || second === undefined) throw new Error("There is no node");
  [here, there] = [first, second];
});
afterAll(() => nodes[Symbol.asyncDispose]());

/** On either node, by different transports, each past its backlog. */
async function connections(subscriber: string): Promise<readonly MessagingClient[]> {
  const all = [
    await connect(here, subscriber),
    await connect(there, subscriber),
    await connectSockJs(here, subscriber, "websocket"),
    await connectSockJs(there, subscriber, "xhr-streaming"),
    await connectSockJs(there, subscriber, "xhr-polling"),
  ];
  for (const each of all) await each.ask({ type: "ping" });
  return all;
}

async function channelOf(client: MessagingClient): Promise<Record<"id" | "token", unknown>> {
  const { "channel-id": id, "invite-token": token } = await client.ask({ type: "create-channel" });
  return { id, token };
}

async function subscribersIn(client: MessagingClient, id: unknown): Promise<unknown> {
  const { subscribers } = await client.ask({ type: "list-subscribers", "channel-id": id });
  return (subscribers as { id: string; administrator: boolean }[]).map(
    ({ id: subscriber, administrator }) => [subscriber, administrator],
  );
}

describe.each([
  ["deactivated", (id: string) => managed(here, "PATCH", `/subscribers/${id}`, { active: false })],
  ["deleted", (id: string) => managed(here, "DELETE", `/subscribers/${id}`)],
])("a subscriber that is %s", (how, end) => {
  test("has no connections, has left its channels, and cannot be reached", async () => {
    const id = `gone-${how}`;
    using other = await connect(there, `other-${how}`);
    const all = await connections(id);
    const [first] = all;
    if (first === undefined) throw new Error("There is no connection");
    const administered = await channelOf(first);
    const joined = await channelOf(other);
    const alone = await channelOf(first);
    await other.ask({ type: "join-channel", "invite-token": administered.token });
    await first.ask({ type: "join-channel", "invite-token": joined.token });
    await first.ask({ type: "announce", availability: "busy" });
    await other.ask({ type: "watch-availability", subscribers: [id] });
    other.drain();

    await end(id);

    for (const each of all) expect(await each.closed).toEqual(ENDED);
    const left = { type: "subscriber-left", id, cause: "deactivated" };
    for (const channel of [administered, joined]) {
      const inChannel = (message: Readonly<Record<string, unknown>>) =>
        message["channel-id"] === channel.id;
      expect(await other.nextOf("subscriber-left", inChannel)).toEqual({
        ...left,
        "channel-id": channel.id,
      });
    }
    // It was the only administrator of one: the other one follows.
    expect(await other.nextOf("membership")).toMatchObject({
      change: "updated",
      channel: { "channel-id": administered.id, administrator: true, subscribers: 1 },
    });
    for (const channel of [administered, joined]) {
      expect(await subscribersIn(other, channel.id)).toEqual([[other.subscriber, true]]);
    }
    // Nothing is left of the channel that it was alone in.
    const again = { type: "join-channel", "invite-token": alone.token };
    expect(await other.refused(again)).toBe("not-found");
    await other.nextOf("availability", ({ subscribers }) =>
      (subscribers as { availability: string }[]).every((each) => each.availability !== "busy"),
    );
    expect(await other.refused({ type: "direct-message", to: id, content: "x" })).toBe("not-found");
    const invite = { type: "invite", "channel-id": joined.id, subscribers: [id] };
    expect(await other.refused(invite)).toBe("not-found");
    for (const server of [here, there]) await expect(connect(server, id)).rejects.toThrow();
  });
});

test("one that is active again is not in its channels, and one that is made anew neither", async () => {
  using owner = await connect(here, "keeps");
  const { id, token } = await channelOf(owner);
  for (const [how, end, again] of [
    ["active", { method: "PATCH", body: { active: false } }, { active: true }],
    ["anew", { method: "DELETE", body: undefined }, undefined],
  ] as const) {
    const subscriber = `back-${how}`;
    const path = `/subscribers/${subscriber}`;
    const first = await connect(there, subscriber);
    await first.ask({ type: "join-channel", "invite-token": token });
    await owner.ask({ type: "direct-message", to: subscriber, content: "before" });
    await managed(here, end.method, path, end.body);
    await first.closed;
    if (again === undefined) await managed(here, "POST", "/subscribers", { msisdn: subscriber });
    else await managed(here, "PATCH", path, again);
    const minted = await managed(there, "POST", `${path}/keys`);
    using back = await connect(there, subscriber, String(minted["access_token"]));
    expect(await back.ask({ type: "list-channels" })).toMatchObject({ channels: [] });
    expect(await back.refused({ type: "history", "channel-id": id })).toBe("not-found");
    expect(await subscribersIn(owner, id)).toEqual([["keeps", true]]);
    // Direct conversations are its id's.
    const { messages } = await back.ask({ type: "history", with: "keeps" });
    expect(messages).toMatchObject([{ content: "before" }]);
  }
});

test("a revoked token ends its connections on every node, and its subscriber stays a member", async () => {
  using owner = await connect(there, "revokes");
  const { id, token } = await channelOf(owner);
  const all = await connections("revoked");
  const [first] = all;
  await first?.ask({ type: "join-channel", "invite-token": token });
  await first?.ask({ type: "announce", availability: "dnd" });
  await owner.nextOf("availability");
  owner.drain();
  await send(here, "revoke", { token: tokenOf("revoked") });
  for (const each of all) expect(await each.closed).toEqual(ENDED);
  const shown = await owner.nextOf("availability");
  expect(shown).toMatchObject({ subscribers: [{ id: "revoked", availability: "invisible" }] });
  await owner.ask({ type: "channel-message", "channel-id": id, content: "meanwhile" });
  expect(await owner.soFar()).toEqual([]);
  expect(await subscribersIn(owner, id)).toEqual([
    ["revoked", false],
    ["revokes", true],
  ]);
  const { status, body } = await manage(here, "POST", "/subscribers/revoked/keys");
  expect(status).toBe(201);
  using again = await connect(there, "revoked", String(body?.["access_token"]));
  expect(await again.next()).toMatchObject({ content: "meanwhile", backlog: true });
});

test.each(["PATCH", "DELETE"])(
  "%s that failed half way is asked for again, and leaves nothing half done",
  async (method) => {
    const runtime = createTestRuntime();
    const { engine, broken } = breakingEngine(runtime);
    await using server = await bootServer({ engine, runtime });
    using owner = await connect(server, "owner");
    const { id, token } = await channelOf(owner);
    const member = await connect(server, "member");
    await member.ask({ type: "join-channel", "invite-token": token });
    const end = () => manage(server, method, "/subscribers/member", { active: false });
    broken.changes = true;
    expect((await end()).status).toBe(503);
    expect(await member.closed).toEqual(ENDED);
    await expect(connect(server, "member")).rejects.toThrow();
    broken.changes = false;
    expect((await end()).status).toBe(method === "PATCH" ? 200 : 204);
    expect(await subscribersIn(owner, id)).toEqual([["owner", true]]);
  },
);

/** Its records make no change of several keys while `broken` says so. */
function breakingEngine(runtime: TestRuntime) {
  const whole = createTestEngine({ runtime });
  const broken = { changes: false };
  const appOf = (name: string): AppEngine => {
    const app = whole.app(name);
    const change: Records["change"] = async (changes) => {
      if (broken.changes) throw new HubError("unavailable", "The test broke it");
      return app.records.change(changes);
    };
    return { ...app, records: { ...app.records, change } };
  };
  const engine: Engine = {
    ...whole,
    app: appOf,
    [Symbol.asyncDispose]: () => whole[Symbol.asyncDispose](),
  };
  return { engine, broken };
}
