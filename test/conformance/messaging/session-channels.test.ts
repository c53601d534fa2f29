/** Channels, members and invitations (messaging.md §7.2, §7.3; §15, items 17 to 22), on raw WebSockets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Message, type MessagingClient } from "../../support/messaging.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** An owner's channel and members who joined it, each told of those behind it. */
async function channel(name: string, members: number) {
  const owner = await connect(server, `${name}-0`);
  const { "channel-id": id, "invite-token": token } = await owner.ask({ type: "create-channel" });
  const others: MessagingClient[] = [];
  for (let at = 1; at <= members; at++) {
    const member = await connect(server, `${name}-${at}`);
    await member.ask({ type: "join-channel", "invite-token": token });
    for (const each of [owner, ...others]) await each.nextOf("subscriber-joined");
    others.push(member);
  }
  return { owner, others, id, token };
}

describe("create-channel", () => {
  test("takes all, some and no fields, and makes its creator the administrator", async () => {
    using one = await connect(server, "17");
    const all = { name: "Night", "invite-token": "night-17", attributes: { n: 1, gone: null } };
    expect(await one.ask({ type: "create-channel", ...all })).toMatchObject({
      type: "invitation",
      name: "Night",
      from: "17",
      administrator: true,
      "invite-token": "night-17",
      attributes: { n: 1 },
    });
    const { "channel-id": id } = await one.ask({ type: "create-channel" });
    expect(await one.ask({ type: "list-subscribers", "channel-id": id })).toMatchObject({
      type: "subscribers",
      "channel-id": id,
      subscribers: [
        { id: "17", status: "", availability: "invisible", administrator: true, attributes: {} },
      ],
      more: false,
    });
    const again = { type: "create-channel", "invite-token": "night-17" };
    expect(await one.refused(again)).toBe("token-in-use");
  });

  test("tells the creator's other connections, which hear the channel from then on", async () => {
    using one = await connect(server, "18");
    using two = await connect(server, "18");
    const { "channel-id": id } = await one.ask({ type: "create-channel", name: "N" });
    expect(await two.next()).toMatchObject({
      type: "membership",
      change: "joined",
      channel: { "channel-id": id, name: "N", administrator: true, subscribers: 1 },
    });
    await one.ask({ type: "channel-message", "channel-id": id, content: "x" });
    expect(await two.next()).toMatchObject({ type: "channel-message", content: "x" });
    expect(await one.soFar()).toEqual([]);
  });
});

describe("join-channel", () => {
  test("is open to who has the token, twice without effect, and to nobody else", async () => {
    const { owner, others, id, token } = await channel("20", 1);
    using other = await connect(server, "20-x");
    expect(await other.refused({ type: "join-channel", "channel-id": id })).toBe("not-found");
    expect(await other.refused({ type: "join-channel", "invite-token": "no" })).toBe("not-found");
    const wrong = { type: "join-channel", "channel-id": "ch_x", "invite-token": token };
    expect(await other.refused(wrong)).toBe("not-found");
    const [member] = others;
    const again = await member?.ask({ type: "join-channel", "invite-token": token });
    expect(again).toMatchObject({ change: "joined", channel: { subscribers: 2 } });
    expect(await owner.soFar()).toEqual([]);
  });

  test("tells the joiner's other connections, and gives them the messages since", async () => {
    const { owner, id, token } = await channel("21", 0);
    await owner.ask({ type: "channel-message", "channel-id": id, content: "before" });
    using one = await connect(server, "21-x");
    using two = await connect(server, "21-x");
    expect(await one.ask({ type: "join-channel", "invite-token": token })).toMatchObject({
      channel: { "last-sequence": 1, "read-sequence": 1, administrator: false },
    });
    await owner.ask({ type: "channel-message", "channel-id": id, content: "after" });
    expect(await two.next()).toMatchObject({ type: "membership", change: "joined" });
    for (const each of [one, two]) {
      expect(await each.next()).toMatchObject({ content: "after", sequence: 2 });
    }
    const history = await one.ask({ type: "history", "channel-id": id });
    expect(history).toMatchObject({ messages: [{ content: "after" }], more: false });
  });

  test("needs no more in an open channel, which can be discovered", async () => {
    using owner = await connect(server, "22-0");
    const open = { type: "create-channel", access: "open", name: "Open" };
    const { "channel-id": id } = await owner.ask(open);
    using other = await connect(server, "22-1");
    const found = await other.ask({ type: "discover-channels" });
    const mine = (found["channels"] as Message[]).find((each) => each["channel-id"] === id);
    expect(mine).toMatchObject({ name: "Open", administrator: false, subscribers: 1 });
    expect(mine).not.toHaveProperty("read-sequence");
    expect(mine).not.toHaveProperty("invite-token");
    await other.ask({ type: "join-channel", "channel-id": id });
  });
});

describe("leave-channel", () => {
  test("tells the others, and the leaver's other connections hear nothing more", async () => {
    const { owner, others, id } = await channel("23", 1);
    using second = await connect(server, "23-1");
    await second.ask({ type: "ping" });
    const left = await others[0]?.ask({ type: "leave-channel", "channel-id": id });
    expect(left).toMatchObject({
      type: "membership",
      change: "left",
      channel: { "channel-id": id, name: "", administrator: false },
    });
    expect(await second.next()).toEqual({
      type: "membership",
      change: "left",
      channel: { "channel-id": id, name: "", administrator: false },
    });
    expect(await owner.next()).toEqual({
      type: "subscriber-left",
      "channel-id": id,
      id: "23-1",
      cause: "left",
    });
    await owner.ask({ type: "channel-message", "channel-id": id, content: "x" });
    expect(await second.soFar()).toEqual([]);
    expect(await others[0]?.soFar()).toEqual([]);
    expect(await second.refused({ type: "history", "channel-id": id })).toBe("not-found");
    const send = { type: "channel-message", "channel-id": id, content: "x" };
    expect(await second.refused(send)).toBe("not-found");
  });

  test("by the last administrator makes the longest-standing member one, by the last member ends it", async () => {
    const { owner, others, id, token } = await channel("24", 2);
    const [first, second] = others;
    await owner.ask({ type: "leave-channel", "channel-id": id });
    expect(await first?.next()).toMatchObject({ type: "subscriber-left", id: "24-0" });
    expect(await first?.next()).toMatchObject({
      type: "membership",
      change: "updated",
      channel: { administrator: true, "invite-token": token, subscribers: 2 },
    });
    expect(await second?.next()).toMatchObject({ type: "subscriber-left" });
    expect(await second?.next()).toMatchObject({
      type: "subscriber-updated",
      subscriber: { id: "24-1", administrator: true },
    });
    await second?.ask({ type: "leave-channel", "channel-id": id });
    await first?.ask({ type: "leave-channel", "channel-id": id });
    expect(await owner.refused({ type: "join-channel", "invite-token": token })).toBe("not-found");
  });
});

describe("invitations", () => {
  test("reach all connections at once, are listed, declined and cancelled", async () => {
    const { owner, id } = await channel("25", 0);
    using one = await connect(server, "25-x");
    using two = await connect(server, "25-x");
    await two.ask({ type: "ping" });
    const invite = { type: "invite", "channel-id": id, subscribers: ["25-x"], note: "Come" };
    await owner.ask(invite);
    for (const each of [one, two]) {
      expect(await each.next()).toEqual({
        type: "invitation",
        "channel-id": id,
        name: "",
        from: "25-0",
        administrator: false,
        attributes: {},
        note: "Come",
        timestamp: expect.any(String),
      });
    }
    expect(await one.ask({ type: "list-invitations" })).toMatchObject({
      type: "invitations",
      invitations: [{ "channel-id": id, name: "", from: "25-0", note: "Come" }],
    });
    await one.ask({ type: "decline-invitation", "channel-id": id, reason: "on leave" });
    expect(await owner.next()).toEqual({
      type: "invitation-declined",
      "channel-id": id,
      subscriber: "25-x",
      reason: "on leave",
    });
    expect(await one.refused({ type: "decline-invitation", "channel-id": id })).toBe("not-found");
    await owner.ask(invite);
    await one.nextOf("invitation");
    await owner.ask({ type: "cancel-invitation", "channel-id": id, subscriber: "25-x" });
    expect(await one.next()).toEqual({ type: "invitation-cancelled", "channel-id": id });
    expect(await one.refused({ type: "join-channel", "channel-id": id })).toBe("not-found");
  });

  test("wait for who is offline, once, and nobody is invited with one who is unknown", async () => {
    const { owner, id } = await channel("26", 0);
    await (await connect(server, "26-x")).close();
    const both = { type: "invite", "channel-id": id, subscribers: ["26-x", "nobody"] };
    const { ack } = await owner.request(both);
    expect(ack).toMatchObject({ status: false, error: "not-found", field: "nobody" });
    await owner.ask({ type: "invite", "channel-id": id, subscribers: ["26-x"] });
    const one = await connect(server, "26-x");
    expect(await one.next()).toMatchObject({ type: "invitation", from: "26-0" });
    await server.advance(10);
    await one.close();
    using two = await connect(server, "26-x");
    expect(await two.soFar()).toEqual([]);
    expect(await two.ask({ type: "join-channel", "channel-id": id })).toMatchObject({
      change: "joined",
    });
  });
});

describe("remove-subscriber", () => {
  test("ends the membership on all connections, with nothing of the channel behind the ack", async () => {
    const { owner, others, id, token } = await channel("27", 2);
    const [removed, stays] = others;
    using second = await connect(server, "27-1");
    await second.ask({ type: "ping" });
    const removal = { "channel-id": id, subscriber: "27-1", reason: "spam", ban: true };
    await owner.ask({ type: "remove-subscriber", ...removal });
    const send = { type: "channel-message", "channel-id": id, content: "later" };
    await owner.ask(send);
    for (const each of [removed, second]) {
      expect(await each?.next()).toEqual({
        type: "membership",
        change: "removed",
        channel: { "channel-id": id, name: "", administrator: false },
        by: "27-0",
        reason: "spam",
      });
      expect(await each?.soFar()).toEqual([]);
    }
    const told = { type: "subscriber-left", "channel-id": id, id: "27-1", cause: "removed" };
    expect(await owner.next()).toEqual({ ...told, by: "27-0" });
    expect(await stays?.next()).toEqual({ ...told, by: "27-0" });
    expect(await stays?.next()).toMatchObject({ content: "later" });
    const join = { type: "join-channel", "invite-token": token };
    expect(await removed?.refused(join)).toBe("not-found");
    await owner.ask({ type: "invite", "channel-id": id, subscribers: ["27-1"] });
    await removed?.ask(join);
    await owner.ask(send);
    expect(await removed?.nextOf("channel-message")).toMatchObject({ sequence: 2 });
  });
});

describe("administrators", () => {
  test("alone change, invite, remove, promote and delete; outsiders know nothing of it", async () => {
    const { others, id } = await channel("28", 1);
    using outsider = await connect(server, "28-x");
    const about = { "channel-id": id, subscriber: "28-0" };
    const calls: readonly Message[] = [
      { type: "update-channel", "channel-id": id, name: "x" },
      { type: "delete-channel", "channel-id": id },
      { type: "invite", "channel-id": id, subscribers: ["28-x"] },
      { type: "remove-subscriber", ...about },
      { type: "set-administrator", ...about, administrator: false },
    ];
    for (const call of calls) {
      expect(await others[0]?.refused(call)).toBe("not-administrator");
      expect(await outsider.refused(call)).toBe("not-found");
    }
  });

  test("are made and unmade, but never the last", async () => {
    const { owner, others, id, token } = await channel("29", 2);
    const [member, other] = others;
    const set = { type: "set-administrator", "channel-id": id };
    const last = { ...set, subscriber: "29-0", administrator: false };
    expect(await owner.refused(last)).toBe("last-administrator");
    await owner.ask({ ...set, subscriber: "29-1", administrator: true });
    await owner.ask({ ...set, subscriber: "29-1", administrator: true });
    expect(await member?.next()).toMatchObject({
      type: "membership",
      change: "updated",
      channel: { administrator: true, "invite-token": token },
    });
    const updated = { type: "subscriber-updated", subscriber: { id: "29-1", administrator: true } };
    expect(await owner.next()).toMatchObject(updated);
    expect(await other?.next()).toMatchObject(updated);
    await member?.ask(last);
    expect(await owner.next()).toMatchObject({
      change: "updated",
      channel: { administrator: false },
    });
    const demoted = await owner.ask({ type: "list-channels" });
    expect(demoted).toMatchObject({ type: "channels", more: false });
    expect((demoted["channels"] as Message[])[0]).not.toHaveProperty("invite-token");
  });

  test("update the channel, and each member is told with what is its own", async () => {
    const { owner, others, id } = await channel("30", 1);
    using second = await connect(server, "30-0");
    await second.ask({ type: "ping" });
    await owner.ask({ type: "channel-message", "channel-id": id, content: "1" });
    await second.nextOf("channel-message");
    const changes = { name: "New", attributes: { a: 1 }, "invite-token": "token-30" };
    const change = { type: "update-channel", "channel-id": id, ...changes };
    expect(await owner.ask(change)).toMatchObject({
      change: "updated",
      channel: { ...changes, administrator: true, subscribers: 2, "last-sequence": 1 },
    });
    expect(await second.next()).toMatchObject({ change: "updated", channel: changes });
    await others[0]?.nextOf("channel-message");
    expect(await others[0]?.next()).toEqual({
      type: "membership",
      change: "updated",
      channel: {
        "channel-id": id,
        name: "New",
        administrator: false,
        attributes: { a: 1 },
        subscribers: 2,
        "last-sequence": 1,
        "read-sequence": 0,
      },
    });
    expect(await owner.soFar()).toEqual([]);
  });

  test("delete the channel for everybody", async () => {
    const { owner, others, id } = await channel("31", 1);
    const deleted = { change: "deleted", channel: { "channel-id": id, administrator: false } };
    const request = { type: "delete-channel", "channel-id": id };
    expect(await owner.ask(request)).toMatchObject(deleted);
    expect(await others[0]?.next()).toMatchObject({ type: "membership", ...deleted });
    expect(await owner.refused(request)).toBe("not-found");
    expect(await others[0]?.ask({ type: "list-channels" })).toMatchObject({ channels: [] });
  });
});

test("list-subscribers pages by id", async () => {
  const { owner, id } = await channel("32", 3);
  const list = { type: "list-subscribers", "channel-id": id, limit: 2 };
  const ids = (page: Message) => (page["subscribers"] as Message[]).map((each) => each["id"]);
  const first = await owner.ask(list);
  expect([ids(first), first["more"]]).toEqual([["32-0", "32-1"], true]);
  const second = await owner.ask({ ...list, after: "32-1" });
  expect([ids(second), second["more"]]).toEqual([["32-2", "32-3"], false]);
});

test("the last member leaves on all of its connections", async () => {
  using one = await connect(server, "last");
  using other = await connect(server, "last");
  await other.ask({ type: "ping" });
  const { "channel-id": id } = await one.ask({ type: "create-channel" });
  expect(await other.next()).toMatchObject({ type: "membership", change: "joined" });
  await one.ask({ type: "leave-channel", "channel-id": id });
  expect(await other.next()).toMatchObject({
    ...{ type: "membership", change: "left", channel: { "channel-id": id } },
  });
});
