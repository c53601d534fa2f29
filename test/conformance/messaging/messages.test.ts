/** Messages, their history, repetitions, edits and deletions (messaging.md §7.4, §11, §15: 26, 27, 28), on the engine of the run. */
import { describe, expect, test } from "bun:test";
import { compactJson } from "../../../src/core/json-text.ts";
import type { Chat, HistoryRange } from "../../../src/dialects/messaging/chat/contract.ts";
import { messageIdOf, readMessageId } from "../../../src/dialects/messaging/chat/ids.ts";
import { messageChannel } from "../../../src/dialects/messaging/chat/contract.ts";
import { readMessage } from "../../../src/dialects/messaging/chat/message-data.ts";
import {
  attributes,
  breaking,
  channelOf,
  chatNodes,
  DAY_MS,
  refusal,
  text,
} from "../../support/chat.ts";

const json = (value: unknown) => ({ data: { json: compactJson(JSON.stringify(value)) } });

async function sequences(chat: Chat, caller: string, channelId: string, range: HistoryRange = {}) {
  const { messages, more } = await chat.messages.channelHistory(caller, channelId, range);
  return [messages.map(({ sequence }) => sequence).join(), more];
}

describe("a message", () => {
  test("keeps what it was sent with, and its id says where it is", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "102"]);
    const sent = {
      content: 'é "\ud83d\udd14"',
      contentType: "text/x",
      attributes: attributes('{"n":9007199254740993}'),
    };
    const { message, repeated } = await chat.messages.sendToChannel("101", channelId, sent);
    expect(repeated).toBe(false);
    const timeMs = server.runtime.clock.epochMs();
    expect(message).toMatchObject({ ...sent, channelId, from: "101", sequence: 1, timeMs });
    expect(message.messageId).toMatch(/^[-\w]{1,64}$/);
    expect(readMessageId(message.messageId)).toEqual({
      channel: messageChannel(channelId),
      sequence: 1,
    });
    const { messages } = await chat.messages.channelHistory("102", channelId, {});
    expect(messages).toEqual([message]);
    const page = await server.hub.history(messageChannel(channelId), { limit: 1 });
    expect(page.publications.map((each) => readMessage(messageChannel(channelId), each))).toEqual([
      message,
    ]);
  });

  test("has an id that sorts as it was sent", () => {
    const channel = { space: "messaging-direct", name: "A".repeat(22) };
    const places = [
      [1, 1],
      [1, 2],
      [1, 63],
      [1, 64],
      [1, 5000],
      [2, 5001],
      [1_793_491_200_000, 10_000],
      [1_793_491_200_001, 9999],
    ] as const;
    const ids = places.map(([timeMs, sequence]) => messageIdOf({ channel, sequence, timeMs }));
    expect(ids.toSorted()).toEqual(ids);
    expect(ids.map((id) => readMessageId(id))).toEqual(
      places.map(([, sequence]) => ({ channel, sequence })),
    );
  });

  test.each([
    ["at the limit", "é".repeat(16_384), "done"],
    ["of one byte more", `${"é".repeat(16_384)}x`, "too-large content"],
  ])("%s", async (_what, content, result) => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101"]);
    for (const call of [
      () => chat.messages.sendToChannel("101", channelId, { content }),
      () => chat.messages.sendDirect("101", "102", { content }),
    ]) {
      expect(await refusal(call())).toBe(result);
    }
  });

  test("of fifty senders on two nodes takes the next number, and leaves none out", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const ids = Array.from({ length: 50 }, (_, index) => `${101 + index}`);
    const { channelId } = await channelOf(server.chat, ids);
    const sent = await Promise.all(
      ids.map((id, index) =>
        (server.nodes[index % 2]?.chat ?? server.chat).messages.sendToChannel(
          id,
          channelId,
          text(id),
        ),
      ),
    );
    const numbers = sent.map(({ message }) => message.sequence).sort((a, b) => a - b);
    expect(numbers).toEqual(ids.map((_, index) => index + 1));
    const { messages } = await server.chat.messages.channelHistory("101", channelId, {});
    const stored = new Map(messages.map(({ messageId, ...message }) => [messageId, message]));
    for (const { message } of sent) {
      const { messageId, ...rest } = message;
      expect(stored.get(messageId)).toEqual(rest);
    }
  });
});

describe("history", () => {
  test("pages backwards and forwards, and says whether there is more", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101"]);
    expect(await sequences(chat, "101", channelId)).toEqual(["", false]);
    for (let at = 0; at < 60; at++) await chat.messages.sendToChannel("101", channelId, text("x"));
    const of = (range: HistoryRange) => sequences(chat, "101", channelId, range);
    const run = (from: number, to: number) =>
      Array.from({ length: to - from + 1 }, (_, index) => from + index).join();
    expect(await of({})).toEqual([run(11, 60), true]);
    expect(await of({ limit: 60 })).toEqual([run(1, 60), false]);
    expect(await of({ before: 11 })).toEqual([run(1, 10), false]);
    expect(await of({ before: 11, limit: 9 })).toEqual([run(2, 10), true]);
    expect(await of({ before: 1 })).toEqual(["", false]);
    expect(await of({ before: 0 })).toEqual(["", false]);
    expect(await of({ before: 2 ** 53 - 1, limit: 1 })).toEqual(["60", true]);
    expect(await of({ after: 0, limit: 3 })).toEqual(["1,2,3", true]);
    expect(await of({ after: 57 })).toEqual(["58,59,60", false]);
    expect(await of({ after: 57, limit: 3 })).toEqual(["58,59,60", false]);
    expect(await of({ after: 60 })).toEqual(["", false]);
    expect(await of({ after: 10, before: 13 })).toEqual(["11,12", false]);
    expect(await of({ after: 10, before: 13, limit: 1 })).toEqual(["11", true]);
  });

  test("shows a new member nothing from before it joined, also by id", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId, inviteToken } = await channelOf(chat, ["101", "102"]);
    const send = (caller: string) => chat.messages.sendToChannel(caller, channelId, text("x"));
    const first = (await send("101")).message.messageId;
    await send("102");
    const joined = await chat.channels.join("103", { inviteToken });
    expect(joined.membership).toMatchObject({
      lastSequence: 2,
      member: { joinSequence: 2, readSequence: 2, deliveredSequence: 2 },
    });
    await send("101");
    for (const range of [{}, { after: 0 }, { before: 9 }]) {
      expect(await sequences(chat, "103", channelId, range)).toEqual(["3", false]);
    }
    const receipt = { messageIds: [first], status: "read" as const };
    expect(await refusal(chat.receipts.receipt("103", receipt))).toBe(`not-found ${first}`);
    await chat.channels.leave("102", channelId);
    await send("101");
    await chat.channels.join("102", { inviteToken });
    expect(await sequences(chat, "102", channelId)).toEqual(["", false]);
  });

  test("forgets by age and by number, and sequences go on", async () => {
    await using server = await chatNodes({ settings: { history_size: 20 } });
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101"]);
    const send = () => chat.messages.sendToChannel("101", channelId, text("x"));
    for (let at = 0; at < 21; at++) await send();
    expect((await sequences(chat, "101", channelId, { limit: 200 }))[0]).toStartWith("2,3,");
    server.runtime.setClock(30 * DAY_MS);
    expect(await sequences(chat, "101", channelId)).toEqual(["", false]);
    server.runtime.setClock(400 * DAY_MS);
    expect((await send()).message.sequence).toBe(22);
  });

  test("fits an answer: what is beyond is another page, one message at the least", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101"]);
    const content = "\u0000".repeat(32_768);
    for (let at = 0; at < 4; at++) await chat.messages.sendToChannel("101", channelId, { content });
    expect(await sequences(chat, "101", channelId)).toEqual(["3,4", true]);
    expect(await sequences(chat, "101", channelId, { before: 3 })).toEqual(["1,2", false]);
    expect(await sequences(chat, "101", channelId, { after: 1 })).toEqual(["2,3", true]);
  });

  test("of a direct conversation is both subscribers', and of an unknown one nobody's", async () => {
    await using server = await chatNodes();
    const { messages } = server.chat;
    await messages.sendDirect("101", "102", text("1"));
    await messages.sendDirect("102", "101", text("2"));
    await messages.sendDirect("101", "101", text("3"));
    for (const [one, other] of [
      ["101", "102"],
      ["102", "101"],
    ] as const) {
      const page = await messages.directHistory(one, other, {});
      expect(page.messages).toMatchObject([
        { from: "101", to: "102", sequence: 1, content: "1", status: "stored" },
        { from: "102", to: "101", sequence: 2, content: "2", status: "stored" },
      ]);
    }
    expect((await messages.directHistory("101", "101", {})).messages).toHaveLength(1);
    expect((await messages.directHistory("101", "103", {})).messages).toEqual([]);
    expect(await refusal(messages.directHistory("101", "x1", {}))).toBe("not-found with");
  });
});

describe("a repetition by its dedupe-key", () => {
  test("answers the first message for a day, per sender and target", async () => {
    await using server = await chatNodes();
    const { chat, runtime } = server;
    const { channelId } = await channelOf(chat, ["101", "102"]);
    const send = (caller: string, dedupeKey: string) =>
      chat.messages.sendToChannel(caller, channelId, { content: "x", dedupeKey });
    const first = await send("101", "k\ud800");
    runtime.setClock(DAY_MS - 1);
    const again = await send("101", "k\ud800");
    expect(again).toEqual({ ...first, repeated: true });
    expect((await send("101", "k\ud801")).message.sequence).toBe(2);
    expect((await send("102", "k\ud800")).message.sequence).toBe(3);
    const direct = { content: "x", dedupeKey: "k\ud800" };
    expect((await chat.messages.sendDirect("101", "102", direct)).repeated).toBe(false);
    runtime.setClock(1);
    expect(await send("101", "k\ud800")).toMatchObject({
      repeated: false,
      message: { sequence: 4 },
    });
    expect((await send("102", "k\ud800")).repeated).toBe(true);
  });

  test("that races on two nodes is one message", async () => {
    await using server = await chatNodes({ nodes: 2 });
    const { channelId } = await channelOf(server.chat, ["101"]);
    for (let round = 0; round < 5; round++) {
      const sent = await Promise.all(
        [0, 1, 0, 1].map((node) =>
          server.nodes[node]?.chat.messages.sendToChannel("101", channelId, {
            content: "x",
            dedupeKey: `${round}`,
          }),
        ),
      );
      expect(new Set(sent.map((each) => each?.message.messageId)).size).toBe(1);
    }
    expect(await sequences(server.chat, "101", channelId)).toEqual(["1,2,3,4,5", false]);
  });

  test.each([
    ["before the message is published", "publish", 0],
    ["before it is published, tried again ten minutes later", "publish", 600_000],
    ["before the message is indexed", "/inbox/", 0],
    ["before it is indexed, tried again ten minutes later", "/inbox/", 600_000],
  ])("after a kill %s", async (_what, breaks, waitMs) => {
    let killed = false;
    await using server = await chatNodes({
      nodes: 2,
      change: (engine) => {
        const broken = breaking((keys) => killed && keys.some((key) => key.includes(breaks)))(
          engine,
        );
        const { broker } = engine;
        const publish: typeof broker.publish = async (...call) => {
          if (killed && breaks === "publish") throw new Error("Killed");
          return broker.publish(...call);
        };
        return {
          ...broken,
          broker: {
            lossless: broker.lossless,
            publish,
            announce: (...call) => broker.announce(...call),
            listen: (...call) => broker.listen(...call),
            unlisten: (...call) => broker.unlisten(...call),
            history: (...call) => broker.history(...call),
            removeHistory: (...call) => broker.removeHistory(...call),
          },
        };
      },
    });
    const other = server.nodes[1]?.chat ?? server.chat;
    const message = { content: "x", dedupeKey: "k" };
    killed = true;
    await expect(server.chat.messages.sendDirect("101", "102", message)).rejects.toThrow("Killed");
    server.runtime.setClock(waitMs);
    const sent = await other.messages.sendDirect("101", "102", message);
    expect(sent).toMatchObject({ repeated: false, message: { sequence: 1 } });
    expect((await other.messages.sendDirect("101", "102", message)).repeated).toBe(true);
    const backlog = [];
    for await (const item of other.backlog.read("102")) backlog.push(item);
    expect(backlog).toMatchObject([{ message: { messageId: sent.message.messageId } }]);
    const { messages } = await other.messages.directHistory("102", "101", {});
    expect(messages.map(({ messageId }) => messageId)).toEqual([sent.message.messageId]);
  });
});

describe("edits and deletions", () => {
  test("show in the history, and the number stays", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "102", "103"]);
    const send = async (caller: string) =>
      (await chat.messages.sendToChannel(caller, channelId, text("x"))).message.messageId;
    const [first, second, third] = [await send("102"), await send("102"), await send("103")];
    const change = { content: "y", contentType: "text/x", attributes: attributes('{"a":1}') };
    expect(await chat.messages.edit("102", first, change)).toMatchObject({
      channelId,
      message: { messageId: first, ...change, editedMs: server.runtime.clock.epochMs() },
    });
    expect(await chat.messages.delete("102", second)).toMatchObject({
      message: { messageId: second, content: "", deletedBy: "102" },
    });
    await chat.messages.delete("101", third);
    const { messages } = await chat.messages.channelHistory("103", channelId, {});
    expect(messages).toMatchObject([
      { sequence: 1, ...change },
      { sequence: 2, content: "", attributes: "{}", deletedBy: "102" },
      { sequence: 3, content: "", deletedBy: "101" },
    ]);
    const later = await chat.messages.channelHistory("103", channelId, { after: 1, limit: 1 });
    expect(later.messages).toMatchObject([{ sequence: 2, deletedBy: "102" }]);
  });

  test("are the sender's, and deletions in a channel its administrators' as well", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { channelId } = await channelOf(chat, ["101", "102", "103"]);
    const { messageId } = (await chat.messages.sendToChannel("102", channelId, text("x"))).message;
    const { messages } = chat;
    for (const [call, result] of [
      [() => messages.edit("101", messageId, text("y")), "not-administrator message-id"],
      [() => messages.edit("103", messageId, text("y")), "not-administrator message-id"],
      [() => messages.delete("103", messageId), "not-administrator message-id"],
      [() => messages.edit("109", messageId, text("y")), "not-found message-id"],
      [() => messages.delete("109", messageId), "not-found message-id"],
      [() => messages.delete("102", "no-message"), "not-found message-id"],
      [() => messages.edit("102", messageId, text("y".repeat(32_769))), "too-large content"],
      [() => messages.delete("101", messageId), "done"],
      [() => messages.edit("102", messageId, text("y")), "not-found message-id"],
      [() => messages.delete("102", messageId), "not-found message-id"],
    ] as const) {
      expect(await refusal(call())).toBe(result);
    }
    const direct = (await messages.sendDirect("101", "102", text("x"))).message.messageId;
    expect(await refusal(messages.delete("102", direct))).toBe("invalid-field message-id");
    expect(await refusal(messages.delete("103", direct))).toBe("not-found message-id");
    const edited = await messages.edit("101", direct, text("y"));
    expect(edited).toMatchObject({ subscribers: ["101", "102"], message: { content: "y" } });
  });

  test("are for ids that their message has: another time, number or conversation is none", async () => {
    await using server = await chatNodes();
    const { chat } = server;
    const { message } = await chat.messages.sendDirect("101", "102", text("x"));
    const place = readMessageId(message.messageId);
    if (place === undefined || place === "unkept") throw new Error("It is no id");
    const { timeMs } = message;
    for (const wrong of [
      messageIdOf({ ...place, timeMs: timeMs + 1 }),
      messageIdOf({ ...place, sequence: 2, timeMs }),
      messageIdOf({ ...place, sequence: 0, timeMs }),
      messageIdOf({ channel: { ...place.channel, name: "A".repeat(22) }, sequence: 1, timeMs }),
      messageIdOf({ channel: messageChannel(`ch_${"A".repeat(22)}`), sequence: 1, timeMs }),
      "",
      "x".repeat(5000),
    ]) {
      expect(await refusal(chat.messages.delete("101", wrong))).toBe("not-found message-id");
    }
  });

  test("last as long as their message, and end with it", async () => {
    await using server = await chatNodes();
    const { chat, runtime } = server;
    const { messageId } = (await chat.messages.sendDirect("101", "102", text("x"))).message;
    runtime.setClock(20 * DAY_MS);
    await chat.messages.edit("101", messageId, text("y"));
    runtime.setClock(10 * DAY_MS - 1);
    const { messages } = await chat.messages.directHistory("102", "101", {});
    expect(messages).toMatchObject([{ content: "y" }]);
    runtime.setClock(1);
    expect(await refusal(chat.messages.edit("101", messageId, text("z")))).toStartWith("not-found");
    runtime.setClock(DAY_MS);
    expect(await server.records.list("messaging/chat/", { limit: 9 })).toEqual([]);
  });
});

describe("other dialects", () => {
  test("push messages from nobody into a channel that there is", async () => {
    await using server = await chatNodes();
    const { chat, hub } = server;
    const { channelId } = await channelOf(chat, ["101"]);
    const channel = { space: "channels", name: channelId };
    const pushed = { ...json("hi"), tags: { event: "greet" } };
    const position = await hub.publish(channel, pushed, { idempotencyKey: "k" });
    expect(await hub.publish(channel, pushed, { idempotencyKey: "k" })).toEqual(position);
    expect((await hub.publish(channel, json({ a: [1] })))?.offset).toBe(2);
    const { messages } = await chat.messages.channelHistory("101", channelId, {});
    expect(messages).toMatchObject([
      { from: "", content: "hi", contentType: "text/plain", attributes: '{"event":"greet"}' },
      { from: "", content: '{"a":[1]}', contentType: "application/json", attributes: "{}" },
    ]);
    const bytes = { data: { bytes: Uint8Array.of(0xff) } };
    await expect(hub.publish(channel, bytes)).rejects.toMatchObject({ code: "bad_request" });
    const large = json("x".repeat(32_769));
    await expect(hub.publish(channel, large)).rejects.toMatchObject({ code: "limit_exceeded" });
    await hub.publish({ space: "channels", name: `ch_${"A".repeat(22)}` }, json("x"));
    await chat.messages.delete("101", messages[0]?.messageId ?? "");
  });

  test("see the messages of open channels, and of no others", async () => {
    await using server = await chatNodes();
    const { chat, hub } = server;
    const seen: unknown[] = [];
    const { channelId } = await channelOf(chat, ["101"]);
    const { broker } = server.nodes[0]?.engine ?? { broker: undefined };
    await broker?.listen(
      { space: "channels", name: channelId },
      {
        onEvent(event) {
          if (event.type !== "publication" || !("json" in event.publication.data)) return;
          seen.push(JSON.parse(event.publication.data.json));
        },
      },
    );
    await chat.messages.sendToChannel("101", channelId, text("1"));
    await chat.channels.update("101", channelId, { access: "open" });
    const message = { content: "2", dedupeKey: "k", attributes: attributes('{"a":1}') };
    const { messageId } = (await chat.messages.sendToChannel("101", channelId, message)).message;
    await chat.messages.sendToChannel("101", channelId, message);
    await hub.publish({ space: "channels", name: channelId }, json("3"));
    const timestamp = new Date(server.runtime.clock.epochMs()).toISOString();
    const shown = { "content-type": "text/plain", timestamp };
    await waitFor(() => seen.length === 2);
    expect(seen).toEqual([
      {
        ...{ "message-id": messageId, from: "101", sequence: 2, content: "2" },
        ...{ ...shown, attributes: { a: 1 } },
      },
      expect.objectContaining({ ...shown, from: "", sequence: 3, content: "3", attributes: {} }),
    ]);
  });
});

/** The bus may be late: the test's own timeout ends what never comes. */
async function waitFor(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}
