import { describe, expect, test } from "bun:test";
import type { ClientInfo, Publication, Push } from "../../core/types.ts";
import { createEncoders, wireInfo, wirePublication } from "./encoders.ts";
import { jsonCodec, protobufCodec } from "./codecs.ts";
import { compactJson } from "../../core/json-text.ts";

const encoders = createEncoders();
const channel = { space: "channels", name: "news" };
const client: ClientInfo = {
  connectionId: "c-1",
  userId: "42",
  info: { json: compactJson('{"n":1}') },
  channelInfo: { json: compactJson("2") },
};
const publication: Publication = {
  data: { json: compactJson("{}") },
  timeMs: 1_790_000_000_000,
  position: { epoch: "xyz", offset: 2 },
};

test("every encoder has a name of its own", () => {
  expect(Object.values(encoders).map(({ name }) => name)).toEqual([
    "streaming.json",
    "streaming.json+join_leave",
    "streaming.protobuf",
    "streaming.protobuf+join_leave",
  ]);
});

describe("publication", () => {
  const encode = (more: Partial<Publication>) =>
    encoders.json.encode({
      type: "publication",
      channel,
      publication: { ...publication, ...more },
    });

  test("carries data and offset, never the time", () => {
    expect(encode({})).toBe('{"push":{"channel":"news","pub":{"data":{},"offset":2}}}');
  });

  test("carries tags and the publisher's info", () => {
    expect(encode({ tags: { event: "new" }, publisher: client })).toBe(
      '{"push":{"channel":"news","pub":{"data":{},"info":{"user":"42","client":"c-1","conn_info":{"n":1},"chan_info":2},"offset":2,"tags":{"event":"new"}}}}',
    );
  });

  test("the first of a stream carries its epoch", () => {
    expect(encode({ position: { epoch: "xyz", offset: 1 } })).toBe(
      '{"push":{"channel":"news","pub":{"data":{},"offset":1,"epoch":"xyz"}}}',
    );
  });

  test("without a position carries no offset", () => {
    const push: Push = {
      type: "publication",
      channel,
      publication: { data: { json: compactJson("0") }, timeMs: 1 },
    };
    expect(encoders.json.encode(push)).toBe('{"push":{"channel":"news","pub":{"data":0}}}');
  });

  test("has the same frame in both variants of a codec", () => {
    const push: Push = { type: "publication", channel, publication };
    expect(encoders.jsonJoinLeave.encode(push)).toEqual(encoders.json.encode(push));
    expect(encoders.protobufJoinLeave.encode(push)).toEqual(encoders.protobuf.encode(push));
    expect(encoders.protobuf.encode(push)).toEqual(
      protobufCodec.encodePush({
        channel: "news",
        pub: { data: { json: compactJson("{}") }, offset: 2 },
      }),
    );
  });

  test("of bytes that are not JSON ends JSON connections, and only those", () => {
    const push: Push = {
      type: "publication",
      channel,
      publication: { ...publication, data: { bytes: Uint8Array.of(0xff) } },
    };
    expect(encoders.json.encode(push)).toEqual({ disconnect: "uncarriable" });
    expect(encoders.protobuf.encode(push)).toBeInstanceOf(Uint8Array);
  });
});

test("join and leave go to the variants that want them", () => {
  for (const type of ["join", "leave"] as const) {
    const push: Push = { type, channel, client: { connectionId: "c-1", userId: "" } };
    const wire = { info: { user: "", client: "c-1" } };
    const named =
      type === "join" ? { channel: "news", join: wire } : { channel: "news", leave: wire };
    expect(encoders.json.encode(push)).toBeUndefined();
    expect(encoders.protobuf.encode(push)).toBeUndefined();
    expect(encoders.jsonJoinLeave.encode(push)).toEqual(jsonCodec.encodePush(named));
    expect(encoders.protobufJoinLeave.encode(push)).toEqual(protobufCodec.encodePush(named));
  }
});

test("a direct push is a message push", () => {
  const push: Push = {
    type: "direct",
    data: { json: compactJson('{"a":1}') },
    tags: { event: "x" },
  };
  expect(encoders.json.encode(push)).toBe('{"push":{"message":{"data":{"a":1}}}}');
});

test("wirePublication() has the time where asked for", () => {
  expect(wirePublication(publication)).toEqual({ data: { json: compactJson("{}") }, offset: 2 });
  expect(wirePublication(publication, { withTime: true })).toEqual({
    data: { json: compactJson("{}") },
    offset: 2,
    time: 1_790_000_000_000,
  });
});

test("wireInfo() leaves out what a client has not", () => {
  expect(wireInfo({ connectionId: "c", userId: "" })).toEqual({ user: "", client: "c" });
  expect(wireInfo(client)).toEqual({
    user: "42",
    client: "c-1",
    conn_info: { json: compactJson('{"n":1}') },
    chan_info: { json: compactJson("2") },
  });
});
