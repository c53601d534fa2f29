import { expect, test } from "bun:test";
import { jsonCodec } from "./codecs.ts";
import { MalformedFrame, type Command } from "./protocol.ts";
import { compactJson } from "../../core/json-text.ts";

const SUBSCRIBE = {
  channel: "",
  token: "",
  recover: false,
  epoch: "",
  offset: 0,
  positioned: false,
  recoverable: false,
  join_leave: false,
  delta: "",
  filtered: false,
  flag: 0,
  type: 0,
};

const CASES: readonly (readonly [frame: string, command: Command])[] = [
  ["{}", { id: 0 }],
  ['{"id":null,"publish":null}', { id: 0 }],
  ['{"id":0}', { id: 0 }],
  ['{"id":-0}', { id: 0 }],
  ['{"id":4294967295}', { id: 4_294_967_295 }],
  ['{"id":1,"unknown":{"a":[]},"ping":{}}', { id: 1, request: { method: "ping" } }],
  [
    '{"id":1,"connect":{}}',
    {
      id: 1,
      request: {
        method: "connect",
        params: { token: "", subs: new Map(), name: "", version: "" },
      },
    },
  ],
  [
    '{"id":1,"connect":{"token":"t","name":"js","version":null,"data":{"x": 1},"subs":{"a":{"recover":true,"data":9007199254740993},"b":null}}}',
    {
      id: 1,
      request: {
        method: "connect",
        params: {
          token: "t",
          name: "js",
          version: "",
          data: { json: compactJson('{"x":1}') },
          subs: new Map([
            ["a", { ...SUBSCRIBE, recover: true, data: { json: compactJson("9007199254740993") } }],
          ]),
        },
      },
    },
  ],
  [
    '{"id":2,"subscribe":{"channel":"n\\u0065ws","recover":true,"epoch":"e","offset":9007199254740991,"positioned":true,"recoverable":true,"join_leave":true,"delta":"fossil","tf":{},"flag":3,"type":1,"headers":[1]}}',
    {
      id: 2,
      request: {
        method: "subscribe",
        params: {
          channel: "news",
          token: "",
          recover: true,
          epoch: "e",
          offset: 9_007_199_254_740_991,
          positioned: true,
          recoverable: true,
          join_leave: true,
          delta: "fossil",
          filtered: true,
          flag: 3,
          type: 1,
        },
      },
    },
  ],
  [
    '{"id":3,"publish":{"channel":"c","data":null}}',
    {
      id: 3,
      request: {
        method: "publish",
        params: { channel: "c", type: 0, data: { json: compactJson("null") } },
      },
    },
  ],
  [
    '{"id":3,"publish":{"channel":"c"}}',
    { id: 3, request: { method: "publish", params: { channel: "c", type: 0 } } },
  ],
  [
    '{"id":3,"history":{"channel":"c","limit":-1,"since":{"offset":1,"epoch":"e"},"reverse":true}}',
    {
      id: 3,
      request: {
        method: "history",
        params: { channel: "c", limit: -1, since: { offset: 1, epoch: "e" }, reverse: true },
      },
    },
  ],
  [
    '{"id":3,"history":{"channel":"c","since":null}}',
    { id: 3, request: { method: "history", params: { channel: "c", limit: 0, reverse: false } } },
  ],
  [
    '{"send":{"data":[1, 2]}}\r',
    { id: 0, request: { method: "send", params: { data: { json: compactJson("[1,2]") } } } },
  ],
  [
    '{"id":9,"sub_refresh":{"channel":"c","token":"t"},"rpc":{"method":"m"}}',
    { id: 9, request: { method: "rpc", params: { method: "m" } } },
  ],
  [
    '{"id":9,"refresh":{"token":"t"}}',
    { id: 9, request: { method: "refresh", params: { token: "t" } } },
  ],
  [
    '{"id":9,"presence_stats":{"channel":"c"}}',
    { id: 9, request: { method: "presence_stats", params: { channel: "c" } } },
  ],
];
for (const [frame, command] of CASES) {
  test(frame, () => {
    expect([...jsonCodec.decode(frame)]).toEqual([command]);
    expect([...jsonCodec.decode(Buffer.from(frame))]).toEqual([command]);
  });
}

const MALFORMED: readonly string[] = [
  ...[
    "",
    "\n",
    "\n\n",
    " ",
    "{}\n\n",
    "\n{}",
    "null",
    "[]",
    "[{}]",
    "1",
    '"a"',
    "{",
    "{}}",
    "{}{}",
  ],
  ...['{"id":"1"}', '{"id":-1}', '{"id":1.5}', '{"id":4294967296}', '{"id":1e400}', '{"id":[]}'],
  ...['{"id":1,\n"connect":{}}', "\ufeff{}", '{"id":true}', '{"id":1,"connect":"x"}'],
  ...['{"id":1,"connect":[]}', '{"id":1,"connect":{"token":1}}', '{"id":1,"connect":{"subs":[]}}'],
  ...['{"id":1,"connect":{"subs":{"a":1}}}', '{"id":1,"connect":{"subs":{"a":{"offset":-1}}}}'],
  ...['{"id":1,"subscribe":{"channel":1}}', '{"id":1,"subscribe":{"recover":1}}'],
  ...['{"id":1,"subscribe":{"offset":"1"}}', '{"id":1,"subscribe":{"offset":9007199254740993}}'],
  ...['{"id":1,"subscribe":{"tf":"x"}}', '{"id":1,"subscribe":{"flag":0.5}}', '{"id":1,"ping":0}'],
  ...['{"id":1,"history":{"limit":2147483648}}', '{"id":1,"history":{"since":[]}}'],
  ...['{"id":1,"publish":{"channel":{}}}', '{"id":1,"rpc":{"method":1}}', '{"id":1,"send":false}'],
  "[".repeat(1_000_000),
];
for (const frame of MALFORMED) {
  test(`refuses ${JSON.stringify(frame.slice(0, 60))}`, () => {
    expect(() => Array.from(jsonCodec.decode(frame))).toThrow(MalformedFrame);
  });
}

test("hands out the commands before a malformed line", () => {
  const commands = jsonCodec.decode('{"id":1,"ping":{}}\n{"id":2}\n{"id":}')[Symbol.iterator]();
  expect(commands.next().value).toEqual({ id: 1, request: { method: "ping" } });
  expect(commands.next().value).toEqual({ id: 2 });
  expect(() => commands.next()).toThrow(MalformedFrame);
});

test("tolerates one trailing LF", () => {
  expect([...jsonCodec.decode('{"id":1}\n{"id":2}\n')]).toEqual([{ id: 1 }, { id: 2 }]);
});

test("refuses bytes that are not UTF-8", () => {
  const frame = Uint8Array.of(0x7b, 0xff, 0x7d);
  expect(() => Array.from(jsonCodec.decode(frame))).toThrow(MalformedFrame);
  expect([...jsonCodec.decode(Buffer.from("{}"))]).toEqual([{ id: 0 }]);
});

test("a payload with a number that no double holds is an error for whoever uses it", () => {
  const [command] = jsonCodec.decode('{"id":1,"publish":{"channel":"c","data":[1e400]}}');
  expect(command).toMatchObject({
    request: { params: { channel: "c", data: { code: "bad_request" } } },
  });
});
