/** The unmodified sora-js-sdk against a whole server over real WebRTC, without a browser (sora-push.md §4.3, items 26 to 43). */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { jsonOf } from "../../../src/core/json-text.ts";
import { CHANNELS } from "../../../src/core/types.ts";
import { systemRuntime } from "../../../src/system-runtime.ts";
import { bootServer, type BootedServer } from "../../support/server.ts";
import { callSora, push, TARGETS } from "../../support/sora.ts";
import { loadSoraSdk } from "../../support/sora-sdk.ts";

let server: BootedServer;
let url: string;
let Sora: Awaited<ReturnType<typeof loadSoraSdk>>;
beforeAll(async () => {
  [server, Sora] = await Promise.all([bootServer({ runtime: systemRuntime }), loadSoraSdk()]);
  url = `${server.clientsUrl.replace(/^http/, "ws")}/signaling`;
});
afterAll(() => server[Symbol.asyncDispose]());

/** Values that come by a callback, taken one by one. */
class Heard<Value> {
  readonly #values: Value[] = [];
  #wake = () => {};

  add(value: Value): void {
    this.#values.push(value);
    this.#wake();
  }

  get unread(): number {
    return this.#values.length;
  }

  async next(): Promise<Value> {
    while (this.#values.length === 0) await new Promise<void>((resolve) => (this.#wake = resolve));
    return this.#values.shift() as Value;
  }
}

type Options = NonNullable<Parameters<ReturnType<typeof Sora.connection>["recvonly"]>[2]>;

function prepare(
  channel: string,
  options: Options = {},
  kind: "recvonly" | "messaging" = "recvonly",
) {
  const connection = Sora.connection(url, false);
  const client = connection[kind](channel, null, options as never);
  const pushes = new Heard<readonly [unknown, string]>();
  const notices = new Heard<Record<string, unknown>>();
  const ends = new Heard<unknown>();
  const switched = Promise.withResolvers<void>();
  const messages = new Heard<readonly [string, string]>();
  client.on("push", (message, transport) => pushes.add([message, transport]));
  client.on("notify", (message) => notices.add(message as never));
  client.on("disconnect", ({ type, title, code, reason }) =>
    ends.add({ type, title, code, reason }),
  );
  client.on("switched", () => switched.resolve());
  client.on("message", ({ label, data }) => messages.add([label, Buffer.from(data).toString()]));
  return { client, pushes, notices, ends, messages, switched: switched.promise };
}

const publish = (name: string, n: number) =>
  server.hub.publish({ space: CHANNELS, name }, { data: { json: jsonOf({ n }) } });
const call = (target: string, body: unknown) => callSora(server.apiUrl, target, body);
const HYBRID = { dataChannelSignaling: true };
const ALONE = { dataChannelSignaling: true, ignoreDisconnectWebSocket: true };
const BY_CLIENT = { type: "normal", title: "DISCONNECT", code: 1000, reason: "TYPE-DISCONNECT" };
const WITH_CODE = {
  ...{ type: "abend", title: "WEBSOCKET-ONCLOSE", code: 4490, reason: "TOO-MANY-MESSAGES" },
};
const BY_API = { type: "normal", title: "SHUTDOWN", code: 1000, reason: "DISCONNECTED-API" };

describe.each([
  ["websocket", {}],
  ["datachannel", HYBRID],
  ["datachannel", ALONE],
] as const)("over %s (%o)", (transport, options) => {
  test("connects, is told of itself, pushed to in order, and ends once", async () => {
    const channel_id = `${transport}-${JSON.stringify(options)}`;
    const sdk = prepare(channel_id, options);
    await sdk.client.connect();
    expect(await sdk.notices.next()).toMatchObject({
      ...{ event_type: "connection.created", connection_id: sdk.client.connectionId, data: [] },
      channel_connections: 1,
    });
    if (transport === "datachannel") await sdk.switched;
    // All in one turn of the event loop.
    await Promise.all(Array.from({ length: 500 }, (_, n) => publish(channel_id, n)));
    for (let n = 0; n < 500; n += 1) {
      expect(await sdk.pushes.next()).toEqual([push({ n }), transport]);
    }
    const large = { text: "é".repeat(50_000) };
    await call(TARGETS.connection, {
      ...{ channel_id, connection_id: sdk.client.connectionId, data: large },
    });
    expect(await sdk.pushes.next()).toEqual([push(large), transport]);
    await sdk.client.disconnect();
    expect(await sdk.ends.next()).toEqual(BY_CLIENT);
    expect(sdk.ends.unread).toBe(0);
  }, 20_000);

  test("is ended by the API", async () => {
    const channel_id = `api-${transport}-${JSON.stringify(options)}`;
    const sdk = prepare(channel_id, options);
    await sdk.client.connect();
    await sdk.notices.next();
    if (transport === "datachannel") await sdk.switched;
    await call("Sora_20151104.DisconnectChannel", { channel_id });
    expect(await sdk.ends.next()).toEqual(BY_API);
  }, 20_000);
});

test.each([
  ["websocket", {}, WITH_CODE],
  ["hybrid", HYBRID, WITH_CODE],
  // Any `close` message is a normal end to the SDK.
  ["datachannel", ALONE, { ...WITH_CODE, type: "normal", title: "SHUTDOWN" }],
] as const)(
  "an error of the server's is told once, with its code: %s",
  async (name, options, end) => {
    const channel = `error-${name}`;
    const sdk = prepare(channel, options);
    await sdk.client.connect();
    await sdk.notices.next();
    if (name !== "websocket") await sdk.switched;
    await server.hub.disconnect(
      { channel: { space: CHANNELS, name: channel } },
      { disconnect: "too_many_requests" },
    );
    expect(await sdk.ends.next()).toEqual(end);
    expect(sdk.ends.unread).toBe(0);
  },
  20_000,
);

test("a redirect is followed", async () => {
  await using other = await bootServer({
    runtime: systemRuntime,
    config: { sora: { port: 0, redirect_url: url } },
  });
  const connection = Sora.connection(`${other.clientsUrl.replace(/^http/, "ws")}/signaling`);
  const client = connection.recvonly("redirected");
  const announced = new Promise<unknown>((resolve) => client.on("notify", resolve));
  await client.connect();
  await announced;
  const { json } = await call("Sora_20201013.ListChannelConnections", { channel_id: "redirected" });
  expect(json).toMatchObject([{ connection_id: client.connectionId }] as never);
  await client.disconnect();
}, 20_000);

test("20 that move to DataChannels under a stream of pushes miss and repeat none", async () => {
  const channel = "moving";
  const clients = Array.from({ length: 20 }, (_, at) =>
    prepare(channel, at % 2 === 0 ? HYBRID : ALONE),
  );
  let published = 0;
  let moving = true;
  const stream = (async () => {
    while (moving) {
      const ten = Array.from({ length: 10 }, () => publish(channel, published++));
      // The SDK runs in this process.
      await Promise.all([...ten, new Promise((resolve) => setImmediate(resolve))]);
    }
  })();
  for (const five of [0, 5, 10, 15]) {
    await Promise.all(
      clients.slice(five, five + 5).map(async ({ client, switched }) => {
        await client.connect();
        await switched;
      }),
    );
  }
  const after = published + 1;
  while (published < after + 20) await new Promise((resolve) => setImmediate(resolve));
  moving = false;
  await stream;
  let byWebsocket = 0;
  for (const { client, pushes } of clients) {
    const seen: Record<string, number[]> = { websocket: [], datachannel: [] };
    // Of the two transports one may overtake the other.
    const all = new Set<number>();
    let [count, first] = [0, Infinity];
    do {
      const [message, transport] = await pushes.next();
      const { n } = (message as { readonly data: { readonly n: number } }).data;
      seen[transport]?.push(n);
      all.add(n);
      first = Math.min(first, n);
      count += 1;
    } while (all.size < published - first);
    expect(count).toBe(all.size);
    byWebsocket += seen["websocket"]?.length ?? 0;
    for (const numbers of Object.values(seen)) {
      expect(numbers).toEqual(numbers.toSorted((one, other) => one - other));
    }
    await client.disconnect();
    expect(pushes.unread).toBe(0);
  }
  // Some moved in the middle of it.
  expect(byWebsocket).toBeGreaterThan(0);
}, 30_000);

test("messages on a label go from one to the other", async () => {
  const dataChannels = [{ label: "#spam", direction: "sendrecv" as const, compress: true }];
  const [one, other] = [
    prepare("messaging", { ...HYBRID, dataChannels } as never, "messaging"),
    prepare("messaging", { ...HYBRID, dataChannels } as never, "messaging"),
  ];
  for (const { client, switched } of [one, other]) {
    await client.connect();
    await switched;
  }
  await one.client.sendMessage("#spam", new TextEncoder().encode("egg"));
  expect(await other.messages.next()).toEqual(["#spam", "egg"]);
  expect(one.messages.unread).toBe(0);
  for (const { client } of [one, other]) await client.disconnect();
}, 20_000);

test("a refused connect is told so", async () => {
  const sdk = prepare("é".repeat(128));
  const refused = await sdk.client.connect().catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 4490, reason: "INVALID-MESSAGE" });
}, 20_000);
