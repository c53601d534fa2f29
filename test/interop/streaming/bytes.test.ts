/**
 * Payloads between the two encodings (centrifugo-protocol.md §1.3): what Protobuf clients and `b64data` send reaches Protobuf
 * clients byte for byte, and JSON clients as compact JSON or not at all.
 */
import { expect, test } from "bun:test";
import {
  createOfficial,
  type Build,
  type OfficialClient,
} from "../../support/centrifuge-client.ts";
import {
  apiResult,
  bootStreaming,
  OPEN,
  RECOVERY,
  type StreamingServer,
} from "../../support/streaming.ts";
import { hs256 } from "../../support/tokens.ts";

const PUBLISHING = { ...OPEN, allow_publish_for_client: true, allow_history_for_client: true };
const NAMESPACES = [
  { name: "live", ...PUBLISHING },
  { name: "kept", ...RECOVERY, ...PUBLISHING },
  { name: "json", ...PUBLISHING, publication_data_format: "json" },
];

const SPACED = Buffer.from('{ "n" : 9007199254740993 ,\r\n "a": "\\u0041" }\n');
const COMPACT = '{"n":9007199254740993,"a":"\\u0041"}';
const NO_JSON = Buffer.from([0xff, 0x00, 0x7b, 0x0a]);

async function connected(server: StreamingServer, build: Build): Promise<OfficialClient> {
  const official = createOfficial(build, server.websocketUrl, { token: hs256({ sub: "42" }) });
  await official.connect();
  return official;
}

const bytesOf = (data: unknown) => Buffer.from(data as Uint8Array);

test.each(["live:a", "kept:a"])("%s: byte for byte from Protobuf to Protobuf", async (channel) => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  using publisher = await connected(server, "protobuf");
  using subscriber = await connected(server, "protobuf");
  const { heard } = subscriber.subscribe(channel);
  await heard.next("subscribed");
  for (const bytes of [SPACED, NO_JSON]) {
    await publisher.client.publish(channel, new Uint8Array(bytes));
    expect(bytesOf((await heard.next("publication")).data)).toEqual(bytes);
    await apiResult(server, "publish", { channel, b64data: bytes.toString("base64") });
    expect(bytesOf((await heard.next("publication")).data)).toEqual(bytes);
  }
});

test("what history keeps, and what is recovered, is byte for byte too", async () => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  using client = await connected(server, "protobuf");
  for (const bytes of [SPACED, NO_JSON]) {
    await client.client.publish("kept:a", new Uint8Array(bytes));
  }
  const { publications } = await client.client.history("kept:a", { limit: 10 });
  expect(publications.map(({ data }) => bytesOf(data))).toEqual([SPACED, NO_JSON]);
  const { epoch } = await apiResult(server, "history", { channel: "kept:a" });
  const { heard } = client.subscribe("kept:a", { since: { offset: 0, epoch: String(epoch) } });
  expect(await heard.next("subscribed")).toMatchObject({ recovered: true });
  for (const bytes of [SPACED, NO_JSON]) {
    expect(bytesOf((await heard.next("publication")).data)).toEqual(bytes);
  }
});

test("a JSON client gets bytes that are JSON as compact JSON, live and from the history", async () => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  using publisher = await connected(server, "protobuf");
  using client = await connected(server, "json");
  const { heard } = client.subscribe("kept:a");
  await heard.next("subscribed");
  await publisher.client.publish("kept:a", new Uint8Array(SPACED));
  const { data } = await heard.next("publication");
  const { publications } = await client.client.history("kept:a", { limit: 1 });
  for (const each of [data, publications[0]?.data]) expect(each).toEqual(JSON.parse(COMPACT));
});

test("a JSON client ends with 3506 at bytes that are no JSON: live, recovered, or in an answer", async () => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  const end = { code: 3506, reason: "inappropriate protocol" };
  using live = await connected(server, "json");
  await live.subscribe("kept:a").heard.next("subscribed");
  using other = await connected(server, "json");
  await other.subscribe("kept:b").heard.next("subscribed");
  await apiResult(server, "publish", { channel: "kept:a", b64data: NO_JSON.toString("base64") });
  expect(await live.heard.next("disconnected")).toEqual(end);
  using reading = await connected(server, "json");
  reading.client.history("kept:a", { limit: 1 }).catch(() => {});
  expect(await reading.heard.next("disconnected")).toEqual(end);
  using recovering = await connected(server, "json");
  const { epoch } = await apiResult(server, "history", { channel: "kept:a" });
  recovering.subscribe("kept:a", { since: { offset: 0, epoch: String(epoch) } });
  expect(await recovering.heard.next("disconnected")).toEqual(end);
  expect(other.heard.untaken("disconnected")).toEqual([]);
});

test("what JSON clients publish reaches Protobuf clients compact", async () => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  using client = await connected(server, "protobuf");
  const { heard } = client.subscribe("live:a");
  await heard.next("subscribed");
  await fetch(`${server.apiUrl}/api/publish`, {
    method: "POST",
    headers: { "X-API-Key": "dev-api-key" },
    body: `{"channel":"live:a","data":${SPACED.toString()}}`,
  });
  expect(bytesOf((await heard.next("publication")).data).toString()).toBe(COMPACT);
});

test("where JSON is asked for, bytes that are none are refused, and others stay as they are", async () => {
  await using server = await bootStreaming({ namespaces: NAMESPACES });
  using client = await connected(server, "protobuf");
  const { heard } = client.subscribe("json:a");
  await heard.next("subscribed");
  expect(client.client.publish("json:a", new Uint8Array(NO_JSON))).rejects.toMatchObject({
    code: 107,
  });
  await client.client.publish("json:a", new Uint8Array(SPACED));
  expect(bytesOf((await heard.next("publication")).data)).toEqual(SPACED);
});
