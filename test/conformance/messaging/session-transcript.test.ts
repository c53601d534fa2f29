/** The transcript of messaging.md §14, on a raw WebSocket. */
import { expect, test } from "bun:test";
import { connect } from "../../support/messaging.ts";
import { bootServer } from "../../support/server.ts";

test("a channel, an invitation while offline, a direct message and its receipt", async () => {
  await using server = await bootServer();
  // Subscribers exist once they have connected.
  await (await connect(server, "102")).close();
  const owner = await connect(server, "101");
  owner.send({ type: "announce", id: "1" });
  expect(await owner.next()).toEqual({ type: "ack", id: "1", "reply-to": "1", status: true });
  owner.send({ type: "create-channel", id: "2", name: "Ops" });
  const created = await owner.next();
  const { "channel-id": channelId, "invite-token": token } = created;
  expect(channelId).toEqual(expect.stringMatching(/^[\w-]{1,64}$/));
  expect(token).toEqual(expect.stringMatching(/^[\w-]{1,64}$/));
  expect(created).toEqual({
    type: "invitation",
    "reply-to": "2",
    "channel-id": channelId,
    name: "Ops",
    from: "101",
    administrator: true,
    "invite-token": token,
    attributes: {},
  });
  expect(await owner.next()).toEqual({ type: "ack", id: "2", "reply-to": "2", status: true });
  owner.send({ type: "invite", id: "3", "channel-id": channelId, subscribers: ["102"] });
  expect(await owner.next()).toEqual({ type: "ack", id: "3", "reply-to": "3", status: true });

  const guest = await connect(server, "102");
  expect(await guest.next()).toEqual({
    type: "invitation",
    "channel-id": channelId,
    name: "Ops",
    from: "101",
    administrator: false,
    attributes: {},
    timestamp: expect.stringMatching(TIMESTAMP),
  });
  guest.send({ type: "join-channel", id: "j", "channel-id": channelId });
  expect(await guest.next()).toEqual({
    type: "membership",
    "reply-to": "j",
    change: "joined",
    channel: {
      "channel-id": channelId,
      name: "Ops",
      administrator: false,
      attributes: {},
      subscribers: 2,
      "last-sequence": 0,
      "read-sequence": 0,
    },
  });
  expect(await guest.next()).toEqual({ type: "ack", id: "j", "reply-to": "j", status: true });
  expect(await owner.next()).toEqual({
    type: "subscriber-joined",
    "channel-id": channelId,
    subscriber: {
      id: "102",
      status: "",
      availability: "invisible",
      administrator: false,
      attributes: {},
    },
  });

  owner.send({ type: "direct-message", id: "4", to: "102", content: "hi" });
  const delivery = await owner.next();
  const { "message-id": messageId, timestamp } = delivery;
  expect(messageId).toEqual(expect.stringMatching(/^[\w-]{1,64}$/));
  expect(timestamp).toEqual(expect.stringMatching(TIMESTAMP));
  expect(delivery).toEqual({
    type: "delivery",
    "reply-to": "4",
    "message-id": messageId,
    status: "stored",
    sequence: 1,
    timestamp,
  });
  expect(await owner.next()).toEqual({ type: "ack", id: "4", "reply-to": "4", status: true });
  expect(await guest.next()).toEqual({
    type: "direct-message",
    "message-id": messageId,
    from: "101",
    to: "102",
    sequence: 1,
    timestamp,
    "content-type": "text/plain",
    content: "hi",
    attributes: {},
  });
  const report = {
    type: "delivery",
    "message-id": messageId,
    by: "102",
    timestamp: expect.stringMatching(TIMESTAMP),
  };
  expect(await owner.next()).toEqual({ ...report, status: "received" });
  guest.send({ type: "receipt", "message-ids": [messageId], status: "read" });
  expect(await guest.next()).toEqual({ type: "ack", status: true });
  expect(await owner.next()).toEqual({ ...report, status: "read" });
  owner.send({ type: "no-such-type", id: "5" });
  owner.send("this is not json");
  expect(await owner.soFar()).toEqual([]);
});

const TIMESTAMP = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;
