/** One kept-alive HTTP connection that sends one request after the other, each when the one before was answered. */
import type { Socket, SocketHandler } from "bun";
import { connectTo, type Address } from "./address.ts";

export interface LaneEvents {
  connected(lane: HttpLane): void;
  /** `ok`: status 200 and a body without an `error` member, or with one that is null. */
  answered(lane: HttpLane, ok: boolean, answer: Buffer): void;
  /** The connection is gone without an answer that said so. */
  lost(lane: HttpLane): void;
  /** There is none to be had. */
  refused(): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNKS_END = Buffer.from("0\r\n\r\n");
const ERROR = Buffer.from('"error"');
const NO_ERROR = Buffer.from('"error":null');
const CLOSE = Buffer.from("onnection: close");
const LENGTH = /\r\ncontent-length: *(\d+)/i;

export class HttpLane {
  readonly number: number;
  readonly #events: LaneEvents;
  #socket: Socket<HttpLane> | undefined;
  #answer: Buffer | undefined;
  #unsent: Uint8Array | undefined;
  readonly #address: Address;
  /** The server has said that it ends this connection: the next request is for another one. */
  #closing = false;

  constructor(number: number, address: Address, events: LaneEvents) {
    this.number = number;
    this.#address = address;
    this.#events = events;
  }

  connect(): void {
    connectTo<HttpLane>(this.#address, this, HANDLERS).catch(() => this.#events.refused());
  }

  /** `request` may be changed once this returns. */
  send(request: Uint8Array): void {
    const written = this.#closing ? 0 : (this.#socket?.write(request) ?? 0);
    if (written >= 0 && written < request.length) this.#unsent = request.slice(written);
  }

  // The socket's handlers call these.

  open(socket: Socket<HttpLane>): void {
    this.#socket = socket;
    if (!this.#closing) return this.#events.connected(this);
    this.#closing = false;
    this.drain();
  }

  received(chunk: Buffer): void {
    const answer = this.#answer === undefined ? chunk : Buffer.concat([this.#answer, chunk]);
    if (!isWhole(answer)) {
      this.#answer = answer;
      return;
    }
    this.#answer = undefined;
    this.#closing = answer.includes(CLOSE);
    // "HTTP/1.1 200"
    const failed = answer.includes(ERROR) && !answer.includes(NO_ERROR);
    const ok = answer[9] === 0x32 && answer[10] === 0x30 && !failed;
    this.#events.answered(this, ok, answer);
  }

  drain(): void {
    const unsent = this.#unsent;
    this.#unsent = undefined;
    if (unsent !== undefined) this.send(unsent);
  }

  closed(): void {
    if (this.#closing) this.connect();
    else this.#events.lost(this);
  }

  end(): void {
    this.#closing = false;
    this.#socket?.terminate();
  }
}

const HANDLERS: SocketHandler<HttpLane> = {
  open: (socket) => socket.data.open(socket),
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.drain(),
  close: (socket) => socket.data.closed(),
  // The promise tells.
  connectError() {},
};

function isWhole(answer: Buffer): boolean {
  const head = answer.indexOf(HEAD_END);
  if (head < 0) return false;
  const length = LENGTH.exec(answer.toString("latin1", 0, head))?.[1];
  if (length === undefined) return answer.subarray(-CHUNKS_END.length).equals(CHUNKS_END);
  return answer.length >= head + HEAD_END.length + Number(length);
}
