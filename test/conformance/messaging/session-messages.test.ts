/** Messages, their delivery and history (messaging.md §7.4, §11; §15, items 23 to 28), on raw WebSockets. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect, type Message } from "../../support/messaging.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

const direct = (to: string, content: string, more: Message = {}) => ({
  type: "direct-message",
  to,
  content,
  ...more,
});

describe("a direct message", () => {
  test("climbs its ladder step by step, never back and never twice", async () => {
    using one = await connect(server, "23");
    using other = await connect(server, "23");
    using two = await connect(server, "24");
    const { "message-id": id } = await one.ask(direct("24", "hi"));
    expect(await other.next()).toMatchObject({ type: "direct-message", "message-id": id });
    expect(await two.next()).toMatchObject({ "message-id": id, from: "23", to: "24", sequence: 1 });
    const statuses = async (status: string) => {
      for (const each of [one, other]) {
        expect(await each.next()).toMatchObject({ type: "delivery", "message-id": id, status });
      }
    };
    await statuses("received");
    const receipt = { type: "receipt", "message-ids": [id] };
    await two.ask({ ...receipt, status: "displayed" });
    await statuses("displayed");
    await two.ask({ ...receipt, status: "displayed" });
    await two.ask({ ...receipt, status: "read" });
    await statuses("read");
    await two.ask({ ...receipt, status: "displayed" });
    expect(await two.refused({ ...receipt, "message-ids": [id, "x"], status: "read" })).toBe(
      "not-found",
    );
    expect(await one.soFar()).toEqual([]);
    expect(await one.ask({ type: "history", with: "24" })).toMatchObject({
      with: "24",
      messages: [{ "message-id": id, status: "read", sequence: 1 }],
    });
    using outsider = await connect(server, "25");
    expect(await outsider.refused({ ...receipt, status: "read" })).toBe("not-found");
  });

  test("waits for its recipient, and its report for its sender", async () => {
    const one = await connect(server, "26");
    await (await connect(server, "27")).close();
    const { "message-id": id } = await one.ask(direct("27", "wait", { attributes: { n: 1 } }));
    await one.ask(direct("27", "more"));
    await one.close();
    const two = await connect(server, "27");
    expect(await two.next()).toMatchObject({
      type: "direct-message",
      "message-id": id,
      content: "wait",
      attributes: { n: 1 },
      backlog: true,
    });
    expect(await two.next()).toMatchObject({ content: "more", sequence: 2, backlog: true });
    await server.advance(10);
    await two.ask({ type: "receipt", "message-ids": [id], status: "read" });
    using again = await connect(server, "26");
    const reports = [await again.next(), await again.next()];
    expect(reports).toContainEqual(expect.objectContaining({ "message-id": id, status: "read" }));
    expect(reports).toContainEqual(expect.objectContaining({ status: "received", by: "27" }));
    await server.advance(10);
    await two.close();
    using later = await connect(server, "27");
    expect(await later.soFar()).toEqual([]);
  });

  test("to oneself goes to the other connections", async () => {
    using one = await connect(server, "28");
    const { "message-id": id } = await one.ask(direct("28", "alone"));
    expect(await one.soFar()).toEqual([]);
    using two = await connect(server, "28");
    await two.ask({ type: "ping" });
    const { "message-id": next } = await one.ask(direct("28", "both"));
    expect(await two.nextOf("direct-message", (each) => each["message-id"] === next)).toMatchObject(
      {
        content: "both",
      },
    );
    expect(await one.nextOf("delivery", (each) => each["message-id"] === next)).toMatchObject({
      status: "received",
    });
    expect(id).not.toBe(next);
  });

  test("that is sent again under its key is the first one, delivered once", async () => {
    using one = await connect(server, "29");
    using two = await connect(server, "30");
    const once = direct("30", "once", { "dedupe-key": "k" });
    const first = await one.ask(once);
    const second = await one.ask({ ...once, content: "other" });
    expect({ ...second, "reply-to": "" }).toEqual({ ...first, "reply-to": "" });
    await one.ask(direct("30", "behind"));
    expect(await two.next()).toMatchObject({ content: "once" });
    expect(await two.next()).toMatchObject({ content: "behind", sequence: 2 });
  });

  test("needs a recipient", async () => {
    using one = await connect(server, "31");
    expect(await one.refused(direct("nobody", "x"))).toBe("not-found");
    expect(await one.refused(direct("\u{1F514}", "x"))).toBe("not-found");
    const large = { attributes: { a: "x".repeat(4096) } };
    expect(await one.refused(direct("31", "x", large))).toBe("too-large");
  });

  test("in both directions at once comes ascending, to every connection", async () => {
    const clients = await Promise.all(
      ["32", "32", "33", "33"].map((subscriber) => connect(server, subscriber)),
    );
    await Promise.all(clients.map((each) => each.ask({ type: "ping" })));
    for (let at = 0; at < 25; at++) {
      for (const [index, each] of clients.entries()) {
        each.send(direct(index < 2 ? "33" : "32", `${index}-${at}`, { id: `${at}` }));
      }
    }
    for (const each of clients) {
      const seen: number[] = [];
      const own: number[] = [];
      while (seen.length < 75 || own.length < 25) {
        const message = await each.next();
        if (message["type"] === "direct-message") seen.push(Number(message["sequence"]));
        if (message["status"] === "stored") own.push(Number(message["sequence"]));
      }
      expect(seen).toEqual(seen.toSorted((a, b) => a - b));
      expect(new Set([...seen, ...own]).size).toBe(100);
    }
  });
});

describe("a channel message", () => {
  test("goes to all but the sending connection, with one sequence for all, under many senders", async () => {
    using reader = await connect(server, "40");
    const { "channel-id": id, "invite-token": token } = await reader.ask({
      type: "create-channel",
    });
    const senders = await Promise.all(
      Array.from({ length: 50 }, async (_, at) => {
        const sender = await connect(server, `40-${at}`);
        await sender.ask({ type: "join-channel", "invite-token": token });
        return sender;
      }),
    );
    const message = { type: "channel-message", "channel-id": id };
    const sent = new Map<string, unknown>();
    await Promise.all(
      senders.map(async (sender) => {
        for (let at = 0; at < 4; at++) {
          const content = `${sender.subscriber}/${at}`;
          const { sequence, ...delivery } = await sender.ask({ ...message, content });
          expect(delivery).toMatchObject({ type: "delivery", status: "stored" });
          sent.set(content, sequence);
        }
      }),
    );
    const all = Array.from({ length: 200 }, (_, at) => at + 1);
    for (const each of [reader, ...senders]) {
      const own = (content: unknown) => String(content).startsWith(`${each.subscriber}/`);
      const expected = all.length - [...sent.keys()].filter(own).length;
      const seen: Message[] = [];
      while (seen.length < expected) seen.push(await each.nextOf("channel-message"));
      const sequences = seen.map(({ sequence }) => Number(sequence));
      expect(sequences).toEqual(sequences.toSorted((a, b) => a - b));
      for (const { content, sequence } of seen) expect(sent.get(String(content))).toBe(sequence);
      expect(each.drain().filter(({ type }) => type === "channel-message")).toEqual([]);
      each.close().catch(() => {});
    }
    expect([...sent.values()].toSorted((a, b) => Number(a) - Number(b))).toEqual(all);
  });

  test("is there in the backlog of who was away, and not for who was there", async () => {
    const one = await connect(server, "41");
    const { "channel-id": id, "invite-token": token } = await one.ask({ type: "create-channel" });
    using two = await connect(server, "42");
    await two.ask({ type: "join-channel", "invite-token": token });
    const say = (content: string) =>
      two.ask({ type: "channel-message", "channel-id": id, content });
    await say("seen");
    await one.nextOf("channel-message");
    await one.ask({ type: "ping" });
    await one.close();
    await server.advance(10);
    await say("missed");
    const again = await connect(server, "41");
    expect(await again.next()).toMatchObject({ content: "missed", sequence: 2, backlog: true });
    using second = await connect(server, "41");
    expect(await second.soFar()).toEqual([]);
    await say("live");
    for (const each of [again, second]) {
      const live = await each.next();
      expect(live).toMatchObject({ content: "live", sequence: 3 });
      expect(live).not.toHaveProperty("backlog");
    }
  });

  test("is read up to a position, which the reader's other connections learn", async () => {
    using one = await connect(server, "43");
    using two = await connect(server, "43");
    const { "channel-id": id } = await one.ask({ type: "create-channel" });
    await two.nextOf("membership");
    const { "message-id": message } = await two.ask({
      ...{ type: "channel-message", "channel-id": id, content: "x" },
    });
    await one.nextOf("channel-message");
    await one.ask({ type: "receipt", "message-ids": [message], status: "displayed" });
    await one.ask({ type: "receipt", "message-ids": [message], status: "read" });
    expect(await two.next()).toEqual({ type: "read-position", "channel-id": id, sequence: 1 });
    expect(await one.ask({ type: "list-channels" })).toMatchObject({
      channels: [{ "read-sequence": 1, "last-sequence": 1 }],
    });
    expect(await one.soFar()).toEqual([]);
  });
});

test("history goes backwards and forwards in pages, for members alone", async () => {
  using one = await connect(server, "50");
  const { "channel-id": id, "invite-token": token } = await one.ask({ type: "create-channel" });
  for (let at = 1; at <= 5; at++) {
    await one.ask({ type: "channel-message", "channel-id": id, content: `${at}` });
  }
  const page = async (range: Message) => {
    const { messages, more } = await one.ask({ type: "history", "channel-id": id, ...range });
    return [(messages as Message[]).map(({ sequence }) => sequence), more];
  };
  expect(await page({})).toEqual([[1, 2, 3, 4, 5], false]);
  expect(await page({ limit: 2 })).toEqual([[4, 5], true]);
  expect(await page({ limit: 2, before: 4 })).toEqual([[2, 3], true]);
  expect(await page({ limit: 2, after: 1 })).toEqual([[2, 3], true]);
  expect(await page({ limit: 2, after: 3 })).toEqual([[4, 5], false]);
  using two = await connect(server, "51");
  expect(await two.refused({ type: "history", "channel-id": id })).toBe("not-found");
  await two.ask({ type: "join-channel", "invite-token": token });
  expect(await two.ask({ type: "history", "channel-id": id })).toMatchObject({ messages: [] });
});

describe("edits and deletions", () => {
  test("reach whoever else has the message, and its sequence stays", async () => {
    using one = await connect(server, "60");
    using own = await connect(server, "60");
    using two = await connect(server, "61");
    const { "message-id": id } = await one.ask(direct("61", "helo"));
    for (const each of [own, two]) await each.nextOf("direct-message");
    await own.nextOf("delivery");
    await one.nextOf("delivery");
    await one.ask({ type: "edit-message", "message-id": id, content: "hello" });
    const updated = {
      type: "message-updated",
      "message-id": id,
      "content-type": "text/plain",
      content: "hello",
      attributes: {},
      timestamp: expect.any(String),
    };
    for (const each of [own, two]) expect(await each.next()).toEqual(updated);
    const edit = { type: "edit-message", "message-id": id, content: "mine" };
    expect(await two.refused(edit)).not.toBeUndefined();
    await one.ask({ type: "delete-message", "message-id": id });
    const deleted = { type: "message-deleted", "message-id": id, by: "60" };
    for (const each of [own, two]) expect(await each.next()).toEqual(deleted);
    expect(await two.ask({ type: "history", with: "60" })).toMatchObject({
      messages: [{ sequence: 1, content: "" }],
    });
    expect(await one.soFar()).toEqual([]);
  });

  test("in a channel an administrator may delete, and the sender alone edit", async () => {
    using admin = await connect(server, "62");
    const { "channel-id": id, "invite-token": token } = await admin.ask({ type: "create-channel" });
    using two = await connect(server, "63");
    await two.ask({ type: "join-channel", "invite-token": token });
    await admin.nextOf("subscriber-joined");
    const message = { type: "channel-message", "channel-id": id, content: "x" };
    const { "message-id": of } = await two.ask(message);
    await admin.nextOf("channel-message");
    expect(await admin.refused({ type: "edit-message", "message-id": of, content: "y" })).toBe(
      "not-administrator",
    );
    await admin.ask({ type: "delete-message", "message-id": of });
    expect(await two.next()).toEqual({ type: "message-deleted", "message-id": of, by: "62" });
    expect(await admin.soFar()).toEqual([]);
  });
});

test("list-conversations has the newest first, with what is unread", async () => {
  using one = await connect(server, "70");
  using two = await connect(server, "71");
  using three = await connect(server, "72");
  await two.ask(direct("70", "a"));
  await server.advance(1000);
  await three.ask(direct("70", "b"));
  await three.ask(direct("70", "c"));
  expect(await one.ask({ type: "list-conversations" })).toMatchObject({
    type: "conversations",
    conversations: [
      { with: "72", "last-sequence": 2, unread: 2 },
      { with: "71", "last-sequence": 1, unread: 1 },
    ],
    more: false,
  });
});
