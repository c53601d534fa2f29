/**
 * The published page (`published/004-messaging.txt`) sentence by sentence, as its headings order them, against a server without a
 * configuration. It prints no call and no frame: what is tested is each rule, each field and each type that it names.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  connect,
  connectSockJs,
  SOCKJS_TRANSPORTS,
  type Message,
  type MessagingClient,
} from "../support/messaging.ts";
import { managed, send } from "../support/messaging-auth.ts";
import { bootServer, type BootedServer } from "../support/server.ts";

const PASSWORD = "correct horse";

let server: BootedServer;
beforeAll(async () => {
  server = await bootServer();
});
afterAll(() => server[Symbol.asyncDispose]());

/** "authenticating with the API.Core subscriber authorization service": a login by password. */
async function logIn(subscriber: string): Promise<string> {
  const fields = { grant_type: "password", username: `${subscriber}@dev`, password: PASSWORD };
  const { status, body } = await send(server, "token", fields);
  expect([status, body?.["token_type"]]).toEqual([200, "Bearer"]);
  return String(body?.["access_token"]);
}

async function register(subscriber: string): Promise<void> {
  await managed(server, "POST", "/subscribers", { msisdn: subscriber, "sip-password": PASSWORD });
}

describe("WebSocket API", () => {
  test("a service that is SockJS compatible, and a WebSocket protocol", async () => {
    using raw = await connect(server, "1");
    const { "channel-id": id, "invite-token": token } = await raw.ask({ type: "create-channel" });
    for (const transport of SOCKJS_TRANSPORTS) {
      using sockjs = await connectSockJs(server, `1-${transport}`, transport);
      await sockjs.ask({ type: "join-channel", "invite-token": token });
      await sockjs.ask({ type: "channel-message", "channel-id": id, content: transport });
      expect(await raw.nextOf("channel-message")).toMatchObject({ content: transport });
      await raw.ask({ type: "channel-message", "channel-id": id, content: "heard" });
      expect(await sockjs.nextOf("channel-message")).toMatchObject({ content: "heard" });
    }
  });

  test("each connection is authorized by a bearer token, with whose end all that it authorized are dropped and others get 401", async () => {
    await register("2");
    const [ended, kept] = [await logIn("2"), await logIn("2")];
    const dropped = [
      await connect(server, "2", ended),
      await connectSockJs(server, "2", "websocket", ended),
      await connectSockJs(server, "2", "xhr-streaming", ended),
    ];
    using other = await connect(server, "2", kept);
    for (const client of dropped) await client.ask({ type: "ping" });
    await send(server, "revoke", { token: ended });
    for (const client of dropped) {
      expect(await client.closed).toEqual({ code: 4401, reason: "Unauthorized" });
    }
    const session = `${server.clientsUrl}/messaging/000/published`;
    for (const url of [`${server.clientsUrl}/messaging/info`, `${session}/eventsource`]) {
      const { status, statusText } = await fetch(`${url}?access_token=${ended}`);
      expect([status, statusText]).toEqual([401, "Unauthorized"]);
    }
    await expect(connect(server, "2", ended)).rejects.toThrow();
    expect(await other.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    // "If the subscriber authentication has not been invalidated": a new token, and it connects again.
    using again = await connect(server, "2", await logIn("2"));
    expect(await again.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  test("with the subscriber authentication no new token is to be had either", async () => {
    await register("3");
    const client = await connect(server, "3", await logIn("3"));
    await client.ask({ type: "ping" });
    await managed(server, "PATCH", "/subscribers/3", { active: false });
    expect(await client.closed).toEqual({ code: 4401, reason: "Unauthorized" });
    const fields = { grant_type: "password", username: "3@dev", password: PASSWORD };
    const { status, body } = await send(server, "token", fields);
    expect([status, body?.["error"]]).toEqual([400, "invalid_grant"]);
  });
});

describe("Message Format", () => {
  test("each message is a JSON object with a type that is a string", async () => {
    using client = await connect(server, "10");
    const { response, ack } = await client.request({ type: "whoami" });
    for (const message of [response, ack]) {
      expect(message).toBeObject();
      expect(typeof message?.["type"]).toBe("string");
    }
  });

  test("the required response precedes anything unsolicited, such as what follows the message in its channel", async () => {
    using reader = await connect(server, "11a");
    using writer = await connect(server, "11b");
    const { "channel-id": id, "invite-token": token } = await reader.ask({
      type: "create-channel",
    });
    await writer.ask({ type: "join-channel", "invite-token": token });
    const message = { type: "channel-message", "channel-id": id, content: "x" };
    let behind = 0;
    for (let round = 0; round < 20; round++) {
      for (let at = 0; at < 4; at++) writer.send(message);
      const { response, unsolicited } = await reader.request(message);
      const own = Number(response?.["sequence"]);
      const before = unsolicited.map(({ sequence = 0 }) => Number(sequence));
      expect(before.filter((sequence) => sequence > own)).toEqual([]);
      await writer.ask({ type: "ping" });
      const { channels } = await reader.ask({ type: "list-channels" });
      behind += (channels as { "last-sequence": number }[])[0]!["last-sequence"] - own;
    }
    expect(behind).toBeGreaterThan(0);
  });

  test.each(["no JSON", '["ping"]', '{"id":"1"}', '{"type":7}', '{"type":"unsupported"}'])(
    "what is not formatted correctly, or of an unsupported type, is ignored: %s",
    async (text) => {
      using client = await connect(server, "12");
      client.send(text);
      expect(await client.soFar()).toEqual([]);
    },
  );
});

describe("Client Message Fields, Server Message Fields", () => {
  test("all that is sent in response reproduces the id as reply-to", async () => {
    using client = await connect(server, "20");
    for (const id of ["transaction 1", "", "ü"]) {
      client.send({ type: "create-channel", id });
      expect(await client.next()).toMatchObject({ type: "invitation", "reply-to": id });
      expect(await client.next()).toMatchObject({ type: "ack", id, "reply-to": id });
    }
  });

  test("without an id there is no reply-to, nor in what answers nothing", async () => {
    using one = await connect(server, "21a");
    using two = await connect(server, "21b");
    one.send({ type: "ping" });
    const unsolicited: Message[] = [await one.next(), await one.next()];
    expect(unsolicited.map(({ type }) => type)).toEqual(["pong", "ack"]);
    await two.ask({ type: "direct-message", to: "21a", content: "hi" });
    unsolicited.push(await one.next(), await two.nextOf("delivery"));
    for (const message of unsolicited) expect(message).not.toContainKey("reply-to");
  });
});

describe("Models", () => {
  let client: MessagingClient;
  let channelId: unknown;
  beforeAll(async () => {
    client = await connect(server, "30");
    const attributes = { "display-name": "Dana" };
    await client.ask({ type: "announce", availability: "busy", status: "In a call", attributes });
    const channel = { type: "create-channel", name: "Night shift" };
    ({ "channel-id": channelId } = await client.ask(channel));
  });
  afterAll(() => client[Symbol.dispose]());

  test("Channel Subscriber", async () => {
    const asked = { type: "list-subscribers", "channel-id": channelId };
    const { subscribers } = await client.ask(asked);
    expect(subscribers).toEqual([
      {
        id: "30",
        status: "In a call",
        availability: "busy",
        administrator: true,
        attributes: { "display-name": "Dana" },
      },
    ]);
  });

  test("Channel Membership", async () => {
    const { channels } = await client.ask({ type: "list-channels" });
    const membership = { "channel-id": channelId, name: "Night shift", administrator: true };
    expect(channels).toMatchObject([membership]);
    expect(channelId).toBeString();
    const { channel } = await client.ask({ type: "leave-channel", "channel-id": channelId });
    expect(channel).toEqual({ ...membership, administrator: false });
  });
});
