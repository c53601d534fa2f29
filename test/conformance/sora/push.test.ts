/** Whom each push reaches, disconnects and lists (sora-push.md §1.4, §1.5, items 1 to 4, 7, 19, 20, 22, 23, 41), on the WebSocket. */
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  bootSora,
  connectSora,
  push,
  TARGETS,
  type Json,
  type SoraClient,
  type SoraServer,
} from "../../support/sora.ts";
import { connectClient, subscribed } from "../../support/streaming.ts";

/** What arrived so far, up to a push that marks the end. */
async function arrived(server: SoraServer, client: SoraClient): Promise<readonly Json[]> {
  const target = { channel_id: "sora", connection_id: client.id, data: { mark: client.id } };
  await server.call(TARGETS.connection, target);
  const messages: Json[] = [];
  for (;;) {
    const message = await client.next();
    if (Bun.deepEquals(message, push({ mark: client.id }))) return messages;
    messages.push(message);
  }
}

/** The checklist's channel: A recvonly u1, B sendonly u1, C recvonly u2. */
class Fixture {
  server!: SoraServer;
  a!: SoraClient;
  b!: SoraClient;
  c!: SoraClient;

  async connect(): Promise<void> {
    this.a = await connectSora(this.server, { client_id: "u1" });
    this.b = await connectSora(this.server, { client_id: "u1", role: "sendonly" });
    this.c = await connectSora(this.server, { client_id: "u2" });
    await this.drain();
  }

  async drain(): Promise<Readonly<Record<"A" | "B" | "C", readonly Json[]>>> {
    const [A, B, C] = [
      await arrived(this.server, this.a),
      await arrived(this.server, this.b),
      await arrived(this.server, this.c),
    ];
    return { A, B, C };
  }

  async leave(): Promise<void> {
    for (const client of [this.a, this.b, this.c]) client[Symbol.dispose]();
    while (this.server.peers.open > 0) await this.server.advance(0);
  }
}

const all = new Fixture();
beforeAll(async () => {
  all.server = await bootSora();
});
afterAll(() => all.server[Symbol.asyncDispose]());
beforeEach(() => all.connect());
afterEach(() => all.leave());

describe("a push reaches", () => {
  const data = { spam: "egg" };
  const NOBODY: readonly Json[] = [];
  const ONE = [push(data)];

  test.each([
    ["a channel's connections", TARGETS.channel, {}, [ONE, ONE, ONE]],
    ["a client's", TARGETS.client, { client_id: "u1" }, [ONE, ONE, NOBODY]],
    ["a role's", TARGETS.role, { role: "recvonly" }, [ONE, NOBODY, ONE]],
    ["nobody of another role", TARGETS.role, { role: "sendrecv" }, [NOBODY, NOBODY, NOBODY]],
    ["nobody of another client", TARGETS.client, { client_id: "u3" }, [NOBODY, NOBODY, NOBODY]],
    ["nobody elsewhere", TARGETS.channel, { channel_id: "other" }, [NOBODY, NOBODY, NOBODY]],
    [
      ...(["no client of another channel", TARGETS.client] as const),
      { channel_id: "other", client_id: "u1" },
      [NOBODY, NOBODY, NOBODY],
    ],
    ["nobody unknown", TARGETS.connection, { connection_id: "x" }, [NOBODY, NOBODY, NOBODY]],
  ] as const)("%s", async (_name, target, keys, [A, B, C]) => {
    const answer = await all.server.call(target, { channel_id: "sora", ...keys, data });
    expect([answer.status, answer.text]).toEqual([200, '{"data":{"spam":"egg"},"type":"push"}']);
    expect(await all.drain()).toEqual({ A, B, C } as never);
  });

  test("one connection, in its own channel alone", async () => {
    const keys = { connection_id: all.a.id, data };
    await all.server.call(TARGETS.connection, { channel_id: "sora", ...keys });
    await all.server.call(TARGETS.connection, { channel_id: "other", ...keys });
    expect(await all.drain()).toEqual({ A: ONE, B: NOBODY, C: NOBODY } as never);
  });
});

test("data is what it was: empty, nested Unicode, large numbers, 100 KB", async () => {
  const texts = [
    "{}",
    '{"n":9007199254740993,"null":null,"é":{"日本":["\\u00e9","😀"]}}',
    JSON.stringify({ large: "é".repeat(50_000) }),
  ];
  for (const text of texts) {
    await all.server.call(TARGETS.channel, `{"channel_id":"sora","data":${text}}`);
    const frame = await all.b.socket.next();
    expect(frame.text).toBe(`{"data":${text},"type":"push"}`);
  }
});

test("a burst of 500 arrives whole and in order, whichever operation pushes", async () => {
  const calls = Array.from({ length: 500 }, (_, n) => ({ channel_id: "sora", data: { n } }));
  for (const call of calls) {
    const target = call.data.n % 2 === 0 ? TARGETS.channel : TARGETS.client;
    await all.server.call(target, { client_id: "u1", ...call });
  }
  const { A, C } = await all.drain();
  expect(A).toEqual(calls.map(({ data }) => push(data)));
  expect(C).toEqual(calls.filter(({ data }) => data.n % 2 === 0).map(({ data }) => push(data)));
});

describe("a disconnect", () => {
  test("of one connection tells the others, and it is unknown from then on", async () => {
    const { server, a, b, c } = all;
    const keys = { channel_id: "sora", connection_id: a.id };
    const answer = await server.call("Sora_20151104.DisconnectConnection", {
      ...{ ...keys, reason: { why: 1 } },
    });
    expect([answer.status, answer.text]).toEqual([200, JSON.stringify(keys)]);
    expect(await a.closed()).toEqual([1000, "DISCONNECTED-API"]);
    for (const other of [b, c]) {
      expect(await other.next()).toMatchObject({
        ...{ event_type: "connection.destroyed", connection_id: a.id, channel_connections: 2 },
      });
    }
    const again = await server.call(TARGETS.connection, { ...keys, data: {} });
    expect(again.status).toBe(200);
  });

  test.each([
    ["DisconnectClient", "20151104", { client_id: "u1" }, ["a", "b"]],
    ["DisconnectChannelByRole", "20201120", { role: "recvonly" }, ["a", "c"]],
    ["DisconnectChannel", "20151104", {}, ["a", "b", "c"]],
  ] as const)("%s", async (name, version, more, ended) => {
    const keys = { channel_id: "sora", ...more };
    const answer = await all.server.call(`Sora_${version}.${name}`, keys);
    expect([answer.status, answer.json]).toEqual([200, keys as Json]);
    for (const client of ended) {
      expect(await all[client].closed()).toEqual([1000, "DISCONNECTED-API"]);
    }
    const listed = await all.server.call("Sora_20201013.ListConnections");
    expect(listed.json).toHaveLength(3 - ended.length);
  });
});

test("lists", async () => {
  const { server, a } = all;
  const other = await connectSora(server, { channel_id: "other", video: { codec_type: "VP9" } });
  const inChannel = await server.call("Sora_20201013.ListChannelConnections", {
    channel_id: "sora",
  });
  expect(inChannel.json as unknown).toEqual(
    [all.a, all.b, all.c].map(({ id, offer }, index) => ({
      ...{ audio: true, video: true, channel_id: "sora", session_id: offer["session_id"] },
      ...{ client_id: index === 2 ? "u2" : "u1", bundle_id: id, connection_id: id },
      ...{ role: index === 1 ? "sendonly" : "recvonly", created_time: expect.any(Number) },
      ...{ multistream: true, simulcast: false, spotlight: false },
    })),
  );
  const [first] = inChannel.json as unknown as Json[];
  expect([first?.["connection_id"], Number.isInteger(first?.["created_time"])]).toEqual([
    a.id,
    true,
  ]);
  const everywhere = await server.call("Sora_20201013.ListConnections");
  expect(everywhere.json).toHaveLength(4);
  expect((everywhere.json as unknown as Json[])[3]).toMatchObject({ video: { codec_type: "VP9" } });
  const channels = await server.call("Sora_20201013.ListChannels", "");
  expect(channels.json as unknown).toEqual(
    ["sora", "other"].map((channel_id) => ({ channel_id, multistream: true, spotlight: false })),
  );
  const nobody = await server.call("Sora_20201013.ListChannelConnections", { channel_id: "x" });
  expect(nobody.text).toBe("[]");
  other[Symbol.dispose]();
});

test("an unknown channel, client or connection is an error where the configuration says so", async () => {
  await using server = await bootSora({ sora: { unknown_target: "error" } });
  using client = await connectSora(server, { client_id: "u1", channel_id: "a\\E.*b" });
  const call = (target: string, keys: Json) => server.call(target, { data: {}, ...keys });
  const here = { channel_id: "a\\E.*b" };
  const elsewhere = { channel_id: "axb" };
  for (const [target, keys, error] of [
    [TARGETS.channel, elsewhere, "CHANNEL-NOT-FOUND"],
    [TARGETS.channel, { channel_id: "" }, "CHANNEL-NOT-FOUND"],
    [TARGETS.client, { ...elsewhere, client_id: "u1" }, "CHANNEL-NOT-FOUND"],
    [TARGETS.client, { ...here, client_id: "u2" }, "CLIENT-NOT-FOUND"],
    [TARGETS.connection, { ...here, connection_id: "x" }, "CONNECTION-NOT-FOUND"],
    [TARGETS.connection, { ...elsewhere, connection_id: client.id }, "CHANNEL-NOT-FOUND"],
    ["Sora_20151104.DisconnectConnection", { ...here, connection_id: "x" }, "CONNECTION-NOT-FOUND"],
    ["Sora_20151104.DisconnectChannel", elsewhere, "CHANNEL-NOT-FOUND"],
  ] as const) {
    const answer = await call(target, keys);
    expect([keys, answer.status, answer.json]).toEqual([keys, 400, { error_type: error }] as never);
  }
  for (const [target, keys] of [
    [TARGETS.channel, here],
    [TARGETS.role, { ...here, role: "sendrecv" }],
    [TARGETS.client, { ...here, client_id: "u1" }],
    [TARGETS.connection, { ...here, connection_id: client.id }],
  ] as const) {
    expect([keys, (await call(target, keys)).status]).toEqual([keys, 200] as never);
  }
  // A channel of another dialect's clients is one as well.
  using streaming = await connectClient(server as never, { sub: "12" });
  await subscribed(streaming, "axb");
  expect((await call(TARGETS.channel, elsewhere)).status).toBe(200);
});

describe("the other dialects", () => {
  test("reach Sora's connections, and are reached", async () => {
    const { server, a } = all;
    using streaming = await connectClient(server as never, { sub: "12" });
    await subscribed(streaming, "sora");
    await server.call(TARGETS.channel, { channel_id: "sora", data: { from: "sora" } });
    expect(await streaming.arrived()).toMatchObject([
      { push: { channel: "sora", pub: { data: { from: "sora" } } } },
    ]);
    await server.api("publish", { channel: "sora", data: { from: "streaming" } });
    await server.api("publish", { channel: "sora", data: [1, "x"] });
    const gusher = await fetch(`${server.apiUrl}/gusher/push/dev/sora/e`, {
      method: "POST",
      body: new URLSearchParams({ data: '{"from":"gusher"}' }),
    });
    expect(gusher.status).toBe(200);
    const values = [
      ...[{ from: "sora" }, { from: "streaming" }, { value: [1, "x"] }, { from: "gusher" }],
    ];
    expect(await arrived(server, a)).toEqual(values.map((value) => push(value)));
  });

  test("reach a client by its user, which its id is in development mode", async () => {
    const { server, a, b, c } = all;
    const reached = await server.hub.push({ user: "u1" }, { data: { json: '{"x":1}' as never } });
    expect(reached.matched).toBe(2);
    expect(await all.drain()).toEqual({ A: [push({ x: 1 })], B: [push({ x: 1 })], C: [] });
    const byRole = await server.hub.push(
      { label: "role:recvonly" },
      { data: { json: '"r"' as never } },
    );
    expect(byRole.matched).toBe(2);
    expect([a, b, c].map(({ offer }) => offer["client_id"])).toEqual(["u1", "u1", "u2"]);
  });

  test("do not reach channels that Sora may not join, nor are reached there", async () => {
    const { server } = all;
    using streaming = await connectClient(server as never, { sub: "12" });
    await subscribed(streaming, "dialog#12");
    for (const headers of [{}, { "X-API-Key": "unknown" }] as const) {
      const body = { channel_id: "dialog#12", data: {} };
      expect((await server.call(TARGETS.channel, body, { headers })).status).toBe(200);
      expect(await streaming.arrived()).toEqual([]);
    }
    const headers = { "X-API-Key": "dev-api-key" };
    await server.call(TARGETS.channel, { channel_id: "dialog#12", data: { n: 1 } }, { headers });
    expect(await streaming.arrived()).toMatchObject([{ push: { pub: { data: { n: 1 } } } }]);
  });
});

test("a client that reads too slowly is ended, and slows nobody", async () => {
  await using server = await bootSora({ sora: { queue_max_size: 65_536 } });
  using other = await connectSora(server);
  using slow = await connectSora(server);
  await other.until("notify");
  slow.socket.pause();
  const data = { large: "x".repeat(1_000_000) };
  let ended: Json | undefined;
  for (let pushes = 0; ended === undefined && pushes < 20; pushes += 1) {
    await server.call(TARGETS.channel, { channel_id: "sora", data });
    // Behind its push comes what the push did.
    await server.call(TARGETS.connection, {
      channel_id: "sora",
      connection_id: other.id,
      data: { pushes },
    });
    for (let message = await other.next(); !Bun.deepEquals(message, push({ pushes }));) {
      if (message["type"] === "notify") ended = message;
      message = await other.next();
    }
  }
  expect(ended).toMatchObject({ event_type: "connection.destroyed", connection_id: slow.id });
  slow.socket.resume();
  // What the kernel took before comes first.
  const frames = await slow.socket.rest();
  expect(frames.at(-1)).toMatchObject({ code: 4490, text: "TOO-SLOW" });
});
