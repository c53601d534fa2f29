/** How far messages have come, what is unread and what was missed (messaging.md §1.5, §11, §15: 23, 25), on the engine of the run. */
import { describe, expect, test } from "bun:test";
import type { Chat, Report } from "../../../src/dialects/messaging/chat/contract.ts";
import { unkeptMessageId } from "../../../src/dialects/messaging/chat/ids.ts";
import {
  backlogOf,
  channelOf,
  chatNodes,
  DAY_MS,
  keptKeys,
  refusal,
  text,
} from "../../support/chat.ts";

const send = async (chat: Chat, from: string, to: string) =>
  (await chat.messages.sendDirect(from, to, text(`${from} to ${to}`))).message;

const statusOf = (reports: readonly Report[]) =>
  reports.map(({ sender, status, by }) => `${sender} ${status} ${by}`);

async function statuses(chat: Chat, caller: string, other: string) {
  const { messages } = await chat.messages.directHistory(caller, other, {});
  return messages.map(({ status }) => status);
}

async function missed(chat: Chat, subscriber: string) {
  return (await backlogOf(chat, subscriber)).map((item) =>
    "message" in item
      ? `${item.message.channelId ?? item.message.from} ${item.message.sequence}`
      : "report" in item
        ? `${item.report.status} by ${item.report.by}`
        : item.invitation.channelId,
  );
}

describe("a direct message", () => {
  test("goes up from stored to read, each step once and never back", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { messageId } = await send(chat, "101", "102");
    const receipt = async (status: "displayed" | "read") =>
      statusOf((await chat.receipts.receipt("102", { messageIds: [messageId], status })).reports);
    expect(await statuses(chat, "101", "102")).toEqual(["stored"]);
    const received = await chat.receipts.delivered("102", "101", 1);
    expect(received).toMatchObject([{ sender: "101", messageId, status: "received", by: "102" }]);
    expect(await chat.receipts.delivered("102", "101", 1)).toEqual([]);
    expect(await chat.receipts.deliveredUpTo("102", "101")).toBe(1);
    expect(await receipt("displayed")).toEqual(["101 displayed 102"]);
    expect(await receipt("displayed")).toEqual([]);
    expect(await receipt("read")).toEqual(["101 read 102"]);
    expect(await receipt("displayed")).toEqual([]);
    expect(await receipt("read")).toEqual([]);
    expect(await statuses(chat, "101", "102")).toEqual(["read"]);
  });

  test("that is read before it was delivered is reported as read alone", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { messageId } = await send(chat, "101", "102");
    await chat.receipts.receipt("102", { messageIds: [messageId], status: "read" });
    expect(await missed(chat, "102")).toEqual([]);
    expect(await chat.receipts.delivered("102", "101", 1)).toEqual([]);
    expect(await missed(chat, "101")).toEqual(["read by 102"]);
  });

  test("is received once, whichever node says so", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const { chat } = server;
    for (let at = 0; at < 10; at++) await send(chat, "101", "102");
    const reports = await Promise.all(
      [10, 4, 7, 10].map((upTo, index) =>
        (server.nodes[index % 2]?.chat ?? chat).receipts.delivered("102", "101", upTo),
      ),
    );
    const ids = reports.flat().map(({ messageId }) => messageId);
    expect(ids).toHaveLength(10);
    expect(new Set(ids).size).toBe(10);
    expect(await chat.receipts.deliveredUpTo("102", "101")).toBe(10);
  });

  test("of which the top is not there yet is not delivered either", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    await send(chat, "101", "102");
    expect(await chat.receipts.delivered("102", "101", 99)).toHaveLength(1);
    expect(await chat.receipts.deliveredUpTo("102", "101")).toBe(1);
    await send(chat, "101", "102");
    expect(await statuses(chat, "101", "102")).toEqual(["received", "stored"]);
  });

  test("has receipts of its recipient alone, all or none", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const [one, two] = [await send(chat, "101", "102"), await send(chat, "102", "101")];
    const receipt = (caller: string, ...messageIds: readonly string[]) =>
      refusal(chat.receipts.receipt(caller, { messageIds, status: "read" }));
    expect(await receipt("102", one.messageId, "nothing")).toBe("not-found nothing");
    expect(await receipt("102", one.messageId, two.messageId)).toBe(
      `invalid-field ${two.messageId}`,
    );
    expect(await receipt("103", one.messageId)).toBe(`not-found ${one.messageId}`);
    expect(await statuses(chat, "101", "102")).toEqual(["stored", "stored"]);
    expect(await receipt("102", one.messageId, unkeptMessageId(server.runtime))).toBe("done");
    const own = await send(chat, "101", "101");
    expect(await receipt("101", own.messageId)).toBe(`invalid-field ${own.messageId}`);
    expect(await missed(chat, "101")).toContain("101 1");
  });

  test("of which thousands wait is delivered in steps", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    await Promise.all(Array.from({ length: 450 }, () => send(chat, "101", "102")));
    const reports = await chat.receipts.delivered("102", "101", 450);
    expect(reports).toHaveLength(450);
    expect(await missed(chat, "101")).toHaveLength(450);
    await chat.receipts.reportsTold(reports);
    expect(await missed(chat, "101")).toEqual([]);
  });
});

describe("a report", () => {
  test("waits for its sender: the highest status of each message, until it was told", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { messageId } = await send(chat, "101", "102");
    const received = await chat.receipts.delivered("102", "101", 1);
    await server.runtime.advance(10);
    const { reports } = await chat.receipts.receipt("102", {
      messageIds: [messageId],
      status: "read",
    });
    expect(await missed(chat, "101")).toEqual(["read by 102"]);
    // The lower one was told late: the higher one still waits.
    await chat.receipts.reportsTold(received);
    expect(await missed(chat, "101")).toEqual(["read by 102"]);
    await chat.receipts.reportsTold(reports);
    expect(await missed(chat, "101")).toEqual([]);
  });

  test("ends with its message", async () => {
    await using server = await chatNodes();
    await send(server.chat, "101", "102");
    await server.chat.receipts.delivered("102", "101", 1);
    server.runtime.setClock(31 * DAY_MS);
    expect(await missed(server.chat, "101")).toEqual([]);
    expect(await keptKeys(server.records)).toEqual([]);
  });
});

test("read receipts move a member's position in a channel, and displayed ones do not", async () => {
  await using server = await chatNodes();
  const { chat } = server;
  const { channelId } = await channelOf(chat, ["101", "102"]);
  const ids: string[] = [];
  for (let at = 0; at < 3; at++) {
    ids.push((await chat.messages.sendToChannel("101", channelId, text("x"))).message.messageId);
  }
  const [first = "", second = "", third = ""] = ids;
  const receipt = async (status: "displayed" | "read", ...messageIds: readonly string[]) =>
    (await chat.receipts.receipt("102", { messageIds, status })).positions;
  expect(await receipt("displayed", third)).toEqual([]);
  expect(await receipt("read", second, first)).toEqual([{ channelId, sequence: 2 }]);
  expect(await receipt("read", first, second)).toEqual([]);
  expect(await receipt("read", third)).toEqual([{ channelId, sequence: 3 }]);
  expect(await chat.channels.find("102", channelId)).toMatchObject({
    lastSequence: 3,
    member: { readSequence: 3, deliveredSequence: 0 },
  });
});

test("conversations are listed newest first, with what is unread behind what one read or wrote", async () => {
  await using server = await chatNodes();
  const { chat, runtime } = server;
  const messages = [];
  for (const [from, to] of [
    ["102", "101"],
    ["102", "101"],
    ["103", "101"],
    ["101", "104"],
    ["104", "101"],
    ["102", "101"],
  ] as const) {
    messages.push(await send(chat, from, to));
    await runtime.advance(10);
  }
  const list = async (query: { limit?: number; beforeMs?: number } = {}) => {
    const { items, more } = await chat.messages.conversations("101", query);
    return [
      items.map((each) => `${each.with}: ${each.unread} of ${each.lastSequence}`).join(", "),
      more,
    ];
  };
  expect(await list()).toEqual(["102: 3 of 3, 104: 1 of 2, 103: 1 of 1", false]);
  const [, second] = messages;
  const messageIds = [second?.messageId ?? ""];
  await chat.receipts.receipt("101", { messageIds, status: "read" });
  expect(await list({ limit: 1 })).toEqual(["102: 1 of 3", true]);
  await send(chat, "101", "103");
  expect(await list({ limit: 2 })).toEqual(["103: 0 of 2, 102: 1 of 3", true]);
  const beforeMs = messages[5]?.timeMs ?? 0;
  expect(await list({ beforeMs })).toEqual(["104: 1 of 2", false]);
  expect((await chat.messages.conversations("109", {})).items).toEqual([]);
});

describe("the backlog", () => {
  test("has invitations, direct messages, channel messages and reports, each oldest first", async () => {
    await using server = await chatNodes();
    const { chat, runtime } = server;
    const tick = () => runtime.advance(10);
    const joined = await channelOf(chat, ["101", "102"]);
    const invited = await channelOf(chat, ["101"]);
    const own = await send(chat, "102", "101");
    await chat.receipts.delivered("101", "102", 1);
    for (const from of ["105", "101", "103", "105"]) {
      await send(chat, from, "102");
      await tick();
    }
    for (let at = 0; at < 2; at++) {
      await chat.messages.sendToChannel("101", joined.channelId, text("x"));
      await tick();
    }
    await chat.invitations.invite("101", invited.channelId, { subscribers: ["102"] });
    await chat.receipts.receipt("101", { messageIds: [own.messageId], status: "displayed" });
    const expected = [
      invited.channelId,
      ...["105 1", "101 2", "103 1", "105 2"],
      ...[`${joined.channelId} 1`, `${joined.channelId} 2`],
      "displayed by 101",
    ];
    expect(await missed(chat, "102")).toEqual(expected);
    expect(await missed(chat, "102")).toEqual(expected);
    await chat.receipts.delivered("102", "105", 1);
    await chat.receipts.delivered("102", "101", 2);
    await chat.receipts.delivered("102", "103", 1);
    const channels = new Map([
      [joined.channelId, 1],
      [invited.channelId, 5],
    ]);
    await chat.receipts.deliveredInChannels("102", channels);
    await chat.receipts.deliveredInChannels("102", new Map([[joined.channelId, 0]]));
    expect((await missed(chat, "102")).slice(1, -1)).toEqual(["105 2", `${joined.channelId} 2`]);
  });

  test("leaves out what was deleted or displayed, and does not look there again", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const [one, two] = [await send(chat, "101", "102"), await send(chat, "101", "102")];
    await chat.messages.delete("101", one.messageId);
    await chat.receipts.receipt("102", { messageIds: [two.messageId], status: "displayed" });
    expect((await keptKeys(server.records)).some((key) => key.startsWith("inbox/102"))).toBe(true);
    expect(await missed(chat, "102")).toEqual([]);
    expect((await keptKeys(server.records)).some((key) => key.startsWith("inbox/102"))).toBe(false);
    expect(await missed(chat, "101")).toEqual(["displayed by 102"]);
    const three = await send(chat, "101", "102");
    expect(await missed(chat, "102")).toEqual([`101 ${three.sequence}`]);
  });

  test("has direct messages as they are now, up to their age", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { messageId } = await send(chat, "101", "102");
    await chat.messages.edit("101", messageId, text("edited"));
    expect(await backlogOf(chat, "102")).toMatchObject([
      { message: { messageId, content: "edited", status: "stored" } },
    ]);
    server.runtime.setClock(30 * DAY_MS);
    expect(await missed(chat, "102")).toEqual([]);
  });

  test("has the newest hundred of a channel, and the newest thousand of all", async () => {
    await using server = await chatNodes();
    const { chat, runtime } = server;
    const ids: string[] = [];
    for (let at = 0; at < 11; at++) ids.push((await channelOf(chat, ["101", "102"])).channelId);
    const [old = "", ...others] = ids;
    const fill = async (channelId: string, count: number) => {
      await Promise.all(
        Array.from({ length: count }, () =>
          chat.messages.sendToChannel("101", channelId, text("x")),
        ),
      );
      await runtime.advance(10);
    };
    await fill(old, 100);
    expect(await missed(chat, "102")).toHaveLength(100);
    await fill(old, 1);
    const hundred = await missed(chat, "102");
    expect([hundred.length, hundred[0], hundred.at(-1)]).toEqual([100, `${old} 2`, `${old} 101`]);
    for (const channelId of others.slice(0, -1)) await fill(channelId, 100);
    expect(await missed(chat, "102")).toHaveLength(1000);
    await fill(others.at(-1) ?? "", 1);
    const thousand = await missed(chat, "102");
    expect([thousand.length, thousand[0]]).toEqual([1000, `${old} 3`]);
    expect(new Set(thousand).size).toBe(1000);
  });

  test("is of those that one joined, from there on", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId, inviteToken } = await channelOf(chat, ["101"]);
    await chat.messages.sendToChannel("101", channelId, text("1"));
    await chat.channels.join("102", { inviteToken });
    expect(await missed(chat, "102")).toEqual([]);
    await chat.messages.sendToChannel("101", channelId, text("2"));
    expect(await missed(chat, "102")).toEqual([`${channelId} 2`]);
    await chat.channels.leave("102", channelId);
    expect(await missed(chat, "102")).toEqual([]);
  });

  test("of hundreds of conversations is all there, and may be left in the middle", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    for (let at = 0; at < 250; at++) await send(chat, `${1000 + at}`, "102");
    expect(new Set(await missed(chat, "102")).size).toBe(250);
    for await (const item of chat.backlog.read("102")) {
      expect(item).toHaveProperty("message");
      break;
    }
  });
});
