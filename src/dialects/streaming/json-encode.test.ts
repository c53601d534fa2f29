import { expect, test } from "bun:test";
import { jsonCodec } from "./codecs.ts";
import { UncarriablePayload, type Result, type WirePush } from "./protocol.ts";
import { compactJson } from "../../core/json-text.ts";

const json = { json: compactJson('{"big":9007199254740993}') };
const REPLIES: readonly (readonly [Result, string])[] = [
  [{ unsubscribe: {} }, '{"id":5,"unsubscribe":{}}'],
  [{ publish: {} }, '{"id":5,"publish":{}}'],
  [{ rpc: {} }, '{"id":5,"rpc":{}}'],
  [{ rpc: { data: json } }, '{"id":5,"rpc":{"data":{"big":9007199254740993}}}'],
  [{ presence: { presence: new Map() } }, '{"id":5,"presence":{"presence":{}}}'],
  [
    { presence: { presence: new Map([["c", { user: "", client: "c" }]]) } },
    '{"id":5,"presence":{"presence":{"c":{"user":"","client":"c"}}}}',
  ],
  [
    { presence_stats: { num_clients: 0, num_users: 0 } },
    '{"id":5,"presence_stats":{"num_clients":0,"num_users":0}}',
  ],
  [
    { history: { publications: [], epoch: "", offset: 0 } },
    '{"id":5,"history":{"publications":[],"epoch":"","offset":0}}',
  ],
  [
    { history: { publications: [{ data: json, offset: 2, time: 7 }], epoch: "e", offset: 2 } },
    '{"id":5,"history":{"publications":[{"data":{"big":9007199254740993},"offset":2,"time":7}],"epoch":"e","offset":2}}',
  ],
  [
    { subscribe: { epoch: "", offset: 0, publications: [], recovered: false } },
    '{"id":5,"subscribe":{}}',
  ],
  [
    {
      subscribe: {
        recoverable: true,
        epoch: "xyz",
        offset: 10,
        positioned: true,
        was_recovering: true,
        recovered: true,
      },
    },
    '{"id":5,"subscribe":{"recoverable":true,"epoch":"xyz","recovered":true,"offset":10,"positioned":true,"was_recovering":true}}',
  ],
  [
    { connect: { client: "c", version: "v", subs: new Map(), ping: 25, pong: true } },
    '{"id":5,"connect":{"client":"c","version":"v","ping":25,"pong":true}}',
  ],
  [
    { connect: { client: "c", version: "", subs: new Map([["a", {}]]) } },
    '{"id":5,"connect":{"client":"c","subs":{"a":{}}}}',
  ],
  [
    { error: { code: 103, message: "permission denied", temporary: false } },
    '{"id":5,"error":{"code":103,"message":"permission denied"}}',
  ],
  [{ sub_refresh: { expires: true, ttl: 60 } }, '{"id":5,"sub_refresh":{"expires":true,"ttl":60}}'],
];
for (const [result, frame] of REPLIES) {
  test(frame, () => expect(jsonCodec.encodeReply(5, result)).toBe(frame));
}

const PUSHES: readonly (readonly [WirePush, string])[] = [
  [
    {
      channel: "c",
      pub: { data: json, offset: 5, tags: { b: "", a: "1" }, info: { user: "", client: "x" } },
    },
    '{"push":{"channel":"c","pub":{"data":{"big":9007199254740993},"info":{"user":"","client":"x"},"offset":5,"tags":{"b":"","a":"1"}}}}',
  ],
  [
    { channel: "c", pub: { data: { json: compactJson("0") }, offset: 0, tags: {}, epoch: "" } },
    '{"push":{"channel":"c","pub":{"data":0}}}',
  ],
  [
    { channel: "c", join: { info: { user: "1", client: "x" } } },
    '{"push":{"channel":"c","join":{"info":{"user":"1","client":"x"}}}}',
  ],
  [
    { channel: "c", unsubscribe: { code: 2000, reason: "server unsubscribe" } },
    '{"push":{"channel":"c","unsubscribe":{"code":2000,"reason":"server unsubscribe"}}}',
  ],
  [
    {
      channel: "c",
      subscribe: {
        recoverable: true,
        positioned: true,
        epoch: "e",
        offset: 3,
        recovered: true,
        expires: true,
      },
    },
    '{"push":{"channel":"c","subscribe":{"recoverable":true,"epoch":"e","offset":3,"positioned":true}}}',
  ],
  [{ message: { data: json } }, '{"push":{"message":{"data":{"big":9007199254740993}}}}'],
  [
    { disconnect: { code: 3001, reason: "shutdown" } },
    '{"push":{"disconnect":{"code":3001,"reason":"shutdown"}}}',
  ],
  [{ refresh: { expires: true, ttl: 60 } }, '{"push":{"refresh":{"expires":true,"ttl":60}}}'],
];
for (const [push, frame] of PUSHES) {
  test(frame, () => expect(jsonCodec.encodePush(push)).toBe(frame));
}

test("bytes that are JSON are spliced compact, others cannot be carried", () => {
  const push = (bytes: Uint8Array) => jsonCodec.encodePush({ message: { data: { bytes } } });
  expect(push(Buffer.from('{ "a":\n1 }'))).toBe('{"push":{"message":{"data":{"a":1}}}}');
  for (const bytes of [Uint8Array.of(0xff), new Uint8Array(), Buffer.from("{")]) {
    expect(() => push(bytes)).toThrow(UncarriablePayload);
  }
  const reply = { rpc: { data: { bytes: Uint8Array.of(1) } } };
  expect(() => jsonCodec.encodeReply(1, reply)).toThrow(UncarriablePayload);
});

test("frames are joined by LF, and the ping is an empty object", () => {
  expect(jsonCodec.join(["{}", '{"id":1,"publish":{}}\n{}', jsonCodec.ping])).toBe(
    '{}\n{"id":1,"publish":{}}\n{}\n{}',
  );
});
