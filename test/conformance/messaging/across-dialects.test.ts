/** Channels and users that other dialects reach and see as well (DESIGN.md §3). */
import { developmentFile } from "../../../src/dialects/configuration.ts";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "bun:test";
import type { Channel } from "../../../src/core/types.ts";
import { directChannel } from "../../../src/dialects/messaging/chat/ids.ts";
import { gusherClient, type GusherClient } from "../../support/gusher.ts";
import {
  connect,
  connectSockJs,
  SOCKJS_TRANSPORTS,
  type Message,
  type MessagingClient,
} from "../../support/messaging.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import {
  bootStreaming,
  connectClient,
  type StreamingClient,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

let server: StreamingServer;
beforeAll(async () => {
  const { channel } = developmentFile();
  server = await bootStreaming({ config: { channel } });
});
afterAll(() => server[Symbol.asyncDispose]());

const open: Disposable[] = [];
afterEach(() => {
  for (const each of open.splice(0)) each[Symbol.dispose]();
});
function kept<Client extends Disposable>(client: Client): Client {
  open.push(client);
  return client;
}

async function streamingIn(channel: string): Promise<StreamingClient> {
  const client = kept(await connectClient(server, { sub: "streams" }));
  expect(await client.ask({ subscribe: { channel } })).toHaveProperty("subscribe");
  return client;
}

async function gusherIn(channel: string, user = "gushes"): Promise<GusherClient> {
  const grant = { channels: ["*"], user_id: user, app_key: "dev", remotes: {} };
  const login = await fetch(`${server.clientsUrl}/gusher/auth`, {
    method: "POST",
    body: new URLSearchParams({ jwt: hs256({ gusher: grant }) }),
  });
  const { token } = (await login.json()) as { token: string };
  const url = `${server.clientsUrl}/gusher/ws/dev?token=${token}`;
  const client = kept(gusherClient(await connectRaw(url)));
  const { event } = await client.ask("gusher.subscribe", { channel });
  expect(event).toBe("gusher.subscribe_succeeded");
  return client;
}

/** A push by gusher's API, with the key that reaches every dialect unless told otherwise. */
async function gusherPush(path: string, fields: Record<string, string>, key = "dev-api-key") {
  const response = await fetch(`${server.apiUrl}/api/${path}`, {
    method: "POST",
    headers: key === "" ? {} : { "X-API-Key": key },
    body: new URLSearchParams(fields),
  });
  expect(response.status).toBe(200);
}

let groups = 0;

/** One member by each transport, in a channel of the first. */
async function members(access: "open" | "invite") {
  const group = (groups += 1);
  const owner = kept(await connect(server, `owner-${group}`));
  const { "channel-id": id, "invite-token": token } = await owner.ask({
    type: "create-channel",
    access,
  });
  const all: MessagingClient[] = [owner];
  for (const transport of SOCKJS_TRANSPORTS) {
    const member = kept(await connectSockJs(server, `${transport}-${group}`, transport));
    await member.ask({ type: "join-channel", "invite-token": token });
    all.push(member);
  }
  await owner.soFar();
  return { owner, all, id: String(id) };
}

const nextMessages = (all: readonly MessagingClient[], type: string): Promise<Message[]> =>
  Promise.all(all.map((each) => each.nextOf(type)));

describe("what is sent to an open channel", () => {
  test("reaches subscribers of streaming and gusher, as long as it is open", async () => {
    const { owner, id } = await members("open");
    const streaming = await streamingIn(id);
    const gusher = await gusherIn(id);
    const say = (content: string) =>
      owner.ask({
        type: "channel-message",
        "channel-id": id,
        content,
        attributes: { big: 1 },
      });
    const { "message-id": messageId, timestamp } = await say("hello");
    const shown = {
      "message-id": messageId,
      from: owner.subscriber,
      sequence: 1,
      timestamp,
      "content-type": "text/plain",
      content: "hello",
      attributes: { big: 1 },
    };
    expect(await streaming.next()).toMatchObject({ push: { channel: id, pub: { data: shown } } });
    expect(await gusher.next()).toEqual({ channel: id, event: "message", data: shown });

    await owner.ask({ type: "update-channel", "channel-id": id, access: "invite" });
    await say("among us");
    expect([await streaming.arrived(), await gusher.arrived()]).toEqual([[], []]);

    await owner.ask({ type: "update-channel", "channel-id": id, access: "open" });
    await say("hello again");
    for (const client of [streaming, gusher]) {
      expect(JSON.stringify(await client.next())).toContain('"content":"hello again"');
    }
  });

  test("is in the others' history, until the channel is deleted", async () => {
    const { owner, id } = await members("open");
    await owner.ask({ type: "channel-message", "channel-id": id, content: "kept" });
    const publications = async () => {
      const { result } = await server.api("history", { channel: id, limit: 10 });
      return result?.["publications"];
    };
    expect(await publications()).toMatchObject([{ data: { content: "kept" } }]);
    await owner.ask({ type: "delete-channel", "channel-id": id });
    expect(await publications()).toEqual([]);
  });

  test("is read as it is now: edited, or deleted without its text, in histories and by who recovers", async () => {
    const { owner, id } = await members("open");
    const ids: string[] = [];
    for (const content of ["first words", "secret", "untouched"]) {
      const sent = { type: "channel-message", "channel-id": id, content, attributes: { content } };
      ids.push(String((await owner.ask(sent))["message-id"]));
    }
    const [edited, deleted] = ids;
    const attributes = { n: 1 };
    const content = "last words";
    await owner.ask({ type: "edit-message", "message-id": edited, content, attributes });
    await owner.ask({ type: "delete-message", "message-id": deleted });
    const expected = [
      { sequence: 1, content, attributes, edited: expect.any(String), "message-id": edited },
      { sequence: 2, content: "", attributes: {}, "deleted-by": owner.subscriber },
      { sequence: 3, content: "untouched", attributes: { content: "untouched" } },
    ];
    const limit = 10;
    const forward = await server.api("history", { channel: id, limit });
    const backward = await server.api("history", { channel: id, limit, reverse: true });
    const since = { epoch: String(forward.result?.["epoch"]), offset: 1 };
    const late = await server.api("history", { channel: id, limit, since });
    const joined = kept(await connectClient(server, { sub: "late" }));
    const recover = { channel: id, recover: true, epoch: since.epoch, offset: 0 };
    const { subscribe } = (await joined.ask({ subscribe: recover })) as {
      readonly subscribe: { readonly publications: readonly object[] };
    };
    const read = [
      forward.result?.["publications"],
      ((backward.result?.["publications"] ?? []) as object[]).toReversed(),
      subscribe.publications,
    ];
    for (const publications of read) {
      expect(publications).toMatchObject(expected.map((data) => ({ data })));
    }
    expect(late.result?.["publications"]).toMatchObject(
      expected.slice(1).map((data) => ({ data })),
    );
    const operators = await shownToOperators({ space: "messaging", name: id });
    expect(operators).toContain('"content":"last words"');
    const all = JSON.stringify([forward, backward, late, subscribe, operators]);
    expect(all).not.toMatch(/first words|secret/);
  });

  test("stays deleted in histories that are longer than messaging's own", async () => {
    const { channel } = developmentFile();
    const longer = { ...channel.without_namespace, history_ttl: "3h", history_meta_ttl: "4h" };
    await using own = await bootStreaming({
      config: {
        channel: { ...channel, without_namespace: longer },
        messaging: { history_ttl: "1s" },
      },
    });
    const publications = async (id: unknown) => {
      const { result } = await own.api("history", { channel: id, limit: 10 });
      return result?.["publications"];
    };
    const owner = await connect(own, "owner");
    const { "channel-id": id } = await owner.ask({ type: "create-channel", access: "open" });
    const message = { type: "channel-message", "channel-id": id, content: "secret" };
    const { "message-id": sent } = await owner.ask(message);
    await owner.ask({ type: "delete-message", "message-id": sent });
    owner[Symbol.dispose]();
    await own.advance(2 * 3_600_000);
    expect(await publications(id)).toMatchObject([{ data: { "message-id": sent, content: "" } }]);
  });

  test("by a client of streaming is a message from nobody, and one to another channel is refused", async () => {
    const { owner, id } = await members("open");
    const streaming = await streamingIn(id);
    const data = { n: 1 };
    streaming.send({ id: 99, publish: { channel: id, data } });
    const answers = [await streaming.next(), await streaming.next()];
    expect(answers).toContainEqual({ id: 99, publish: {} });
    expect(await owner.nextOf("channel-message")).toMatchObject({ from: "", content: '{"n":1}' });
    await owner.ask({ type: "update-channel", "channel-id": id, access: "invite" });
    expect(await streaming.ask({ publish: { channel: id, data } })).toMatchObject({
      error: { code: 108 },
    });
    expect(await owner.soFar()).toEqual([]);
  });
});

test("a direct message that was deleted is shown to operators without its text", async () => {
  const one = kept(await connect(server, "12025550190"));
  kept(await connect(server, "12025550191"));
  const message = { type: "direct-message", to: "12025550191", content: "secret" };
  const { "message-id": id } = await one.ask(message);
  const conversation = directChannel("12025550190", "12025550191");
  expect(await shownToOperators(conversation)).toContain('"content":"secret"');
  await one.ask({ type: "delete-message", "message-id": id });
  expect(await shownToOperators(conversation)).toContain('"content":""');
});

/** What the admin API says of a channel's history. */
async function shownToOperators({ space, name }: Channel): Promise<string> {
  const query = String(new URLSearchParams({ space, channel: name }));
  return (await fetch(`${server.apiUrl}/admin/api/channels/history?${query}`)).text();
}

describe("a push by another dialect's API", () => {
  test("to a channel reaches its members over every transport, each once and in order", async () => {
    const { all, id } = await members("invite");
    const pushes = [
      () => server.api("publish", { channel: id, data: { n: 1 }, tags: { event: "told" } }),
      () => server.api("broadcast", { channels: [id], data: "text" }),
      () => gusherPush(`push/dev/${id}/told`, { data: '{"n":3}' }),
      () =>
        gusherPush("push_batch/dev", {
          batch_data: JSON.stringify([{ channel: id, event: "told", data: "4" }]),
        }),
      () =>
        fetch(server.apiUrl, {
          method: "POST",
          headers: { "x-sora-target": "Sora_20160711.PushChannel" },
          body: JSON.stringify({ channel_id: id, data: { spam: "egg" } }),
        }),
    ];
    const expected = [
      { sequence: 1, content: '{"n":1}', attributes: { event: "told" } },
      { sequence: 2, content: "text", "content-type": "text/plain", attributes: {} },
      { sequence: 3, content: '{"n":3}', attributes: { event: "told" } },
      { sequence: 4, content: "4", attributes: { event: "told" } },
      { sequence: 5, content: '{"spam":"egg"}', attributes: {} },
    ];
    for (const push of pushes) await push();
    for (const message of expected) {
      const came = await nextMessages(all, "channel-message");
      for (const each of came) {
        expect(each).toMatchObject({ "channel-id": id, from: "", ...message });
        expect(each["message-id"]).toBe(came[0]?.["message-id"]);
      }
    }
    // Kept like any other.
    const { messages } = await all[0]!.ask({ type: "history", "channel-id": id });
    expect(messages).toMatchObject(expected);
  });

  test("to an open channel reaches its members and the others' subscribers alike", async () => {
    const { all, id } = await members("open");
    const streaming = await streamingIn(id);
    const gusher = await gusherIn(id);
    await gusherPush(`push/dev/${id}/told`, { data: '"both"' });
    const shown = expect.objectContaining({ from: "", sequence: 1, content: "both" });
    expect(await gusher.next()).toEqual({ channel: id, event: "told", data: shown });
    expect(await streaming.next()).toMatchObject({ push: { pub: { data: shown } } });
    // By pattern it is found by its subscribers, and is the channel's all the same.
    await gusherPush("push/dev", { channel_pattern: `^${id}$`, event: "told", data: '"matched"' });
    for (const content of ["both", "matched"]) {
      for (const each of await nextMessages(all, "channel-message")) {
        expect(each).toMatchObject({ content, attributes: { event: "told" } });
      }
    }
    expect(JSON.stringify(await gusher.next())).toContain('"content":"matched"');
  });

  test("to a user reaches its connections over every transport, where the key reaches messaging", async () => {
    const user = "12025550177";
    const gusher = await gusherIn("elsewhere", user);
    const all = [kept(await connect(server, user))];
    for (const transport of SOCKJS_TRANSPORTS) {
      all.push(kept(await connectSockJs(server, user, transport)));
    }
    for (const each of all) await each.ask({ type: "ping" });
    await gusherPush(`push/user/dev/${user}`, { data: '{"only":"gusher"}' }, "");
    await gusherPush(`push/user/dev/${user}`, { data: '{"hello":1}' });
    expect(await gusher.next()).toEqual({ only: "gusher" });
    expect(await gusher.next()).toEqual({ hello: 1 });
    const came = await nextMessages(all, "direct-message");
    for (const each of came) {
      expect(each).toMatchObject({ from: "", to: user, sequence: 0, content: '{"hello":1}' });
      // One message, whichever connection tells of it.
      expect(each["message-id"]).toBe(came[0]?.["message-id"]);
    }
  });
});
