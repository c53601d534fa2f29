/**
 * The process behind `load-clients.ts`: many clients on bare sockets, which walk frame headers and look at one number per
 * publication, so that the server and not this process is what a test or benchmark measures.
 */
import type { Socket } from "bun";

/** What the parent asks; each is answered by one message. */
export type LoadRequest =
  /** Connections that connect and subscribe to each channel; `%` in a name is the client's number. */
  | {
      readonly do: "open";
      readonly url: string;
      readonly count: number;
      readonly channels: readonly string[];
      readonly otherwise?: Otherwise;
    }
  /** Answered when every open client has received this number. */
  | { readonly do: "await"; readonly number: number }
  | { readonly do: "report" }
  /** Answered when every connection is gone. */
  | { readonly do: "close" };

/** How connections of another dialect begin. */
export interface Otherwise {
  /** In the address, one for each client. */
  readonly tokens: readonly string[];
  readonly text: string;
  /** Frames until it is ready. */
  readonly answers: number;
}

export interface LoadReport {
  readonly open: number;
  /** Publications received by all clients together. */
  readonly received: number;
  /** Publications whose number was not the one behind the last. */
  readonly outOfOrder: number;
  /** Connections that the server ended. */
  readonly ended: number;
  /** Of the publications since the last report, milliseconds from `atMs` in the payload; empty where it has none. */
  readonly latenciesMs: readonly number[];
  /** Share of one core that this process used since the last report. */
  readonly cpu: number;
}

interface Client {
  readonly number: number;
  readonly host: string;
  readonly path: string;
  readonly first: string;
  rest: Buffer;
  upgraded: boolean;
  /** Answers to connect and subscribe that are still to come. */
  pending: number;
  last: number;
  readonly opened: () => void;
}

const OPENING_AT_ONCE = 200;
const PING = Buffer.from("{}");
const NUMBER = Buffer.from('"number":');
const AT_MS = Buffer.from('"atMs":');

const sockets = new Set<Socket<Client>>();
let [received, outOfOrder, ended, closing] = [0, 0, 0, false];
let latenciesMs: number[] = [];
let awaited: { readonly number: number; readonly done: () => void } | undefined;
let allGone: (() => void) | undefined;
let cpuSince = { usage: process.cpuUsage(), atMs: performance.now() };

process.on("message", (request: LoadRequest) => {
  void answer(request).then((reply) => process.send?.(reply));
});

async function answer(request: LoadRequest): Promise<LoadReport | { readonly done: true }> {
  switch (request.do) {
    case "open":
      for (let from = 0; from < request.count; from += OPENING_AT_ONCE) {
        const count = Math.min(OPENING_AT_ONCE, request.count - from);
        await Promise.all(Array.from({ length: count }, (_, at) => open(request, from + at)));
      }
      return { done: true };
    case "await":
      await new Promise<void>((done) => {
        awaited = { number: request.number, done };
        settle();
      });
      return { done: true };
    case "report":
      return report();
    case "close":
      closing = true;
      if (sockets.size > 0) {
        await new Promise<void>((resolve) => {
          allGone = resolve;
          for (const socket of sockets) socket.end(closeFrame());
        });
      }
      closing = false;
      return { done: true };
  }
}

function report(): LoadReport {
  const usage = process.cpuUsage(cpuSince.usage);
  const ms = performance.now() - cpuSince.atMs;
  const made = {
    open: sockets.size,
    ...{ received, outOfOrder, ended, latenciesMs },
    cpu: (usage.user + usage.system) / 1000 / ms,
  };
  cpuSince = { usage: process.cpuUsage(), atMs: performance.now() };
  latenciesMs = [];
  return made;
}

async function open(
  { url, channels, otherwise }: Extract<LoadRequest, { do: "open" }>,
  number: number,
): Promise<void> {
  const { hostname, port, host, pathname } = new URL(url);
  const { promise, resolve } = Promise.withResolvers<void>();
  const names = channels.map((name) => name.replace("%", String(number)));
  const subscribes = names.map(
    (channel, index) => `{"id":${index + 2},"subscribe":{"channel":"${channel}"}}`,
  );
  const token = otherwise?.tokens[number];
  const client: Client = {
    ...{ number, host },
    path: token === undefined ? pathname : `${pathname}?access_token=${token}`,
    first: otherwise?.text ?? ['{"id":1,"connect":{}}', ...subscribes].join("\n"),
    ...{ rest: Buffer.alloc(0), upgraded: false, last: 0 },
    pending: otherwise?.answers ?? 1 + channels.length,
    opened: resolve,
  };
  await Bun.connect<Client>({ hostname, port: Number(port), data: client, socket: HANDLERS });
  await promise;
}

const HANDLERS = {
  open(socket: Socket<Client>) {
    sockets.add(socket);
    const { host, path } = socket.data;
    socket.write(
      `GET ${path} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
        "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
  },
  data(socket: Socket<Client>, chunk: Buffer) {
    const client = socket.data;
    const data = client.rest.length === 0 ? chunk : Buffer.concat([client.rest, chunk]);
    // The handler's buffer is used again for the next chunk.
    client.rest = Buffer.from(consume(socket, data));
  },
  close(socket: Socket<Client>) {
    sockets.delete(socket);
    if (!closing) ended += 1;
    socket.data.opened();
    settle();
    if (sockets.size === 0) allGone?.();
  },
  error() {},
};

/** Takes whole frames; answers what is left of one. */
function consume(socket: Socket<Client>, data: Buffer): Buffer {
  const client = socket.data;
  let at = 0;
  if (!client.upgraded) {
    const head = data.indexOf("\r\n\r\n");
    if (head === -1) return data;
    client.upgraded = true;
    at = head + 4;
    socket.write(frame(1, Buffer.from(client.first)));
  }
  while (data.length >= at + 2) {
    const short = data[at + 1]! & 0x7f;
    const start = at + (short < 126 ? 2 : short === 126 ? 4 : 10);
    if (data.length < start) break;
    const length =
      short < 126
        ? short
        : short === 126
          ? data.readUInt16BE(at + 2)
          : Number(data.readBigUInt64BE(at + 2));
    if (data.length < start + length) break;
    if ((data[at]! & 0x0f) === 8) socket.end();
    else take(socket, data.subarray(start, start + length));
    at = start + length;
  }
  return data.subarray(at);
}

function take(socket: Socket<Client>, message: Buffer): void {
  const client = socket.data;
  if (message.equals(PING)) {
    socket.write(frame(1, PING));
    return;
  }
  if (client.pending > 0) {
    // One answer per line; the last of them shows that all subscriptions stand.
    for (const byte of message) if (byte === 10) client.pending -= 1;
    client.pending -= 1;
    if (client.pending === 0) client.opened();
    return;
  }
  const found = message.indexOf(NUMBER);
  if (found === -1) return;
  const number = numberAt(message, found + NUMBER.length);
  received += 1;
  if (number !== client.last + 1) outOfOrder += 1;
  client.last = number;
  const stamp = message.indexOf(AT_MS);
  if (stamp !== -1) latenciesMs.push(nowMs() - numberAt(message, stamp + AT_MS.length));
  if (awaited !== undefined && number >= awaited.number) settle();
}

function settle(): void {
  if (awaited === undefined) return;
  for (const { data } of sockets) if (data.last < awaited.number) return;
  awaited.done();
  awaited = undefined;
}

/** Whole digits, and a fraction of three. */
function numberAt(message: Buffer, from: number): number {
  let at = from;
  while (isNumeric(message[at])) at += 1;
  return Number(message.toString("latin1", from, at));
}

function isNumeric(byte: number | undefined): boolean {
  return byte !== undefined && ((byte >= 0x30 && byte <= 0x39) || byte === 0x2e);
}

/** The same in every process of this machine. */
function nowMs(): number {
  return performance.timeOrigin + performance.now();
}

/** A short client's frame, with a mask that changes nothing. */
function frame(opcode: number, payload: Buffer): Buffer {
  const length = payload.length;
  const head = length < 126 ? [0x80 | length] : [0xfe, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([0x80 | opcode, ...head]), Buffer.alloc(4), payload]);
}

function closeFrame(): Buffer {
  return frame(8, Buffer.from([0x03, 0xe8]));
}
