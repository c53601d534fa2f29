/** A WebSocket client on a bare TCP socket: sees and sends what well-behaved clients hide, and can stop reading. */
import { connect as connectTcp, type Socket } from "node:net";

export interface RawFrame {
  /** RFC 6455 §5.2: 1 text, 2 binary, 8 close, 9 ping, 10 pong. */
  readonly opcode: number;
  readonly payload: Buffer;
  /** The payload as text; of a close frame, its reason. */
  readonly text: string;
  /** Of a close frame with a payload. */
  readonly code?: number;
}

export interface RawResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: ReadonlyMap<string, string>;
  readonly body: string;
}

export interface RawOptions {
  /** Replace or add to those of a correct handshake; `undefined` leaves one out. */
  readonly headers?: Readonly<Record<string, string | undefined>>;
  readonly method?: string;
}

export interface RawFrameOptions {
  /** Default true. */
  readonly final?: boolean;
  /** The length that the header claims; default: the payload's own. */
  readonly claimedBytes?: number;
}

export interface RawWebSocket {
  readonly response: RawResponse;
  /** Resolves when the TCP connection is gone. */
  readonly gone: Promise<void>;
  /** Frames and bytes that arrived and that no `next` took. */
  readonly unread: number;
  /** A masked text or binary frame. */
  send(data: string | Uint8Array): void;
  sendFrame(opcode: number, payload: Uint8Array, options?: RawFrameOptions): void;
  /** Bytes as they are. */
  write(bytes: Uint8Array): void;
  /** The next frame, control frames included; rejects once the connection ended without one. */
  next(): Promise<RawFrame>;
  /** All frames up to the end of the connection. */
  rest(): Promise<RawFrame[]>;
  /** Stops reading: the kernel's buffers (about 4 MB on loopback) fill, then the server's. */
  pause(): void;
  resume(): void;
  /** Sends a close frame. */
  close(code?: number, reason?: string): void;
  /** Drops the connection without a word. */
  destroy(): void;
}

const HANDSHAKE: Readonly<Record<string, string>> = {
  upgrade: "websocket",
  connection: "Upgrade",
  // RFC 6455 §1.3, so the expected answer is in the RFC too.
  "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
  "sec-websocket-version": "13",
};

/** Throws unless the server answers 101. The TCP side stays open until `destroy`, whatever the server does. */
export async function connectRaw(url: string, options: RawOptions = {}): Promise<RawWebSocket> {
  const { socket, head, rest } = await request(url, options);
  const response = parseHead(head, "");
  if (response.status !== 101) {
    socket.destroy();
    throw new Error(`Handshake answered ${response.status}`);
  }
  return createClient(socket, response, rest);
}

/** What the server answers when it refuses; of a success, the head only. */
export async function handshake(url: string, options: RawOptions = {}): Promise<RawResponse> {
  const { socket, head, rest } = await request(url, options);
  const length = Number(parseHead(head, "").headers.get("content-length") ?? 0);
  let body = rest;
  if (body.length < length) {
    body = await new Promise<Buffer>((resolve) => {
      socket.on("data", (chunk: Buffer) => {
        body = Buffer.concat([body, chunk]);
        if (body.length >= length) resolve(body);
      });
      socket.resume();
    });
  }
  socket.destroy();
  return parseHead(head, body.subarray(0, length).toString());
}

function request(
  url: string,
  options: RawOptions,
): Promise<{ socket: Socket; head: string; rest: Buffer }> {
  const { hostname, port, pathname, search, host } = new URL(url);
  const headers: Record<string, string | undefined> = { host, ...HANDSHAKE, ...options.headers };
  const lines = Object.entries(headers).flatMap(([name, value]) =>
    value === undefined ? [] : [`${name}: ${value}`],
  );
  const start = `${options.method ?? "GET"} ${pathname}${search} HTTP/1.1`;
  return new Promise((resolve, reject) => {
    const address = hostname.replace(/^\[|\]$/g, "");
    const socket = connectTcp({ host: address, port: Number(port), allowHalfOpen: true }, () => {
      socket.write(`${[start, ...lines].join("\r\n")}\r\n\r\n`);
    });
    let received = Buffer.alloc(0);
    const onData = (chunk: Buffer) => {
      received = Buffer.concat([received, chunk]);
      const end = received.indexOf("\r\n\r\n");
      if (end === -1) return;
      socket.pause();
      socket.off("data", onData);
      const head = received.subarray(0, end).toString("latin1");
      resolve({ socket, head, rest: received.subarray(end + 4) });
    };
    socket.on("data", onData);
    socket.on("error", reject);
    socket.on("end", () => reject(new Error("Connection ended before the answer")));
  });
}

function parseHead(head: string, body: string): RawResponse {
  const [status = "", ...lines] = head.split("\r\n");
  const headers = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { status: Number(status.split(" ")[1]), headers: new Map(headers), body };
}

function createClient(socket: Socket, response: RawResponse, first: Buffer): RawWebSocket {
  const frames: RawFrame[] = [];
  const waiting: { resolve: (frame: RawFrame) => void; reject: (error: Error) => void }[] = [];
  const parser = createParser((frame) => {
    const waiter = waiting.shift();
    if (waiter === undefined) frames.push(frame);
    else waiter.resolve(frame);
  });
  let ended = false;
  const gone = new Promise<void>((resolve) => {
    socket.on("close", () => {
      end();
      resolve();
    });
  });
  function end(): void {
    ended = true;
    for (const { reject } of waiting.splice(0)) reject(new Error("Connection ended"));
  }
  socket.on("data", (chunk: Buffer) => parser(chunk));
  socket.on("end", end);
  // A reset is one way for a connection to end; `gone` tells.
  socket.on("error", () => {});
  parser(first);
  socket.resume();

  function sendFrame(opcode: number, payload: Uint8Array, options: RawFrameOptions = {}): void {
    const mask = Buffer.from([1, 2, 3, 4]);
    const masked = Buffer.from(payload);
    for (let at = 0; at < masked.length; at += 1) masked[at]! ^= mask[at & 3]!;
    const head = frameHead(opcode, options.final ?? true, options.claimedBytes ?? payload.length);
    socket.write(Buffer.concat([head, mask, masked]));
  }

  const client: RawWebSocket = {
    response,
    gone,
    get unread() {
      return frames.length;
    },
    send(data) {
      if (typeof data === "string") sendFrame(1, Buffer.from(data));
      else sendFrame(2, data);
    },
    sendFrame,
    write: (bytes) => void socket.write(bytes),
    next() {
      const frame = frames.shift();
      if (frame !== undefined) return Promise.resolve(frame);
      if (ended) return Promise.reject(new Error("Connection ended"));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    async rest() {
      const all: RawFrame[] = [];
      for (;;) {
        try {
          all.push(await client.next());
        } catch {
          return all;
        }
      }
    },
    pause: () => void socket.pause(),
    resume: () => void socket.resume(),
    close(code, reason = "") {
      const payload = Buffer.alloc(code === undefined ? 0 : 2);
      if (code !== undefined) payload.writeUInt16BE(code);
      sendFrame(8, Buffer.concat([payload, Buffer.from(reason)]));
    },
    destroy: () => void socket.destroy(),
  };
  return client;
}

function frameHead(opcode: number, final: boolean, bytes: number): Buffer {
  const first = (final ? 0x80 : 0) | opcode;
  if (bytes < 126) return Buffer.from([first, 0x80 | bytes]);
  if (bytes < 65_536) return Buffer.from([first, 0x80 | 126, bytes >> 8, bytes & 0xff]);
  const head = Buffer.alloc(10);
  head[0] = first;
  head[1] = 0x80 | 127;
  head.writeBigUInt64BE(BigInt(bytes), 2);
  return head;
}

/** Bun's server neither fragments nor masks, so a frame is a message. Chunks are joined once per frame. */
function createParser(onFrame: (frame: RawFrame) => void): (chunk: Buffer) => void {
  let chunks: Buffer[] = [];
  let bytes = 0;
  let neededBytes = 2;
  return (chunk) => {
    chunks.push(chunk);
    bytes += chunk.length;
    if (bytes < neededBytes) return;
    let data = chunks.length === 1 ? chunk : Buffer.concat(chunks);
    for (;;) {
      neededBytes = frameBytes(data);
      if (data.length < neededBytes) break;
      onFrame(parseFrame(data.subarray(0, neededBytes)));
      data = data.subarray(neededBytes);
    }
    chunks = [data];
    bytes = data.length;
  };
}

/** Of the frame that begins here, as far as it can be told. */
function frameBytes(data: Buffer): number {
  if (data.length < 2) return 2;
  const short = data[1]! & 0x7f;
  if (short < 126) return 2 + short;
  const headBytes = short === 126 ? 4 : 10;
  if (data.length < headBytes) return headBytes;
  return headBytes + (short === 126 ? data.readUInt16BE(2) : Number(data.readBigUInt64BE(2)));
}

function parseFrame(data: Buffer): RawFrame {
  const short = data[1]! & 0x7f;
  const payload = data.subarray(short < 126 ? 2 : short === 126 ? 4 : 10);
  const opcode = data[0]! & 0x0f;
  if (opcode !== 8) return { opcode, payload, text: payload.toString() };
  if (payload.length < 2) return { opcode, payload, text: "" };
  return { opcode, payload, text: payload.subarray(2).toString(), code: payload.readUInt16BE(0) };
}
