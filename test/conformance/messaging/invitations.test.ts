/** Invitations and blocks (messaging.md §7.3, §7.5, §15: 21), on the engine of the run. */
import { expect, test } from "bun:test";
import { channelOf, chatNodes, DAY_MS, keptKeys, refusal, text } from "../../support/chat.ts";

test("an invitation is listed, refreshed, declined and cancelled", async () => {
  await using server = await chatNodes();
  const { invitations, channels } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101", "109"]);
  const invite = { subscribers: ["102", "109", "102"], note: "Join us" };
  const made = await invitations.invite("101", channelId, invite);
  const invitation = { channelId, subscriber: "102", from: "101", note: "Join us" };
  expect(made).toMatchObject([{ ...invitation, name: "Night shift", attributes: "{}" }]);
  expect(await invitations.list("102")).toMatchObject([invitation]);
  server.runtime.setClock(1000);
  const [refreshed] = await invitations.invite("101", channelId, { subscribers: ["102"] });
  expect(refreshed?.timeMs).toBe((made[0]?.timeMs ?? 0) + 1000);
  const [listed] = await invitations.list("102");
  expect(listed).not.toHaveProperty("note");
  expect(await invitations.decline("102", channelId)).toMatchObject({ from: "101" });
  expect(await refusal(invitations.decline("102", channelId))).toBe("not-found");
  expect(await refusal(channels.join("102", { channelId }))).toBe("not-found");
  await invitations.invite("101", channelId, { subscribers: ["102"] });
  expect(await refusal(invitations.cancel("109", channelId, "102"))).toBe("not-administrator");
  expect(await refusal(invitations.cancel("108", channelId, "102"))).toBe("not-found");
  expect(await invitations.cancel("101", channelId, "102")).toMatchObject({ subscriber: "102" });
  expect(await refusal(invitations.cancel("101", channelId, "102"))).toBe("not-found");
  expect(await invitations.list("102")).toEqual([]);
});

test("the inviter may cancel an invitation without being administrator any more", async () => {
  await using server = await chatNodes();
  const { invitations, members } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101", "102"]);
  const role = (caller: string, subscriber: string, administrator: boolean) =>
    members.setAdministrator(caller, channelId, { subscriber, administrator });
  await role("101", "102", true);
  await invitations.invite("102", channelId, { subscribers: ["103"] });
  await role("101", "102", false);
  expect(await refusal(invitations.cancel("102", channelId, "104"))).toBe("not-administrator");
  expect(await invitations.cancel("102", channelId, "103")).toMatchObject({ from: "102" });
});

test("with one unknown or inactive subscriber nobody is invited", async () => {
  await using server = await chatNodes();
  const { invitations } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101"]);
  server.inactive.add("104");
  for (const wrong of ["x1", "104"]) {
    const subscribers = ["102", wrong, "103"];
    const invited = invitations.invite("101", channelId, { subscribers });
    expect(await refusal(invited)).toBe(`not-found ${wrong}`);
  }
  expect(await invitations.list("102")).toEqual([]);
});

test("an invitation ends after thirty days, and when it is used", async () => {
  await using server = await chatNodes();
  const { invitations, channels } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101"]);
  await invitations.invite("101", channelId, { subscribers: ["102", "103"] });
  server.runtime.setClock(30 * DAY_MS - 1);
  expect((await channels.join("102", { channelId })).changed).toBe(true);
  await channels.leave("102", channelId);
  expect(await refusal(channels.join("102", { channelId }))).toBe("not-found");
  server.runtime.setClock(1);
  expect(await invitations.list("103")).toEqual([]);
  expect(await refusal(channels.join("103", { channelId }))).toBe("not-found");
});

test("of a cancelling and a joining that race on two nodes one is made", async () => {
  await using server = await chatNodes({ nodes: 2 });
  const { invitations, channels } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101"]);
  const other = server.nodes[1]?.chat ?? server.chat;
  for (let round = 0; round < 10; round++) {
    await invitations.invite("101", channelId, { subscribers: ["102"] });
    const results = await Promise.all([
      refusal(invitations.cancel("101", channelId, "102")),
      refusal(other.channels.join("102", { channelId })),
    ]);
    expect(results.toSorted()).toEqual(["done", "not-found"]);
    if (results[1] === "done") await channels.leave("102", channelId);
  }
});

test("a channel and a subscriber have so many invitations that wait, and none more", async () => {
  await using server = await chatNodes();
  const { invitations, channels } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101"]);
  const invite = (from: number, count: number) =>
    invitations.invite("101", channelId, {
      subscribers: Array.from({ length: count }, (_, index) => `${from + index}`),
    });
  for (let at = 0; at < 10; at++) await invite(1000 + at * 100, 100);
  expect(await refusal(invite(1000, 100))).toBe("done");
  expect(await refusal(invite(2000, 1))).toBe("limit-reached");
  await invitations.decline("1000", channelId);
  expect(await refusal(invite(2000, 1))).toBe("done");
  for (let at = 0; at < 200; at++) {
    const { channelId: id } = await channels.create("101", {});
    await invitations.invite("101", id, { subscribers: ["103"] });
  }
  const beyond = invitations.invite("101", channelId, { subscribers: ["1001", "103"] });
  expect(await refusal(beyond)).toBe("limit-reached 103");
  expect(await invitations.list("103")).toHaveLength(200);
});

test("one that was told is in no backlog, until it is refreshed", async () => {
  await using server = await chatNodes();
  const { invitations, backlog } = server.chat;
  const { channelId } = await channelOf(server.chat, ["101"]);
  const waiting = async () => {
    const items = [];
    for await (const item of backlog.read("102")) items.push(item);
    return items;
  };
  const [first] = await invitations.invite("101", channelId, { subscribers: ["102"] });
  if (first === undefined) throw new Error("Nobody was invited");
  expect(await waiting()).toEqual([{ invitation: first }]);
  await invitations.told([first]);
  expect(await waiting()).toEqual([]);
  expect(await invitations.list("102")).toHaveLength(1);
  server.runtime.setClock(30 * DAY_MS - 1);
  expect(await invitations.list("102")).toHaveLength(1);
  const [second] = await invitations.invite("101", channelId, { subscribers: ["102"] });
  await invitations.told([first]);
  expect(await waiting()).toMatchObject([{ invitation: { timeMs: second?.timeMs } }]);
  server.runtime.setClock(30 * DAY_MS);
  expect(await invitations.list("102")).toEqual([]);
});

test("a blocked subscriber's direct messages are refused, and nothing else", async () => {
  await using server = await chatNodes();
  const { blocks, messages } = server.chat;
  await blocks.block("101", "102");
  await blocks.block("101", "102");
  expect(await refusal(messages.sendDirect("102", "101", text("hi")))).toBe("blocked");
  expect(await refusal(messages.sendDirect("101", "102", text("hi")))).toBe("done");
  expect(await blocks.list("101")).toEqual(["102"]);
  expect(await blocks.blockersOf("102", ["101", "103"])).toEqual(new Set(["101"]));
  expect(await refusal(blocks.block("101", "x1"))).toBe("not-found subscriber");
  await blocks.unblock("101", "102");
  await blocks.unblock("101", "103");
  expect(await refusal(messages.sendDirect("102", "101", text("hi")))).toBe("done");
  expect(await blocks.list("101")).toEqual([]);
});

test("a subscriber blocks so many others, and none more", async () => {
  await using server = await chatNodes({ nodes: 2 });
  const { blocks } = server.chat;
  for (let index = 0; index < 999; index++) await blocks.block("101", `${1000 + index}`);
  const other = server.nodes[1]?.chat ?? server.chat;
  const last = await Promise.all([
    refusal(blocks.block("101", "2000")),
    refusal(other.blocks.block("101", "2001")),
  ]);
  expect(last.toSorted()).toEqual(["done", "limit-reached"]);
  expect(await blocks.list("101")).toHaveLength(1000);
  expect(await keptKeys(server.records)).toEqual(["blocks-of/101"]);
});
