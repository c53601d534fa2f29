/** What holds for both codecs together, and against the official client's own Protobuf codec. */
import { expect, test } from "bun:test";
import { createCentrifugePeer } from "../../../test/support/centrifuge-protobuf.ts";
import { createRandom } from "../../../test/support/random.ts";
import { PUSHES, randomCommand, RESULTS } from "../../../test/support/streaming-messages.ts";
import { compactJson, jsonOfBytes } from "../../core/json-text.ts";
import type { Frame } from "../../core/types.ts";
import { jsonCodec, protobufCodec } from "./codecs.ts";
import type { Command } from "./protocol.ts";

const peer = createCentrifugePeer();

test("both codecs read the same from what the official client sends", () => {
  const random = createRandom("codecs agree");
  for (let round = 0; round < 3_000; round++) {
    const commands = Array.from({ length: 1 + random.integer(3) }, () => randomCommand(random));
    const fromProtobuf = Array.from(protobufCodec.decode(peer.encode(commands)), withJsonPayloads);
    // The client's JSON codec is this line.
    const fromJson = [
      ...jsonCodec.decode(commands.map((command) => JSON.stringify(command)).join("\n")),
    ];
    expect(fromProtobuf).toEqual(fromJson);
  }
});

for (const [index, result] of RESULTS.entries()) {
  test(`the official client reads the ${Object.keys(result)[0]} reply (${index}) alike from both`, () => {
    const reply = jsonOf(jsonCodec.encodeReply(7, result));
    const [decoded] = peer.decode(protobufCodec.encodeReply(7, result) as Uint8Array);
    expect(withoutZeros(decoded)).toEqual(withoutZeros(reply));
  });
}

for (const [index, push] of PUSHES.entries()) {
  test(`the official client reads the ${Object.keys(push).at(-1)} push (${index}) alike from both`, () => {
    const reply = jsonOf(jsonCodec.encodePush(push));
    const [decoded] = peer.decode(protobufCodec.encodePush(push) as Uint8Array);
    expect(withoutZeros(decoded)).toEqual(withoutZeros(reply));
  });
}

test("a map key that JavaScript treats specially is a key like any other", () => {
  const presence = new Map([["__proto__", { user: "u", client: "__proto__" }]]);
  const result = { presence: { presence } };
  expect(jsonCodec.encodeReply(1, result)).toContain('{"__proto__":{"user":"u"');
  const frame = Buffer.from(protobufCodec.encodeReply(1, result) as Uint8Array).toString("latin1");
  expect(frame.split("__proto__").length - 1).toBe(2);
  const subs = JSON.parse('{"__proto__":{"token":"t"}}');
  for (const commands of [
    protobufCodec.decode(peer.encode([{ id: 1, connect: { subs } }])),
    jsonCodec.decode(JSON.stringify({ id: 1, connect: { subs } })),
  ]) {
    const [command] = commands;
    const params = command?.request?.method === "connect" ? command.request.params : undefined;
    expect([...(params?.subs.keys() ?? [])]).toEqual(["__proto__"]);
  }
});

test("random payloads and strings come out of both as they went in", () => {
  const random = createRandom("codecs round trip");
  for (let round = 0; round < 2_000; round++) {
    const data = random.json(4);
    const channel = `c${random.string(10)}`;
    const tags = { [random.string(4)]: random.string(6) };
    const push = {
      channel,
      pub: {
        data: { json: compactJson(JSON.stringify(data)) },
        offset: 1 + random.integer(2 ** 52),
        tags,
      },
    };
    const frame = jsonCodec.encodePush(push);
    expect(frame).not.toContain("\n");
    const expected = {
      push: { ...push, pub: { ...push.pub, data: JSON.parse(JSON.stringify(data)) } },
    };
    expect(jsonOf(frame)).toEqual(expected);
    expect(peer.decode(protobufCodec.encodePush(push) as Uint8Array)).toEqual([expected]);
  }
});

function jsonOf(frame: Frame): unknown {
  if (typeof frame !== "string") throw new Error("Not a text frame");
  return JSON.parse(frame);
}

function withJsonPayloads(command: Command): Command {
  return mapDeep(command) as Command;
}

function mapDeep(value: unknown): unknown {
  if (value instanceof Map)
    return new Map(Array.from(value, ([key, item]) => [key, mapDeep(item)]));
  if (typeof value !== "object" || value === null) return value;
  if ("bytes" in value && value.bytes instanceof Uint8Array)
    return { json: jsonOfBytes(value.bytes) };
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, mapDeep(member)]));
}

/**
 * Protobuf cannot tell zero from absent: left out on both sides are the zeros that JSON always writes (§1.3), and the
 * empty lists and maps that the client's decoder makes up. Payloads stay as they are.
 */
function withoutZeros(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutZeros);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).flatMap(([name, member]: [string, unknown]) => {
    if (CONTENTS.has(name)) return [[name, member]];
    if (member === "" || member === 0 || (LISTS.has(name) && isEmpty(member))) return [];
    return [[name, withoutZeros(member)]];
  });
  return Object.fromEntries(members);
}

const CONTENTS = new Set(["data", "conn_info", "chan_info"]);
const LISTS = new Set(["subs", "publications", "presence", "tags", "state", "items"]);

function isEmpty(value: unknown): boolean {
  return typeof value === "object" && value !== null && Object.keys(value).length === 0;
}
