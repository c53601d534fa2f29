/**
 * One WebSocket client on a raw TCP socket. It walks frame headers in the received bytes and makes no object per
 * frame, since a `WebSocket` per connection could not take what the server sends.
 */
import type { Socket, SocketHandler } from "bun";
import { connectTo, type Address } from "./address.ts";

/** What the clients of a load process tell it. One object serves all of them. */
export interface FrameSink {
  /** The upgrade was answered; frames may be sent. */
  opened(client: WsClient): void;
  /** A text or binary frame in `bytes[start, end)`, which are reused afterwards. */
  message(client: WsClient, bytes: Uint8Array, start: number, end: number): void;
  /** Bytes came in: their frames follow. */
  chunk(): void;
  /** May take whole frames from `at` on, of a kind it knows; returns where it stopped. */
  frames(client: WsClient, bytes: Uint8Array, at: number): number;
  /** `code` is that of the close frame; where the upgrade was refused, its status; or 0. */
  closed(client: WsClient, code: number): void;
}

export interface Endpoint extends Address {
  readonly path: string;
}

const OP_CONTINUATION = 0;
const OP_TEXT = 1;
const OP_BINARY = 2;
const OP_CLOSE = 8;
const OP_PING = 9;

const UPGRADE_END = Buffer.from("\r\n\r\n");

export class WsClient {
  readonly index: number;
  readonly #sink: FrameSink;
  readonly #endpoint: Endpoint;
  #socket: Socket<WsClient> | undefined;
  #upgraded = false;
  #closed = false;
  #closeCode = 0;
  #rest: Uint8Array | undefined;
  #unsent: Buffer | undefined;

  constructor(index: number, endpoint: Endpoint, sink: FrameSink) {
    this.index = index;
    this.#endpoint = endpoint;
    this.#sink = sink;
  }

  connect(): void {
    connectTo<WsClient>(this.#endpoint, this, HANDLERS).catch(() => this.ended());
  }

  /** Text, masked with zeros: the bytes on the wire are those of the text. */
  send(text: string): void {
    const payload = Buffer.from(text);
    this.#write(Buffer.concat([frameHeader(OP_TEXT, payload.length), payload]));
  }

  /** A reset, so that no port stays in TIME_WAIT. */
  terminate(): void {
    this.#socket?.terminate();
  }

  // The socket's handlers call these.

  open(socket: Socket<WsClient>): void {
    this.#socket = socket;
    const { host, port, path } = this.#endpoint;
    this.#write(
      Buffer.from(
        `GET ${path} HTTP/1.1\r\nHost: ${host}:${port}\r\nUpgrade: websocket\r\n` +
          "Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n" +
          "Sec-WebSocket-Version: 13\r\n\r\n",
      ),
    );
  }

  received(chunk: Uint8Array): void {
    this.#sink.chunk();
    const rest = this.#rest;
    let bytes = chunk;
    if (rest !== undefined) {
      bytes = Buffer.allocUnsafe(rest.length + chunk.length);
      bytes.set(rest, 0);
      bytes.set(chunk, rest.length);
      this.#rest = undefined;
    }
    let at = 0;
    if (!this.#upgraded) {
      at = this.#upgrade(bytes);
      if (at < 0) {
        this.#rest = bytes.slice();
        return;
      }
    }
    at = this.#walk(bytes, at);
    if (at < bytes.length) this.#rest = bytes.slice(at);
  }

  drain(): void {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) this.#write(unsent);
  }

  ended(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#sink.closed(this, this.#closeCode);
  }

  /** Where the frames begin, or -1 while the answer is incomplete. */
  #upgrade(bytes: Uint8Array): number {
    const text = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const end = text.indexOf(UPGRADE_END);
    if (end < 0) return -1;
    const status = Number(text.toString("latin1", 9, 12));
    if (status !== 101) {
      this.#closeCode = status;
      this.terminate();
      return bytes.length;
    }
    this.#upgraded = true;
    this.#sink.opened(this);
    return end + UPGRADE_END.length;
  }

  /** Where the first incomplete frame begins. */
  #walk(bytes: Uint8Array, start: number): number {
    const sink = this.#sink;
    const end = bytes.length;
    let at = start;
    for (;;) {
      at = sink.frames(this, bytes, at);
      if (at + 2 > end) break;
      const op = (bytes[at] as number) & 15;
      let length = (bytes[at + 1] as number) & 127;
      let payload = at + 2;
      if (length === 126) {
        if (at + 4 > end) break;
        length = ((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number);
        payload = at + 4;
      } else if (length === 127) {
        if (at + 10 > end) break;
        length = Number(new DataView(bytes.buffer, bytes.byteOffset + at + 2).getBigUint64(0));
        payload = at + 10;
      }
      const next = payload + length;
      if (next > end) break;
      if (op === OP_TEXT || op === OP_BINARY) sink.message(this, bytes, payload, next);
      else this.#control(op, bytes, payload, next);
      at = next;
    }
    return at;
  }

  #control(op: number, bytes: Uint8Array, start: number, end: number): void {
    if (op === OP_PING) {
      this.#write(Buffer.concat([frameHeader(10, end - start), bytes.subarray(start, end)]));
    } else if (op === OP_CLOSE) {
      if (end - start >= 2) {
        this.#closeCode = ((bytes[start] as number) << 8) | (bytes[start + 1] as number);
      }
      // Servers wait for an answer otherwise.
      this.terminate();
    } else if (op === OP_CONTINUATION) {
      throw new Error("The server sent a message in fragments, which is not counted here");
    }
  }

  #write(bytes: Buffer): void {
    if (this.#unsent !== undefined) {
      this.#unsent = Buffer.concat([this.#unsent, bytes]);
      return;
    }
    const written = this.#socket?.write(bytes) ?? 0;
    if (written >= 0 && written < bytes.length) this.#unsent = bytes.subarray(written);
  }
}

const HANDLERS: SocketHandler<WsClient> = {
  binaryType: "uint8array",
  open: (socket) => socket.data.open(socket),
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.drain(),
  close: (socket) => socket.data.ended(),
  error: (socket) => socket.data.ended(),
  connectError: (socket) => socket.data.ended(),
};

function frameHeader(op: number, length: number): Buffer {
  const small = length < 126;
  const header = Buffer.alloc(small ? 6 : length < 65_536 ? 8 : 14);
  header[0] = 0x80 | op;
  if (small) header[1] = 0x80 | length;
  else if (length < 65_536) {
    header[1] = 0x80 | 126;
    header.writeUInt16BE(length, 2);
  } else {
    header[1] = 0x80 | 127;
    header.writeBigUInt64BE(BigInt(length), 2);
  }
  return header;
}
