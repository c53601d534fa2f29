/** Random and mutated input on both encodings and the server API: always an answer or a close, never a bug, never a leak. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { API_METHODS } from "../../src/dialects/streaming/api-schema.ts";
import { createCentrifugePeer } from "../support/centrifuge-protobuf.ts";
import {
  exchange,
  expectNoBugs,
  formatUrl,
  openClient,
  startNeighbour,
  until,
  type Format,
  type Neighbour,
} from "../support/hostile.ts";
import { createRandom, randomFrom, type Random } from "../support/random.ts";
import { bootServer, type BootedServer } from "../support/server.ts";
import { randomCommand } from "../support/streaming-messages.ts";

/** Of one soak or of an ordinary run; a case's seed is the run's and its number, so that one case can be had again. */
const CASES = process.env["CARILLON_SOAK"] === "1" ? 100_000 : 1_000;
const AT_ONCE = 25;
const SOAK_MS_MAX = 1_800_000;

const { seed } = createRandom("fuzz");
const peer = createCentrifugePeer();
let server: BootedServer;
let neighbour: Neighbour;

beforeAll(async () => {
  server = await bootServer();
  neighbour = await startNeighbour(server);
});

afterAll(() => server[Symbol.asyncDispose]());

/** Runs the cases a few at a time; between them the neighbour must be well. Names the case that failed. */
async function fuzz(
  share: number,
  subject: number,
  run: (random: Random) => Promise<void>,
): Promise<void> {
  const count = Math.ceil(CASES * share);
  for (let from = 0; from < count; from += AT_ONCE) {
    const numbers = Array.from({ length: Math.min(AT_ONCE, count - from) }, (_, at) => from + at);
    await Promise.all(
      numbers.map(async (number) => {
        const caseSeed = seed + subject * 10_000_000 + number;
        try {
          await run(randomFrom(caseSeed));
        } catch (error) {
          throw new Error(`Case ${number}, randomFrom(${caseSeed})`, { cause: error });
        }
      }),
    );
    await neighbour.check();
    expectNoBugs(server);
  }
  await until(() => server.sockets() === 1);
  expect(server.hub.stats()).toEqual({ connections: 1, users: 1, channels: 1, subscriptions: 1 });
}

/** Its answer shows that the connection is alive and works off what came before. */
const SENTINEL_ID = 4_000_000_000;
const SENTINELS: Readonly<Record<Format, string | Uint8Array>> = {
  json: `{"id":${SENTINEL_ID},"rpc":{"method":"sentinel"}}`,
  protobuf: peer.encode([{ id: SENTINEL_ID, rpc: { method: "sentinel" } }]),
};
const SENTINEL_MARKS: Readonly<Record<Format, Buffer>> = {
  json: Buffer.from(`"id":${SENTINEL_ID}`),
  protobuf: Buffer.from("0880d0acf30e", "hex"),
};

test.each<Format>(["json", "protobuf"])(
  "mutated %s frames are answered or close the connection",
  async (format) => {
    await fuzz(0.3, format === "json" ? 1 : 2, async (random) => {
      const connected = random.chance(0.8);
      const client = await openClient(server, { format, connected });
      const frames = 1 + random.integer(4);
      for (let sent = 0; sent < frames; sent += 1) {
        const frame = mutate(random, validFrame(random, format));
        const opcode = random.chance(0.95) === (format === "json") ? 1 : 2;
        client.sendFrame(opcode, frame);
      }
      client.send(SENTINELS[format]);
      for (;;) {
        const { opcode, payload } = await client.next();
        if (opcode === 8 || payload.includes(SENTINEL_MARKS[format])) break;
        // What may have been a connect was answered; with an error nothing more is heard.
        if (!connected) break;
      }
      client.destroy();
    });
  },
  SOAK_MS_MAX,
);

test(
  "random bytes behind a handshake end the connection, and nothing else",
  async () => {
    await fuzz(0.2, 3, async (random) => {
      const format = random.pick<Format>(["json", "protobuf"]);
      const url = new URL(formatUrl(server, format));
      const head =
        `GET ${url.pathname}${url.search} HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n` +
        `sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n`;
      const frames = random.chance(0.5)
        ? random.bytes(random.integer(400))
        : mutate(random, masked(validFrame(random, format), format));
      await exchange(server.clientsUrl, Buffer.concat([Buffer.from(head), frames]), { end: true });
    });
  },
  SOAK_MS_MAX,
);

test(
  "mutated requests on both ports are answered or end the connection",
  async () => {
    const request = (random: Random) => {
      const body = JSON.stringify(randomBody(random, random.pick(METHODS)));
      return Buffer.from(
        `POST /api/${random.pick(METHODS)} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: dev-api-key\r\n` +
          `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      );
    };
    await fuzz(0.1, 4, async (random) => {
      const url = random.chance(0.7) ? server.apiUrl : server.clientsUrl;
      const answer = await exchange(url, mutate(random, request(random)), { end: true });
      expect(answer).not.toContain("HTTP/1.1 500");
    });
  },
  SOAK_MS_MAX,
);

test(
  "mutated bodies of the server API are answered, and never as an internal error",
  async () => {
    await fuzz(0.1, 5, async (random) => {
      const method = random.pick(METHODS);
      const valid = Buffer.from(JSON.stringify(randomBody(random, method)));
      const response = await fetch(`${server.apiUrl}/api/${method}`, {
        method: "POST",
        headers: { "X-API-Key": "dev-api-key" },
        body: Uint8Array.from(random.chance(0.3) ? valid : mutate(random, valid)),
      });
      const text = await response.text();
      expect([200, 400]).toContain(response.status);
      expect(text).not.toContain('"code":100');
    });
  },
  SOAK_MS_MAX,
);

test("nothing is left when the neighbour has gone as well", async () => {
  neighbour.close();
  await until(() => server.sockets() === 0 && server.hub.stats().channels === 0);
  expect(server.hub.stats()).toEqual({ connections: 0, users: 0, channels: 0, subscriptions: 0 });
});

const METHODS = [...Object.keys(API_METHODS), "batch"];

function validFrame(random: Random, format: Format): Buffer {
  const commands = Array.from({ length: 1 + random.integer(3) }, () => randomCommand(random));
  return format === "protobuf"
    ? Buffer.from(peer.encode(commands))
    : Buffer.from(commands.map((command) => JSON.stringify(command)).join("\n"));
}

/** A client's frame on the wire, with a mask that changes nothing. */
function masked(payload: Buffer, format: Format): Buffer {
  const first = 0x80 | (format === "json" ? 1 : 2);
  const head =
    payload.length < 126
      ? [first, 0x80 | payload.length]
      : [first, 0x80 | 126, payload.length >> 8, payload.length & 0xff];
  return Buffer.concat([Buffer.from(head), Buffer.alloc(4), payload]);
}

function randomBody(random: Random, method: string): unknown {
  if (method === "batch") {
    const names = Array.from({ length: random.integer(5) }, () => random.pick(METHODS));
    return { commands: names.map((name) => ({ [name]: randomBody(random, name) })) };
  }
  const text = () => random.string(6);
  const members = {
    channel: text(),
    channels: [text(), text()],
    data: random.json(3),
    b64data: "e30=",
    user: `u${text()}`,
    client: text(),
    tags: { [text()]: text() },
    idempotency_key: text(),
    version: random.integer(5),
    expire_at: random.integer(2 ** 31),
    since: { offset: random.integer(10), epoch: text() },
    limit: random.integer(10) - 2,
    reverse: random.chance(0.5),
    pattern: text(),
    whitelist: [text()],
    disconnect: { code: 4000, reason: text() },
    method: text(),
    info: random.json(2),
    recover_since: { offset: 1, epoch: text() },
    override: { presence: { value: true } },
  };
  // A user is always named: without one the calls would be for anonymous connections, which other cases are.
  const kept = Object.entries(members).filter(([name]) => name === "user" || random.chance(0.7));
  return Object.fromEntries(kept);
}

const FRAGMENTS = [
  ...["{", "}", "[", "]", '"', "\\", "\\u", "\\ud800", ":", ",", "\n", "\r\n", "\0", "null", "-0"],
  ...["1e999", "-1", "9007199254740993", "18446744073709551615", '"__proto__"', "true", "[[[[[["],
].map((text) => Buffer.from(text));
const EXTREMES = [0x00, 0x01, 0x7f, 0x80, 0xff, 0xc0, 0xed, 0x0a, 0x22];

/** One to four changes: bytes replaced, removed, repeated or put in, and the end cut off. */
function mutate(random: Random, valid: Buffer): Buffer {
  if (random.chance(0.05)) return Buffer.from(random.bytes(random.integer(300)));
  let mutated = Buffer.from(valid);
  const changes = random.integer(5);
  for (let change = 0; change < changes && mutated.length > 0; change += 1) {
    const at = random.integer(mutated.length);
    const to = Math.min(mutated.length, at + 1 + random.integer(16));
    const [before, slice, after] = [
      mutated.subarray(0, at),
      mutated.subarray(at, to),
      mutated.subarray(to),
    ];
    const kind = random.integer(6);
    if (kind === 0) mutated[at] = random.integer(256);
    else if (kind === 1) mutated[at] = random.pick(EXTREMES);
    else if (kind === 2) mutated = Buffer.concat([before, after]);
    else if (kind === 3) mutated = Buffer.concat([before, slice, slice, after]);
    else if (kind === 4) {
      mutated = Buffer.concat([before, random.pick(FRAGMENTS), slice, after]);
    } else mutated = Buffer.from(before);
  }
  return mutated;
}
