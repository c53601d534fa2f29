/** Other dialects' pushes, and clients without a WebSocket (messaging.md §11.2, §14; DESIGN.md §3). */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { jsonOf } from "../../../src/core/json-text.ts";
import { connect, connectSockJs } from "../../support/messaging.ts";
import { PollingClient } from "../../support/messaging-polling.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

test("a push to a channel is a message from nobody, and one to a user a direct message", async () => {
  using one = await connect(server, "1");
  const { "channel-id": id } = await one.ask({ type: "create-channel" });
  await server.api("publish", { channel: id, data: { n: 1 }, tags: { event: "told" } });
  expect(await one.next()).toMatchObject({
    type: "channel-message",
    from: "",
    sequence: 1,
    "content-type": "application/json",
    content: '{"n":1}',
    attributes: { event: "told" },
  });
  await server.hub.push({ user: "1" }, { data: { json: jsonOf("hello") } });
  expect(await one.next()).toMatchObject({
    type: "direct-message",
    "message-id": expect.stringMatching(/^[\w-]{1,64}$/),
    from: "",
    to: "1",
    sequence: 0,
    "content-type": "text/plain",
    content: "hello",
    attributes: {},
  });
  await server.hub.push({ user: "1" }, { data: { bytes: new Uint8Array([255]) } });
  expect(await one.soFar()).toEqual([]);
});

test("a client that polls speaks with one on a raw WebSocket, and receives when it polls", async () => {
  using raw = await connect(server, "10");
  const polled = new PollingClient(server, "11", "k2j9x0ab");
  expect(await polled.poll()).toBe("o");
  const asked = [
    { type: "announce", id: "1" },
    { type: "create-channel", id: "2" },
    { type: "whoami" },
  ];
  expect(await polled.send(...asked)).toBe(204);
  const answers = await polled.receive(5);
  expect(answers.map(({ type }) => type)).toEqual(["ack", "invitation", "ack", "identity", "ack"]);
  const token = answers[1]?.["invite-token"];
  await raw.ask({ type: "join-channel", "invite-token": token });
  expect(await polled.receive(1)).toMatchObject([{ type: "subscriber-joined" }]);
  const { "message-id": id } = await raw.ask({ type: "direct-message", to: "11", content: "hi" });
  // Nothing takes it: it stays stored.
  await server.advance(2000);
  expect(await raw.soFar()).toEqual([]);
  expect(await polled.receive(1)).toMatchObject([{ type: "direct-message", content: "hi" }]);
  const polls = [polled.poll(), polled.poll()];
  // One of them is told that the other one waits.
  expect(await Promise.race(polls)).toBe('c[2010,"Another connection still open"]');
  await server.advance(2000);
  expect(await raw.next()).toMatchObject({
    type: "delivery",
    "message-id": id,
    status: "received",
  });
  await raw.ask({ type: "direct-message", to: "11", content: "now" });
  const answered = (await Promise.all(polls)).filter((answer) => typeof answer !== "string");
  expect(answered).toMatchObject([[{ content: "now", sequence: 2 }]]);
  expect(await raw.next()).toMatchObject({ type: "delivery", status: "received" });
});

test.each(["xhr-streaming", "eventsource"])(
  "%s: answers end before a proxy would cut them after 30 s, and the session goes on",
  async (transport) => {
    const to = `long-${transport}`;
    using raw = await connect(server, `${to}-raw`);
    using client = await connectSockJs(server, to, transport);
    const { "connection-id": id } = await client.ask({ type: "whoami" });
    for (let round = 0; round < 3; round++) {
      await raw.ask({ type: "direct-message", to, content: "before" });
      expect(await client.nextOf("direct-message")).toMatchObject({ sequence: 2 * round + 1 });
      await server.advance(28_200);
      // Its client may not have come again yet.
      await raw.ask({ type: "direct-message", to, content: "behind" });
      expect(await client.nextOf("direct-message")).toMatchObject({ sequence: 2 * round + 2 });
    }
    expect(await client.ask({ type: "whoami" })).toMatchObject({ "connection-id": id });
  },
);
