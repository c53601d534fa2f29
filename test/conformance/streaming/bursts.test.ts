/** Publications that come together: how frames hold them (centrifugo-protocol.md §1.1), and that their order is that of the calls. */
import { expect, test } from "bun:test";
import { TEST_ENGINE } from "../../support/engine.ts";
import { connectRaw } from "../../support/raw-websocket.ts";
import {
  API_KEY as KEY,
  bootStreaming,
  callApi as call,
  connectClient,
  HISTORY,
  OPEN,
  subscribed,
  type StreamingServer,
} from "../../support/streaming.ts";

const ANONYMOUS = { allow_anonymous_connect_without_token: true };
const NAMESPACES = [
  { name: "live", ...OPEN },
  { name: "kept", ...OPEN, ...HISTORY },
];

const batch = (server: StreamingServer, commands: readonly object[]) =>
  call(server, { path: "/api/batch", headers: KEY, body: JSON.stringify({ commands }) });

const publish = (channel: string, data: number) => ({ publish: { channel, data } });

// On Redis it depends on how much of what it sends is there to be read at a time.
test.skipIf(TEST_ENGINE === "redis").each(["live:a", "kept:a"])(
  "a burst to %s is one frame for each client",
  async (channel) => {
    await using server = await bootStreaming({ streaming: ANONYMOUS, namespaces: NAMESPACES });
    using json = await connectClient(server);
    await subscribed(json, channel);
    const protobuf = await connectRaw(`${server.websocketUrl}?format=protobuf`);
    protobuf.send(protobufCommand(1, [0x22, 0]));
    await protobuf.next();
    const name = Buffer.from(channel);
    protobuf.send(protobufCommand(2, [0x2a, name.length + 2, 0x0a, name.length, ...name]));
    await protobuf.next();

    const numbers = [1, 2, 3, 4, 5];
    await batch(
      server,
      numbers.map((n) => publish(channel, n)),
    );
    const lines = (await json.raw.next()).text.split("\n");
    expect(lines.map((line) => JSON.parse(line).push.pub.data)).toEqual(numbers);
    const { payload } = await protobuf.next();
    let replies = 0;
    for (let at = 0; at < payload.length; at += 1 + (payload[at] ?? 0)) replies += 1;
    expect(replies).toBe(numbers.length);
    protobuf.destroy();
  },
);

test("channels that take turns reach who is in both in the order of the calls", async () => {
  await using server = await bootStreaming({ streaming: ANONYMOUS, namespaces: NAMESPACES });
  using client = await connectClient(server);
  for (const channel of ["live:a", "live:b"]) await subscribed(client, channel);
  const order = ["live:a", "live:a", "live:b", "live:a", "live:b"];
  await batch(
    server,
    order.map((channel, n) => publish(channel, n)),
  );
  for (const [n, channel] of order.entries()) {
    expect(await client.next()).toEqual({ push: { channel, pub: { data: n } } });
  }
});

test("who comes, goes, asks or is closed in the midst of a burst finds what was published before, and nothing twice", async () => {
  await using server = await bootStreaming({ streaming: ANONYMOUS, namespaces: NAMESPACES });
  using stays = await connectClient(server);
  using goes = await connectClient(server);
  using closed = await connectClient(server);
  using comes = await connectClient(server);
  for (const client of [stays, goes, closed]) await subscribed(client, "live:a");
  const who = (client: string) => ({ user: "", client });
  await batch(server, [
    publish("live:a", 1),
    { unsubscribe: { channel: "live:a", ...who(goes.id) } },
    publish("live:a", 2),
    { disconnect: who(closed.id) },
    publish("live:a", 3),
    { subscribe: { channel: "live:a", ...who(comes.id) } },
    publish("live:a", 4),
  ]);
  const got = async (client: typeof stays) => {
    const numbers: unknown[] = [];
    for (const { push } of await client.arrived()) {
      const { pub, unsubscribe } = push as { pub?: { data: number }; unsubscribe?: object };
      numbers.push(pub?.data ?? (unsubscribe === undefined ? "subscribed" : "unsubscribed"));
    }
    return numbers;
  };
  expect(await got(stays)).toEqual([1, 2, 3, 4]);
  expect(await got(goes)).toEqual([1, "unsubscribed"]);
  expect(await got(comes)).toEqual(["subscribed", 4]);
  const frames = await closed.raw.rest();
  const lines = frames.slice(0, -1).flatMap(({ text }) => text.split("\n"));
  expect(lines.map((line) => JSON.parse(line).push.pub.data)).toEqual([1, 2]);
  expect(frames.at(-1)?.opcode).toBe(8);
});

/** A command of one byte's length, its id before what is asked. */
function protobufCommand(id: number, request: readonly number[]): Uint8Array {
  return Uint8Array.of(2 + request.length, 0x08, id, ...request);
}
