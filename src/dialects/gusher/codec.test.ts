import { describe, expect, test } from "bun:test";
import type { Publication, Push } from "../../core/types.ts";
import {
  decodeBinaryCommand,
  decodeCommand,
  encodeReply,
  encoder,
  MalformedFrame,
} from "./codec.ts";
import { compactJson } from "../../core/json-text.ts";

const channel = { space: "channels", name: 'A"A' };
const published = (publication: Omit<Publication, "channel" | "timeMs">): Push => ({
  type: "publication",
  channel,
  publication: { timeMs: 0, ...publication },
});

describe("encoder", () => {
  test("a publication in its members' order, its event from the tag", () => {
    const data = { json: compactJson('{"b":1,"a":9007199254740993}') };
    const tags = { event: "no\ntify", other: "x" };
    expect(encoder.encode(published({ data, tags }))).toBe(
      '{"channel":"A\\"A","event":"no\\ntify","data":{"b":1,"a":9007199254740993}}',
    );
    expect(encoder.encode(published({ data }))).toContain('"event":"message"');
    expect(encoder.encode(published({ data, tags: { event: "" } }))).toContain('"event":""');
  });

  test("a direct push is the value itself", () => {
    expect(encoder.encode({ type: "direct", data: { json: compactJson('"hello"') } })).toBe(
      '"hello"',
    );
  });

  test("bytes that are JSON are spliced in compact", () => {
    const data = { bytes: Buffer.from(' { "n" : 9007199254740993 }\n') };
    const compact = '{"n":9007199254740993}';
    expect(encoder.encode(published({ data }))).toEndWith(`,"data":${compact}}`);
    expect(encoder.encode({ type: "direct", data })).toBe(compact);
  });

  test("other bytes end a channel's connections, joins and leaves are none of its pushes", () => {
    const data = { bytes: new Uint8Array([1]) };
    expect(encoder.encode(published({ data }))).toEqual({ disconnect: "uncarriable" });
    expect(encoder.encode({ type: "direct", data })).toBeUndefined();
    const client = { connectionId: "c", userId: "u" };
    expect(encoder.encode({ type: "join", channel, client })).toBeUndefined();
  });
});

describe("decodeCommand()", () => {
  test("reads a remote's payload as it was written, without its white space", () => {
    const text =
      '{"debug":true,"event":"gusher.remote","data":{"payload":[ 1.0, 9007199254740993 ],"uid":"","remote":"r"}}';
    expect(decodeCommand(text)).toEqual({
      event: "gusher.remote",
      remote: "r",
      uid: "",
      payload: "[1.0,9007199254740993]",
      debug: true,
    });
  });

  test("the last of several members of one name counts", () => {
    const text = '{"event":"foo","event":"gusher.querychannel","data":1}';
    expect(decodeCommand(text)).toEqual({ event: "gusher.querychannel" });
  });

  test("garbage may follow the object, not precede it", () => {
    const text = '{"event":"gusher.querychannel","data":"}\\"{"}';
    expect(() => decodeCommand(`x${text}`)).toThrow(MalformedFrame);
    for (const tail of ["x", "}", "{", '"', text, "\u0000"]) {
      expect(decodeCommand(text + tail)).toEqual({ event: "gusher.querychannel" });
    }
    for (const broken of [
      "{",
      '{"',
      '{"event":',
      "{}x",
      "[]x",
      '{"event"="x"}y',
      "  ",
      "\ufeff{}",
    ]) {
      expect(() => decodeCommand(broken)).toThrow(MalformedFrame);
    }
  });
});

test("decodeBinaryCommand() reads UTF-16, and nothing else", () => {
  const text = '{"event":"gusher.querychannel","data":"ü"}';
  expect(decodeBinaryCommand(Buffer.from(text, "utf16le"))).toEqual({
    event: "gusher.querychannel",
  });
  expect(decodeBinaryCommand(Buffer.from(text))).toBeUndefined();
  expect(decodeBinaryCommand(Buffer.from(text, "utf16le").subarray(1))).toBeUndefined();
  expect(decodeBinaryCommand(new Uint8Array())).toBeUndefined();
});

test("encodeReply() has its members in the original's order", () => {
  expect(encodeReply("gusher.pong_succeeded", { socketId: "s", data: "[1]", time: 5 })).toBe(
    '{"event":"gusher.pong_succeeded","socket_id":"s","data":[1],"time":5}',
  );
  expect(encodeReply("gusher.addchannel", { socketId: "", data: '{"channel":"a"}' })).toBe(
    '{"event":"gusher.addchannel","socket_id":"","data":{"channel":"a"}}',
  );
});
