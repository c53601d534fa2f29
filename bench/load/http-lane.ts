/** One kept-alive HTTP connection that sends one request after the other, each when the one before was answered. */
import type { Socket, SocketHandler } from "bun";

export interface LaneEvents {
  connected(lane: HttpLane): void;
  /** `ok`: status 200 and a body without an `error` member, or with one that is null. */
  answered(lane: HttpLane, ok: boolean, answer: Buffer): void;
  lost(lane: HttpLane): void;
}

const HEAD_END = Buffer.from("\r\n\r\n");
const CHUNKS_END = Buffer.from("0\r\n\r\n");
const ERROR = Buffer.from('"error"');
const NO_ERROR = Buffer.from('"error":null');
const LENGTH = /\r\ncontent-length: *(\d+)/i;

export class HttpLane {
  readonly number: number;
  readonly #events: LaneEvents;
  #socket: Socket<HttpLane> | undefined;
  #answer: Buffer | undefined;
  #unsent: Uint8Array | undefined;

  constructor(number: number, events: LaneEvents) {
    this.number = number;
    this.#events = events;
  }

  connect(hostname: string, port: number): void {
    Bun.connect<HttpLane>({ hostname, port, data: this, socket: HANDLERS }).catch(() =>
      this.lost(),
    );
  }

  /** `request` may be changed once this returns. */
  send(request: Uint8Array): void {
    const written = this.#socket?.write(request) ?? 0;
    if (written >= 0 && written < request.length) this.#unsent = request.slice(written);
  }

  // The socket's handlers call these.

  open(socket: Socket<HttpLane>): void {
    this.#socket = socket;
    this.#events.connected(this);
  }

  received(chunk: Buffer): void {
    const answer = this.#answer === undefined ? chunk : Buffer.concat([this.#answer, chunk]);
    if (!isWhole(answer)) {
      this.#answer = answer;
      return;
    }
    this.#answer = undefined;
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

  lost(): void {
    this.#events.lost(this);
  }

  end(): void {
    this.#socket?.terminate();
  }
}

const HANDLERS: SocketHandler<HttpLane> = {
  open: (socket) => socket.data.open(socket),
  data: (socket, chunk) => socket.data.received(chunk),
  drain: (socket) => socket.data.drain(),
  close: (socket) => socket.data.lost(),
  connectError: (socket) => socket.data.lost(),
};

function isWhole(answer: Buffer): boolean {
  const head = answer.indexOf(HEAD_END);
  if (head < 0) return false;
  const length = LENGTH.exec(answer.toString("latin1", 0, head))?.[1];
  if (length === undefined) return answer.subarray(-CHUNKS_END.length).equals(CHUNKS_END);
  return answer.length >= head + HEAD_END.length + Number(length);
}
