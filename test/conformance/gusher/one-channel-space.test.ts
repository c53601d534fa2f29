/** One push reaches the clients of both protocols, each in its own form (DESIGN.md §3, the table of payloads). */
import { expect, test } from "bun:test";
import { connectRaw } from "../../support/raw-websocket.ts";
import {
  bootGusher,
  GRANT_Z,
  gusherClient,
  post,
  socketUrl,
  tokenFor,
} from "../../support/gusher.ts";
import { connectClient, subscribed } from "../../support/streaming.ts";
import { compactJson } from "../../../src/core/json-text.ts";

async function bootBoth() {
  const server = await bootGusher();
  const gusher = gusherClient(await connectRaw(socketUrl(server, await tokenFor(server, GRANT_Z))));
  const streaming = await connectClient(server, { sub: "s1" });
  await gusher.ask("gusher.subscribe", { channel: "news" });
  await subscribed(streaming, "news");
  return { server, gusher, streaming };
}

test("a master push with an event reaches streaming with the event as its tag", async () => {
  const { server, gusher, streaming } = await bootBoth();
  await using _ = server;
  const data = new URLSearchParams({ data: '{"big":1}' });
  await post(`${server.masterUrl}/push/TEST/news/notify`, data);
  expect(await gusher.next()).toEqual({ channel: "news", event: "notify", data: { big: 1 } });
  expect(await streaming.next()).toMatchObject({
    push: { channel: "news", pub: { data: { big: 1 }, tags: { event: "notify" } } },
  });
});

test("a streaming publication reaches gusher as the event `message`, or as its tag says", async () => {
  const { server, gusher, streaming } = await bootBoth();
  await using _ = server;
  streaming.send({ id: 100, publish: { channel: "news", data: [1, "two"] } });
  expect(await gusher.next()).toEqual({ channel: "news", event: "message", data: [1, "two"] });
  await server.api("publish", { channel: "news", data: 9, tags: { event: "tagged" } });
  expect(await gusher.next()).toEqual({ channel: "news", event: "tagged", data: 9 });
});

test("numbers and members arrive as they were written", async () => {
  const { server, gusher } = await bootBoth();
  await using _ = server;
  const json = '{"b":9007199254740993,"a":"\\u0041<&"}';
  await server.hub.publish(
    { space: "channels", name: "news" },
    { data: { json: compactJson(json) } },
  );
  expect((await gusher.raw.next()).text).toBe(
    `{"channel":"news","event":"message","data":${json}}`,
  );
});

test("bytes that are JSON reach gusher compact, and others close its sockets with 1003 and nobody else's", async () => {
  const { server, gusher } = await bootBoth();
  await using _ = server;
  using elsewhere = gusherClient(
    await connectRaw(socketUrl(server, await tokenFor(server, GRANT_Z))),
  );
  await elsewhere.ask("gusher.subscribe", { channel: "other" });
  const publish = (bytes: Buffer) =>
    server.api("publish", { channel: "news", b64data: bytes.toString("base64") });
  await publish(Buffer.from('{ "n" : 9007199254740993 }\n'));
  expect((await gusher.raw.next()).text).toBe(
    '{"channel":"news","event":"message","data":{"n":9007199254740993}}',
  );
  await publish(Buffer.from([0xff, 0]));
  expect(await gusher.ended()).toEqual({ texts: [], code: 1003 });
  expect(await elsewhere.arrived()).toEqual([]);
});

test("neither sees the other's joins, and streaming's presence knows both", async () => {
  const { server, gusher, streaming } = await bootBoth();
  await using _ = server;
  const presence = await server.api("presence", { channel: "news" });
  const clients = Object.values(presence.result?.["presence"] ?? {}) as { user: string }[];
  expect(clients.map(({ user }) => user).toSorted()).toEqual(["s1", "u2"]);
  await gusher.ask("gusher.unsubscribe", { channel: "news" });
  expect(await streaming.arrived()).toEqual([]);
});

test("a disconnect of a user asked for by streaming's API closes gusher's sockets with its code", async () => {
  const { server, gusher } = await bootBoth();
  await using _ = server;
  await server.api("disconnect", { user: "u2", disconnect: { code: 4321, reason: "told so" } });
  expect(await gusher.ended()).toEqual({ texts: [], code: 4321 });
});
