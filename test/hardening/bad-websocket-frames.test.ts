/** Bytes on an open WebSocket that its standard forbids: the close that it says, before a session hears of them. */
import { describe, expect, test } from "bun:test";
import { openClient } from "../support/hostile.ts";
import { bytes, endOf, protobuf, RPC, text, type Case } from "../support/hostile-frames.ts";
import { hostileServer } from "../support/hostile-server.ts";

const server = hostileServer();
const MESSAGE_BYTES_MAX = 65_536;

describe("WebSocket frames that break RFC 6455 are closed by the transport", () => {
  const protocolError = (name: string, act: Case["act"]): Case => ({ name, act });
  test.each<Case>([
    protocolError("reserved bit 1", (client) => client.write(bytes("c1 80 00 00 00 00"))),
    protocolError("reserved bit 2", (client) => client.write(bytes("a1 80 00 00 00 00"))),
    protocolError("reserved bit 3", (client) => client.write(bytes("91 80 00 00 00 00"))),
    ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((opcode) =>
      protocolError(`opcode ${opcode}`, (client) => client.sendFrame(opcode, Buffer.from("x"))),
    ),
    protocolError("an unmasked frame", (client) => client.write(bytes("81 02 7b 7d"))),
    protocolError("a control frame of 126 bytes", (client) =>
      client.sendFrame(9, Buffer.alloc(126)),
    ),
    protocolError("a control frame in parts", (client) =>
      client.sendFrame(9, Buffer.alloc(2), { final: false }),
    ),
    protocolError("a continuation of nothing", (client) => client.sendFrame(0, Buffer.from("{}"))),
    protocolError("a message within a message", (client) => {
      client.sendFrame(1, Buffer.from("{"), { final: false });
      client.sendFrame(1, Buffer.from(RPC));
    }),
    protocolError("a close code that may not travel", (client) => client.close(1005)),
    protocolError("a close payload of one byte", (client) => client.sendFrame(8, Buffer.from([3]))),
  ])("$name: 1002", async (input) => {
    expect(await endOf(server(), input)).toMatchObject({ code: 1002, texts: [] });
  });

  test.each<Case>([
    protocolError("in a text frame", (client) => client.sendFrame(1, bytes("22 ff 22"))),
    protocolError("in a part of a message", (client) => {
      client.sendFrame(1, bytes("22 c3"), { final: false });
      client.sendFrame(0, bytes("28 22"));
    }),
    protocolError("in a close reason", (client) => client.sendFrame(8, bytes("03 e8 ff fe"))),
  ])("invalid UTF-8 $name: 1007", async (input) => {
    expect(await endOf(server(), input)).toMatchObject({ code: 1007, texts: [] });
  });

  const padded = (size: number) => `${" ".repeat(size - RPC.length)}${RPC}`;

  test("a message of 65,536 bytes is taken, whole or in parts", async () => {
    const client = await openClient(server());
    client.send(padded(MESSAGE_BYTES_MAX));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9 });
    const message = Buffer.from(padded(MESSAGE_BYTES_MAX));
    client.sendFrame(1, message.subarray(0, 40_000), { final: false });
    client.sendFrame(0, message.subarray(40_000));
    expect(JSON.parse((await client.next()).text)).toMatchObject({ id: 9 });
    client.destroy();
  });

  test.each<Case>([
    text("one byte more", padded(MESSAGE_BYTES_MAX + 1)),
    text("one byte more in UTF-8 only", `"${"é".repeat(MESSAGE_BYTES_MAX / 2 - 1)}"x`),
    text("2 MB", padded(2_000_000)),
    protocolError("one byte more in parts", (client) => {
      client.sendFrame(1, Buffer.alloc(40_000, " "), { final: false });
      client.sendFrame(0, Buffer.alloc(MESSAGE_BYTES_MAX + 1 - 40_000, " "));
    }),
    protocolError("a header that claims 1 TiB", (client) =>
      client.sendFrame(1, Buffer.from("x"), { claimedBytes: 2 ** 40 }),
    ),
    { ...protobuf("a Protobuf message of one byte more", "00".repeat(MESSAGE_BYTES_MAX + 1)) },
  ])("$name: 1009", async (input) => {
    expect(await endOf(server(), input)).toMatchObject({ code: 1009, texts: [] });
  });
});
