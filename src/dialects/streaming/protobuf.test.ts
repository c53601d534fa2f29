import { describe, expect, test } from "bun:test";
import { createCentrifugePeer } from "../../../test/support/centrifuge-protobuf.ts";
import { createRandom } from "../../../test/support/random.ts";
import { randomCommand } from "../../../test/support/streaming-messages.ts";
import type { Frame } from "../../core/types.ts";
import { protobufCodec } from "./codecs.ts";
import { MalformedFrame, type Command } from "./protocol.ts";
import { compactJson } from "../../core/json-text.ts";

const peer = createCentrifugePeer();

/** centrifugo-protocol.md §2.1 */
describe("golden vectors", () => {
  const SUBSCRIBE = {
    token: "",
    positioned: false,
    recoverable: false,
    join_leave: false,
    delta: "",
    filtered: false,
    type: 0,
  };
  const COMMANDS: readonly (readonly [hex: string, sent: Record<string, unknown>, Command])[] = [
    [
      "0b 08 01 22 07 0a 01 74 22 02 6a 73",
      { id: 1, connect: { token: "t", name: "js" } },
      {
        id: 1,
        request: {
          method: "connect",
          params: { token: "t", name: "js", version: "", subs: new Map() },
        },
      },
    ],
    [
      "12 08 02 2a 0e 0a 01 61 18 01 32 03 78 79 7a 38 05 70 01",
      { id: 2, subscribe: { channel: "a", recover: true, epoch: "xyz", offset: 5, flag: 1 } },
      {
        id: 2,
        request: {
          method: "subscribe",
          params: { ...SUBSCRIBE, channel: "a", recover: true, epoch: "xyz", offset: 5, flag: 1 },
        },
      },
    ],
    [
      "12 08 03 52 0e 0a 01 61 38 0a 42 05 08 01 12 01 65 48 01",
      {
        id: 3,
        history: { channel: "a", limit: 10, since: { offset: 1, epoch: "e" }, reverse: true },
      },
      {
        id: 3,
        request: {
          method: "history",
          params: { channel: "a", limit: 10, since: { offset: 1, epoch: "e" }, reverse: true },
        },
      },
    ],
    ["00", {}, { id: 0 }],
  ];
  for (const [hex, sent, command] of COMMANDS) {
    test(`command ${hex}`, () => {
      expect([...protobufCodec.decode(bytes(hex))]).toEqual([command]);
      expect([...protobufCodec.decode(new Uint8Array(bytes(hex)))]).toEqual([command]);
      expect(hexOf(peer.encode([sent]))).toBe(hex);
    });
  }

  test("ping", () => expect(hexOf(protobufCodec.ping)).toBe("00"));

  test("error reply", () => {
    const reply = protobufCodec.encodeReply(2, {
      error: { code: 103, message: "permission denied" },
    });
    expect(hexOf(reply)).toBe(
      "19 08 02 12 15 08 67 12 11 70 65 72 6d 69 73 73 69 6f 6e 20 64 65 6e 69 65 64",
    );
  });

  test("publication push", () => {
    const push = protobufCodec.encodePush({
      channel: "a",
      pub: { data: { json: compactJson("{}") }, offset: 300 },
    });
    expect(hexOf(push)).toBe("0e 22 0c 12 01 61 22 07 22 02 7b 7d 30 ac 02");
  });
});

describe("decode", () => {
  const MALFORMED: readonly (readonly [why: string, frame: Frame])[] = [
    ["an empty frame", new Uint8Array()],
    ["a text frame", "{}"],
    ["an empty text frame", ""],
    ["a length without its message", bytes("05 08 01")],
    ["a length cut short", bytes("80")],
    ["a length of 4 GiB", bytes("ff ff ff ff 0f 08 01")],
    ["a length of 2^63", bytes("80 80 80 80 80 80 80 80 80 01 08 01")],
    ["a length of eleven bytes", bytes("80 80 80 80 80 80 80 80 80 80 00")],
    ["a field that leaves its message", bytes("03 22 05 0a 00 00 00 00 00")],
    ["a varint cut short", bytes("02 08 80 01")],
    ["a group without end", bytes("01 1b")],
    ["field number 0", bytes("02 00 00")],
    ["an unknown wire type", bytes("02 0f 00")],
    ["invalid UTF-8 in a string", bytes("07 08 01 32 03 0a 01 ff")],
    ["an invalid UTF-8 map key", bytes("0b 08 01 22 07 1a 05 0a 01 ff 12 00")],
    ["an offset beyond 2^53", bytes("0c 2a 0a 38 81 80 80 80 80 80 80 20 08 01")],
    ["groups nested without bound", delimited(Buffer.alloc(60_000, 0x1b))],
  ];
  for (const [why, frame] of MALFORMED) {
    test(`refuses ${why}`, () => {
      expect(() => Array.from(protobufCodec.decode(frame))).toThrow(MalformedFrame);
    });
  }

  test("an offset of 2^53 - 1 is a number, and one more is refused", () => {
    const max = bytes("0b 2a 09 38 ff ff ff ff ff ff ff 0f 00");
    const [command] = protobufCodec.decode(max);
    expect(command?.request).toMatchObject({ params: { offset: 2 ** 53 - 1 } });
    const beyond = bytes("0b 2a 09 38 80 80 80 80 80 80 80 10");
    expect(() => Array.from(protobufCodec.decode(beyond))).toThrow(MalformedFrame);
  });

  test("hands out the commands before a malformed message", () => {
    const commands = protobufCodec.decode(bytes("02 08 01 00 05 08"))[Symbol.iterator]();
    expect(commands.next().value).toEqual({ id: 1 });
    expect(commands.next().value).toEqual({ id: 0 });
    expect(() => commands.next()).toThrow(MalformedFrame);
  });

  test("payloads are copies: they neither hold nor follow the frame", () => {
    const frame = Buffer.from(peer.encode([{ id: 1, send: { data: [1] } }]));
    const [command] = protobufCodec.decode(frame);
    frame.fill(0);
    expect(command?.request).toEqual({
      method: "send",
      params: { data: { bytes: new Uint8Array(Buffer.from("[1]")) } },
    });
  });

  test("unknown fields are skipped, the depth of a filter included", () => {
    let filter: Record<string, unknown> = { op: "and" };
    for (let depth = 0; depth < 20; depth++) filter = { op: "and", nodes: [filter] };
    const frame = peer.encode([{ id: 1, subscribe: { channel: "a", tf: filter, cursor: "x" } }]);
    const [command] = protobufCodec.decode(frame);
    expect(command?.request).toMatchObject({ params: { channel: "a", filtered: true } });
  });

  test("20,000 random frames are decoded or refused", () => {
    const random = createRandom("protobuf random bytes");
    for (let round = 0; round < 20_000; round++) survives(random.bytes(random.integer(64)));
  });

  test("20,000 damaged frames are decoded or refused", () => {
    const random = createRandom("protobuf damaged frames");
    for (let round = 0; round < 20_000; round++) {
      const frame = [...peer.encode([randomCommand(random), randomCommand(random)])];
      for (let edits = 1 + random.integer(3); edits > 0; edits--) {
        const at = random.integer(frame.length + 1);
        frame.splice(at, random.integer(3), ...random.bytes(random.integer(3)));
      }
      // The first length often breaks: mend it, so that the damage reaches the fields.
      const damaged = Uint8Array.from(frame);
      survives(random.chance(0.5) ? damaged : delimited(damaged));
    }
  });
});

test("join() puts frames behind one another", () => {
  const one = protobufCodec.encodeReply(1, { publish: {} });
  const joined = protobufCodec.join([one, protobufCodec.ping, one]);
  expect(hexOf(joined)).toBe(`${hexOf(one)} 00 ${hexOf(one)}`);
  expect(peer.decode(joined as Uint8Array)).toEqual([
    { id: 1, publish: {} },
    {},
    { id: 1, publish: {} },
  ]);
});

function survives(frame: Uint8Array): void {
  try {
    for (const command of protobufCodec.decode(frame)) {
      // No Long may come out, whatever went in.
      JSON.stringify(command, (_, value: unknown) => {
        if (typeof value === "object" && value !== null && "low" in value) {
          throw new Error(`A Long came out of ${hexOf(frame)}`);
        }
        return value;
      });
    }
  } catch (error) {
    if (!(error instanceof MalformedFrame)) {
      throw new Error(`Frame ${hexOf(frame)}`, { cause: error });
    }
  }
}

function bytes(hex: string): Buffer {
  return Buffer.from(hex.replaceAll(" ", ""), "hex");
}

function hexOf(frame: Frame): string {
  return Array.from(Buffer.from(frame as Uint8Array), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join(" ");
}

function delimited(message: Uint8Array): Uint8Array {
  const prefix: number[] = [];
  let rest = message.length;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) prefix.push((rest % 0x80) | 0x80);
  return Uint8Array.from([...prefix, rest, ...message]);
}
