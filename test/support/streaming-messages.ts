/** Samples of every message of the Centrifugo client protocol, fixed and random, for tests of its two codecs. */
import type { Payload } from "../../src/core/types.ts";
import type { Result, SubscribeResult, WirePush } from "../../src/dialects/streaming/protocol.ts";
import type { Random } from "./random.ts";
import { compactJson } from "../../src/core/json-text.ts";

/** A command as clients build it: field names as on the wire, absent fields left out. */
export type ClientCommand = Readonly<Record<string, unknown>>;

const data = { json: compactJson('{"a":[1,"é"],"b":null}') } as const satisfies Payload;
const info = {
  user: "42",
  client: "c-1",
  conn_info: { json: compactJson('{"n":1}') },
  chan_info: { json: compactJson("[]") },
};
const anonymous = { user: "", client: "c-2" };
const publication = {
  data,
  info,
  offset: 300,
  tags: { event: "new", "": "empty" },
  time: 1_790_000_000_000,
  epoch: "xyz",
} as const;
const subscribed: SubscribeResult = {
  expires: true,
  ttl: 60,
  recoverable: true,
  epoch: "xyz",
  publications: [publication, { data: { json: compactJson("1") }, info: anonymous }],
  recovered: true,
  offset: 2 ** 40,
  positioned: true,
  data,
  was_recovering: true,
};

/** Every result, full and empty. */
export const RESULTS: readonly Result[] = [
  {
    connect: {
      client: "c-1",
      version: "0.1.0",
      expires: true,
      ttl: 3600,
      data,
      subs: new Map([
        ["news", subscribed],
        ['q"\n€', {}],
      ]),
      ping: 25,
      pong: true,
      session: "s",
      node: "n",
      time: 1_790_000_000_000,
    },
  },
  { connect: { client: "c-1", version: "", subs: new Map() } },
  { subscribe: subscribed },
  { subscribe: { recoverable: false, epoch: "", offset: 0, publications: [] } },
  { unsubscribe: {} },
  { publish: {} },
  {
    presence: {
      presence: new Map<string, typeof info | typeof anonymous>([
        ["c-1", info],
        ['q"\n€', anonymous],
      ]),
    },
  },
  { presence: { presence: new Map() } },
  { presence_stats: { num_clients: 3, num_users: 2 } },
  { presence_stats: { num_clients: 0, num_users: 0 } },
  { history: { publications: [publication], epoch: "xyz", offset: 300 } },
  { history: { publications: [], epoch: "", offset: 0 } },
  { rpc: { data } },
  { rpc: {} },
  { refresh: { client: "c-1", version: "0.1.0", expires: true, ttl: 60 } },
  { refresh: { client: "", version: "" } },
  { sub_refresh: { expires: true, ttl: 60 } },
  { sub_refresh: {} },
  { error: { code: 103, message: "permission denied" } },
  { error: { code: 100, message: "internal server error", temporary: true } },
];

/** Every push. */
export const PUSHES: readonly WirePush[] = [
  { channel: "a", pub: { data: { json: compactJson("{}") }, offset: 300 } },
  { channel: 'q"\n€', pub: publication },
  { channel: "a", pub: { data: { json: compactJson("null") }, offset: 0, tags: {} } },
  { channel: "a", join: { info } },
  { channel: "a", join: { info: anonymous } },
  { channel: "a", leave: { info } },
  { channel: "a", unsubscribe: { code: 2500, reason: "insufficient state" } },
  { channel: "a", subscribe: { recoverable: true, epoch: "e", offset: 3, positioned: true, data } },
  { channel: "a", subscribe: {} },
  { message: { data } },
  { disconnect: { code: 3001, reason: "shutdown", reconnect: true } },
  { disconnect: { code: 3500, reason: "invalid token" } },
  { refresh: { expires: true, ttl: 60 } },
  { refresh: {} },
];

/** A random command as a client may send it. `data` is a JSON value. */
export function randomCommand(random: Random): ClientCommand {
  const id = random.chance(0.1) ? {} : { id: 1 + random.integer(2 ** 32 - 1) };
  const channel = { channel: random.string(8) };
  const token = maybe(random, { token: random.string(20) });
  const payload = maybe(random, { data: random.json(3) });
  const subscription = () => ({
    ...maybe(random, { token: random.string(20), recover: true, epoch: random.string(8) }),
    ...maybe(random, { offset: random.integer(2 ** 53), data: random.json(3) }),
    ...maybe(random, { positioned: true, recoverable: true, join_leave: random.chance(0.5) }),
    ...maybe(random, { delta: "fossil", tf: { op: "", key: "a", cmp: "eq", val: "b" } }),
    ...maybe(random, { flag: random.integer(4), type: random.integer(5) }),
  });
  const requests: readonly ClientCommand[] = [
    {},
    {
      connect: {
        ...token,
        ...payload,
        ...maybe(random, { name: "js", version: random.string(5) }),
        ...maybe(random, {
          subs: Object.fromEntries([1, 2].map(() => [random.string(5), subscription()])),
        }),
      },
    },
    { ping: {} },
    { subscribe: { ...channel, ...subscription() } },
    { unsubscribe: channel },
    { publish: { ...channel, ...payload, ...maybe(random, { type: random.integer(2) }) } },
    { presence: channel },
    { presence_stats: channel },
    {
      history: {
        ...channel,
        ...maybe(random, { limit: random.integer(2 ** 31) - 2 ** 30, reverse: true }),
        ...maybe(random, { since: { offset: random.integer(2 ** 53), epoch: random.string(4) } }),
      },
    },
    { rpc: { method: random.string(6), ...payload } },
    { send: payload },
    { refresh: token },
    { sub_refresh: { ...channel, ...token } },
  ];
  return { ...id, ...random.pick(requests) };
}

function maybe<Fields extends object>(
  random: Random,
  fields: Fields,
): Fields | Record<never, never> {
  return random.chance(0.5) ? fields : {};
}
