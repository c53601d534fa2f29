/** Channels and who is in them (messaging.md §7.2, §9, §15: 17, 18, 20, 22, 31), on the engine of the run. */
import { describe, expect, test } from "bun:test";
import {
  administrators,
  attributes,
  breaking,
  channelOf,
  chatNodes,
  keptKeys,
  memberIds,
  refusal,
  text,
} from "../../support/chat.ts";

describe("create()", () => {
  test("takes all, some and no fields, and makes its caller member and administrator", async () => {
    await using server = await chatNodes();
    const { channels, members } = server.chat;
    const bare = await channels.create("101", {});
    expect(bare).toMatchObject({ name: "", attributes: "{}", access: "invite", subscribers: 1 });
    expect(bare.channelId).toMatch(/^ch_[-\w]{22}$/);
    expect(bare.inviteToken).toMatch(/^tk_[-\w]{22}$/);
    expect(bare.member).toMatchObject({ subscriber: "101", administrator: true });
    const full = await channels.create("101", {
      name: "Ops",
      inviteToken: "night-2025",
      attributes: attributes('{"n":9007199254740993}'),
      access: "open",
    });
    expect(full).toMatchObject({ name: "Ops", inviteToken: "night-2025", access: "open" });
    const again = await channels.find("101", full.channelId);
    expect(again).toEqual(full);
    expect(again?.attributes).toBe(attributes('{"n":9007199254740993}'));
    expect((await members.list("101", bare.channelId, {})).items).toMatchObject([
      { subscriber: "101", administrator: true, joinSequence: 0, readSequence: 0 },
    ]);
    expect((await channels.list("101")).map(({ channelId }) => channelId)).toEqual(
      [bare.channelId, full.channelId].sort(),
    );
  });

  test("refuses a token that a living channel has, also when two race for it on two nodes", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const [one, two] = server.nodes;
    const made = await Promise.all(
      [one, two, one, two].map((node, index) =>
        refusal(node?.chat.channels.create(`10${index}`, { inviteToken: "t" }) ?? Promise.reject()),
      ),
    );
    expect(made.toSorted()).toEqual([
      "done",
      ...Array.from({ length: 3 }, () => "token-in-use invite-token"),
    ]);
    const half = server.chat.channels.create("101", { inviteToken: "\ud800" });
    expect(await refusal(half)).toBe("invalid-field invite-token");
  });

  test("is refused beyond the channels that a subscriber may be in, however many race", async () => {
    await using server = await chatNodes({ nodes: 2, settings: { channel_limit: 3 } });
    const made = await Promise.all(
      Array.from({ length: 6 }, (_, index) =>
        refusal(server.nodes[index % 2]?.chat.channels.create("101", {}) ?? Promise.reject()),
      ),
    );
    expect(made.filter((result) => result === "done")).toHaveLength(3);
    expect(made.filter((result) => result === "limit-reached")).toHaveLength(3);
    const { channelId, inviteToken } = await channelOf(server.chat, ["102"]);
    const { channels } = server.chat;
    expect(await refusal(channels.join("101", { inviteToken }))).toBe("limit-reached");
    const [first] = await channels.list("101");
    await channels.leave("101", first?.channelId ?? "");
    expect(await refusal(channels.join("101", { channelId, inviteToken }))).toBe("done");
  });

  test.each([
    ["attributes at the limit", `{"a":"${"x".repeat(4088)}"}`, "done"],
    ["attributes of one byte more", `{"a":"${"x".repeat(4089)}"}`, "too-large attributes"],
    ["64 attributes", JSON.stringify(keys(64)), "done"],
    ["65 attributes", JSON.stringify(keys(65)), "too-large attributes"],
  ])("with %s", async (_what, json, result) => {
    await using server = await chatNodes();
    const made = server.chat.channels.create("101", { attributes: attributes(json) });
    expect(await refusal(made)).toBe(result);
  });
});

const keys = (count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, 1]));

describe("join()", () => {
  test("admits by token, by invitation and where it is open, and nobody else", async () => {
    await using server = await chatNodes();
    const { channels, invitations } = server.chat;
    const { channelId, inviteToken } = await channels.create("101", {});
    expect(await refusal(channels.join("102", { channelId }))).toBe("not-found");
    expect(await refusal(channels.join("102", { channelId, inviteToken: "no" }))).toBe("not-found");
    expect(await refusal(channels.join("102", { inviteToken: "no" }))).toBe("not-found");
    expect(await refusal(channels.join("102", { channelId: "ch_no/../x" }))).toBe("not-found");
    const other = await channels.create("101", {});
    const both = { channelId: other.channelId, inviteToken };
    expect(await refusal(channels.join("102", both))).toBe("not-found");
    const joined = await channels.join("102", { inviteToken });
    expect(joined).toMatchObject({
      changed: true,
      membership: {
        channelId,
        subscribers: 2,
        member: { subscriber: "102", administrator: false },
      },
    });
    await invitations.invite("101", channelId, { subscribers: ["103"] });
    expect((await channels.join("103", { channelId })).changed).toBe(true);
    await channels.update("101", channelId, { access: "open" });
    expect((await channels.join("104", { channelId })).membership.subscribers).toBe(4);
  });

  test("by a member changes nothing", async () => {
    await using server = await chatNodes();
    const { channelId } = await channelOf(server.chat, ["101", "102"]);
    for (const caller of ["101", "102"]) {
      const again = await server.chat.channels.join(caller, { channelId });
      expect(again.changed).toBe(false);
      expect(again.membership.subscribers).toBe(2);
    }
  });

  test("of fifty that race on two nodes counts each once", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const { channelId, inviteToken } = await channelOf(server.chat, ["101"]);
    await Promise.all(
      Array.from({ length: 50 }, (_, index) =>
        server.nodes[index % 2]?.chat.channels.join(`${200 + (index % 25)}`, { inviteToken }),
      ),
    );
    expect((await server.chat.channels.find("101", channelId))?.subscribers).toBe(26);
    expect(await memberIds(server.chat, "101", channelId)).toHaveLength(26);
  });

  test("is refused beyond the members that a channel may have, however many race", async () => {
    await using server = await chatNodes({ nodes: 2, settings: { member_limit: 5 } });
    const { channelId, inviteToken } = await channelOf(server.chat, ["101"]);
    const joined = await Promise.all(
      Array.from({ length: 8 }, (_, index) => {
        const chat = server.nodes[index % 2]?.chat ?? server.chat;
        return refusal(chat.channels.join(`20${index}`, { inviteToken }));
      }),
    );
    expect(joined.filter((result) => result === "done")).toHaveLength(4);
    expect(joined.filter((result) => result === "limit-reached")).toHaveLength(4);
    expect(await memberIds(server.chat, "101", channelId)).toHaveLength(5);
  });
});

describe("leave()", () => {
  test("of the last administrator makes the longest-standing member one", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "109", "103", "102"]);
    const left = await chat.channels.leave("101", channelId);
    expect(left).toMatchObject({
      channel: { subscribers: 3 },
      successor: { subscriber: "109", administrator: true },
    });
    expect(await administrators(chat, "102", channelId)).toEqual(["109"]);
    await chat.members.setAdministrator("109", channelId, {
      subscriber: "102",
      administrator: true,
    });
    expect(await chat.channels.leave("109", channelId)).not.toHaveProperty("successor");
    expect(await administrators(chat, "103", channelId)).toEqual(["102"]);
    expect(await refusal(chat.channels.leave("101", channelId))).toBe("not-found");
  });

  test("of the last member ends the channel, whose token is free again", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const made = { inviteToken: "t", access: "open" as const };
    const { channelId } = await chat.channels.create("101", made);
    await chat.invitations.invite("101", channelId, { subscribers: ["102"] });
    await chat.messages.sendToChannel("101", channelId, text("hi"));
    expect((await chat.channels.leave("101", channelId)).channel.subscribers).toBe(0);
    expect(await refusal(chat.channels.join("102", { channelId }))).toBe("not-found");
    expect(await chat.channels.list("101")).toEqual([]);
    expect((await chat.channels.discover("102", {})).items).toEqual([]);
    expect(await keptKeys(server.records)).toEqual([]);
    expect(await refusal(chat.channels.create("102", { inviteToken: "t" }))).toBe("done");
  });

  test("of all at once on two nodes leaves nothing", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const ids = Array.from({ length: 10 }, (_, index) => `10${index}`);
    const { channelId } = await channelOf(server.chat, ids);
    await Promise.all(
      ids.map((id, index) => server.nodes[index % 2]?.chat.channels.leave(id, channelId)),
    );
    expect(await keptKeys(server.records)).toEqual([]);
  });

  test("of everything is for subscribers that are no more", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const [one, two] = [await channelOf(chat, ["101", "102"]), await channelOf(chat, ["101"])];
    const left = await chat.channels.leaveAll("101");
    expect(
      left.map(({ channel, successor }) => [channel.channelId, successor?.subscriber]),
    ).toEqual([
      [one.channelId, "102"],
      [two.channelId, undefined],
    ]);
    expect(await chat.channels.list("101")).toEqual([]);
  });
});

describe("rights (§9)", () => {
  test("a member is no administrator, and to an outsider there is no channel", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "102", "103"]);
    const { channels, members, invitations, messages } = chat;
    const administer = (caller: string) => [
      channels.update(caller, channelId, { name: "x" }),
      channels.delete(caller, channelId),
      invitations.invite(caller, channelId, { subscribers: ["104"] }),
      invitations.cancel(caller, channelId, "104"),
      members.remove(caller, channelId, { subscriber: "103" }),
      members.setAdministrator(caller, channelId, { subscriber: "103", administrator: true }),
    ];
    const take = (caller: string) => [
      channels.leave(caller, channelId),
      members.list(caller, channelId, {}),
      messages.sendToChannel(caller, channelId, text("hi")),
      messages.channelHistory(caller, channelId, {}),
    ];
    const refusals = (calls: readonly Promise<unknown>[]) =>
      Promise.all(calls.map((call) => refusal(call)));
    expect(new Set(await refusals(administer("102")))).toEqual(new Set(["not-administrator"]));
    expect(new Set(await refusals([...administer("109"), ...take("109")]))).toEqual(
      new Set(["not-found"]),
    );
    expect(await channels.find("109", channelId)).toBeUndefined();
    expect(await memberIds(chat, "101", channelId)).toEqual(["101", "102", "103"]);
  });

  test("the last administrator stays one, also when two give theirs up at once", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "102"]);
    const demote = (subscriber: string, node = 0) =>
      refusal(
        server.nodes[node]?.chat.members.setAdministrator(subscriber, channelId, {
          subscriber,
          administrator: false,
        }) ?? Promise.reject(),
      );
    expect(await demote("101")).toBe("last-administrator");
    const promote = { subscriber: "102", administrator: true };
    const promoted = await chat.members.setAdministrator("101", channelId, promote);
    expect(promoted).toMatchObject({ changed: true, member: promote });
    const again = await chat.members.setAdministrator("101", channelId, promote);
    expect(again).toMatchObject({ changed: false, member: promote });
    const both = await Promise.all([demote("101", 0), demote("102", 1)]);
    expect(both.toSorted()).toEqual(["done", "last-administrator"]);
    expect(await administrators(chat, "101", channelId)).toHaveLength(1);
    const stranger = { subscriber: "109", administrator: true };
    const [administrator = ""] = await administrators(chat, "101", channelId);
    const strange = chat.members.setAdministrator(administrator, channelId, stranger);
    expect(await refusal(strange)).toBe("not-found subscriber");
  });

  test("a removed member is out, and a banned one stays so until it is invited", async () => {
    await using server = await chatNodes();
    const { channels, members, invitations } = server.chat;
    const { channelId, inviteToken } = await channelOf(server.chat, ["101", "102", "103"]);
    const removal = { subscriber: "102" };
    expect((await members.remove("101", channelId, removal)).subscribers).toBe(2);
    expect((await channels.join("102", { inviteToken })).changed).toBe(true);
    await members.remove("101", channelId, { ...removal, ban: true });
    expect(await refusal(channels.join("102", { inviteToken }))).toBe("not-found");
    expect(await channels.list("102")).toEqual([]);
    await channels.update("101", channelId, { access: "open" });
    expect(await refusal(channels.join("102", { channelId }))).toBe("not-found");
    await invitations.invite("101", channelId, { subscribers: ["102"] });
    expect((await channels.join("102", { channelId })).changed).toBe(true);
    const oneself = members.remove("101", channelId, { subscriber: "101" });
    expect(await refusal(oneself)).toBe("invalid-field subscriber");
    const stranger = members.remove("101", channelId, { subscriber: "109" });
    expect(await refusal(stranger)).toBe("not-found subscriber");
  });
});

describe("update()", () => {
  test("changes what it names, merges attributes and moves the token", async () => {
    await using server = await chatNodes();
    const { channels } = server.chat;
    const made = await channels.create("101", {
      name: "Ops",
      attributes: attributes('{"a":1,"b":9007199254740993}'),
    });
    const { channelId } = made;
    const changes = { attributes: attributes('{"a":null,"c":[1.0]}'), inviteToken: "new" };
    const changed = await channels.update("101", channelId, changes);
    expect(changed).toMatchObject({ name: "Ops", inviteToken: "new" });
    expect(changed.attributes).toBe(attributes('{"b":9007199254740993,"c":[1.0]}'));
    expect(changed.revision).toBeGreaterThan(made.revision);
    expect(await refusal(channels.join("102", { inviteToken: made.inviteToken }))).toBe(
      "not-found",
    );
    expect(await refusal(channels.join("102", { inviteToken: "new" }))).toBe("done");
    const fresh = await channels.update("101", channelId, { inviteToken: "" });
    expect(fresh.inviteToken).toMatch(/^tk_/);
    await channels.create("101", { inviteToken: "taken" });
    const taken = channels.update("101", channelId, { name: "x", inviteToken: "taken" });
    expect(await refusal(taken)).toBe("token-in-use invite-token");
    expect((await channels.find("101", channelId))?.name).toBe("Ops");
    const large = attributes(`{"d":"${"x".repeat(4070)}"}`);
    const beyond = channels.update("101", channelId, { attributes: large });
    expect(await refusal(beyond)).toBe("too-large attributes");
  });

  test("opens a channel, which everybody then finds, and closes it", async () => {
    await using server = await chatNodes();
    const { channels } = server.chat;
    const found = async (caller: string, query = {}) => {
      const { items, more } = await channels.discover(caller, query);
      return [
        items.map(({ channelId, membership }) => [channelId, membership !== undefined]),
        more,
      ];
    };
    const made = [];
    for (let index = 0; index < 3; index++) {
      made.push((await channels.create("101", { access: "open" })).channelId);
    }
    const [first = "", second = "", third = ""] = made.sort();
    await channels.join("102", { channelId: second });
    expect(await found("102", { limit: 2 })).toEqual([
      [
        [first, false],
        [second, true],
      ],
      true,
    ]);
    expect(await found("102", { after: second })).toEqual([[[third, false]], false]);
    await channels.update("101", first, { access: "invite" });
    await channels.update("101", third, { name: "x" });
    expect((await found("103"))[0]).toEqual([
      [second, false],
      [third, false],
    ]);
  });
});

describe("delete()", () => {
  test("removes members, invitations, bans and messages", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId, inviteToken } = await channelOf(chat, ["101", "102", "103"]);
    await chat.invitations.invite("101", channelId, { subscribers: ["104"] });
    await chat.members.remove("101", channelId, { subscriber: "103", ban: true });
    const { message } = await chat.messages.sendToChannel("101", channelId, text("hi"));
    await chat.messages.edit("101", message.messageId, text("ho"));
    expect(await chat.channels.delete("101", channelId)).toMatchObject({ channelId });
    for (const caller of ["101", "102", "103", "104"]) {
      const calls = [
        chat.channels.join(caller, { inviteToken }),
        chat.messages.sendToChannel(caller, channelId, text("hi")),
        chat.messages.edit(caller, message.messageId, text("ho")),
      ];
      for (const call of calls) expect(await refusal(call)).toStartWith("not-found");
      expect(await chat.channels.list(caller)).toEqual([]);
      expect(await chat.invitations.list(caller)).toEqual([]);
    }
    expect(await keptKeys(server.records)).toEqual([]);
    expect(
      (await server.hub.history({ space: "messaging", name: channelId }, { limit: 9 }))
        .publications,
    ).toEqual([]);
  });

  test("that a kill interrupts is ended at the next start, and the channel is gone before", async () => {
    let killed = false;
    const change = breaking((keys) => killed && !keys.some((key) => key.includes("/ending/")));
    await using server = await chatNodes({ nodes: 2, change });
    const { chat } = server;
    const { channelId, inviteToken } = await channelOf(chat, ["101", "102"]);
    await chat.invitations.invite("101", channelId, { subscribers: ["104"] });
    killed = true;
    await chat.channels.delete("101", channelId);
    expect(server.errors).toHaveLength(1);
    const next = server.nodes[1]?.chat ?? chat;
    expect(await next.channels.list("102")).toEqual([]);
    expect(await refusal(next.channels.join("104", { inviteToken }))).toBe("not-found");
    expect(await keptKeys(server.records)).not.toEqual([]);
    await next.start();
    expect(await keptKeys(server.records)).toEqual([]);
  });
});

test("members are listed by id, a page at a time", async () => {
  await using server = await chatNodes();
  const { chat } = server;
  const { channelId } = await channelOf(chat, ["105", "101", "103", "104", "102"]);
  const page = async (query: { after?: string; limit?: number }) => {
    const { items, more } = await chat.members.list("105", channelId, query);
    return [items.map(({ subscriber }) => subscriber).join(), more];
  };
  expect(await page({})).toEqual(["101,102,103,104,105", false]);
  expect(await page({ limit: 2 })).toEqual(["101,102", true]);
  expect(await page({ after: "102", limit: 3 })).toEqual(["103,104,105", false]);
  expect(await page({ after: "1029", limit: 1 })).toEqual(["103", true]);
  expect(await page({ after: "~" })).toEqual(["", false]);
});

test("channels, tokens, messages and blocks of another domain are not found", async () => {
  await using server = await chatNodes();
  const { chat, other } = server;
  const { channelId, inviteToken } = await channelOf(chat, ["101"]);
  const { message } = await chat.messages.sendToChannel("101", channelId, text("hi"));
  const direct = (await chat.messages.sendDirect("102", "101", text("hi"))).message;
  await chat.blocks.block("101", "103");
  for (const call of [
    other.channels.join("101", { inviteToken }),
    other.channels.leave("101", channelId),
    other.messages.channelHistory("101", channelId, {}),
    other.receipts.receipt("101", { messageIds: [message.messageId], status: "read" }),
    other.receipts.receipt("101", { messageIds: [direct.messageId], status: "read" }),
  ]) {
    expect(await refusal(call)).toStartWith("not-found");
  }
  expect(await refusal(other.channels.create("101", { inviteToken }))).toBe("done");
  expect((await other.messages.directHistory("101", "102", {})).messages).toEqual([]);
  expect(await refusal(other.messages.sendDirect("103", "101", text("hi")))).toBe("done");
});
