/** One labelled DataChannel: a queued socket, and the outlet that it writes to for as long as the peer takes it. */
import type { Frame } from "../../core/types.ts";
import { frameBytes } from "../backpressure.ts";
import type { PeerChannelOptions } from "../data-channels.ts";
import { QueuedSocket, type QueuedContext } from "../queued-socket.ts";
import type { Outlet } from "../socket.ts";
import type { Guard, NativeChannel, NativePeer } from "./library.ts";

/** Bytes that may come while the session is still busy with what came before; then the peer is cut, since SCTP cannot be paused. */
const UNREAD_BYTES_MAX = 1_048_576;

/** What a channel tells its peer. */
export interface ChannelOwner {
  channelOpened(): void;
  /** The stream is reset by either side. */
  channelClosed(): void;
  /** It sends more than is handled. */
  flooded(): void;
  readonly oversized: () => void;
}

interface ChannelParts {
  readonly context: QueuedContext;
  readonly native: NativePeer;
  readonly options: PeerChannelOptions;
  readonly messageBytesMax: number;
  readonly owner: ChannelOwner;
  readonly guard: Guard;
}

export class Channel implements Outlet {
  readonly #parts: ChannelParts;
  /** Kept until it is told to be closed: the library closes what is collected as garbage. */
  readonly #native: NativeChannel;
  #over = false;
  #socket: QueuedSocket | undefined;
  #messageBytesMax = 0;
  /** SCTP's own buffer is full: the last frame waits in the library, and the next ones in the socket. */
  #full = false;
  #reading = true;
  #unreadBytes = 0;

  /** Throws when the library cannot open it. */
  constructor(parts: ChannelParts) {
    this.#parts = parts;
    const { native, options, guard } = parts;
    const { label, protocol, ordered = true, maxRetransmits, maxPacketLifeTimeMs } = options;
    const channel = native.createDataChannel(label, {
      ...(protocol === undefined ? {} : { protocol }),
      unordered: !ordered,
      ...(maxRetransmits === undefined ? {} : { maxRetransmits }),
      ...(maxPacketLifeTimeMs === undefined ? {} : { maxPacketLifeTime: maxPacketLifeTimeMs }),
    });
    this.#native = channel;
    channel.onOpen(guard(() => this.#opened()));
    channel.onMessage(guard((message) => this.#received(message)));
    channel.onBufferedAmountLow(guard(() => this.#drained()));
    // Also what frees the library's part of it.
    channel.onClosed(guard(() => this.#closed(1000)));
  }

  get isOpen(): boolean {
    return this.#socket !== undefined && !this.#over;
  }

  /** Its peer is gone. */
  gone(): void {
    this.#closed(1006);
  }

  /** Sends what waits, then resets the stream. */
  end(): void {
    if (this.#socket === undefined) this.#reset();
    else this.#socket.close(1000, "");
  }

  // The socket calls these.

  get bufferedBytes(): number {
    return this.#full ? this.#native.bufferedAmount() : 0;
  }

  get writable(): boolean {
    return !this.#full && !this.#over;
  }

  write(frame: Frame): boolean {
    if (this.#full) return false;
    if (this.#over) return true;
    if (frame.length * 3 > this.#messageBytesMax && frameBytes(frame) > this.#messageBytesMax) {
      this.#parts.owner.oversized();
      this.#parts.options.oversized?.(frame);
      return true;
    }
    try {
      this.#full = !(typeof frame === "string"
        ? this.#native.sendMessage(frame)
        : this.#native.sendMessageBinary(frame));
    } catch {
      // Closed in this moment by the peer: the library's own thread knows, and its event is on the way.
    }
    return true;
  }

  ping(): void {}

  /** Codes and reasons do not travel: there is a stream reset, and nothing else (RFC 8831 §6.7). */
  close(): void {
    this.#reset();
  }

  terminate(): void {
    this.#reset();
  }

  // The library calls these.

  #opened(): void {
    if (this.#socket !== undefined || this.#over) return;
    const { context, options, messageBytesMax, owner } = this.#parts;
    this.#messageBytesMax = Math.min(this.#native.maxMessageSize(), messageBytesMax);
    const opening = {
      ...options.opening,
      messageBytesMax: Math.min(options.opening.messageBytesMax, messageBytesMax),
    };
    const onRead = (reading: boolean) => this.#read(reading);
    this.#socket = new QueuedSocket({ context, transport: "webrtc", opening, onRead });
    this.#socket.open();
    this.#socket.attach(this);
    owner.channelOpened();
  }

  #received(message: string | Buffer | ArrayBuffer): void {
    // Events of one channel come over several queues, so that a first message may pass the opening.
    this.#opened();
    const frame = typeof message === "string" ? message : bytesOf(message);
    if (!this.#reading && (this.#unreadBytes += frame.length) > UNREAD_BYTES_MAX) {
      this.#parts.owner.flooded();
      return;
    }
    this.#socket?.received(frame);
  }

  #read(reading: boolean): void {
    this.#reading = reading;
    if (reading) this.#unreadBytes = 0;
  }

  #drained(): void {
    this.#full = false;
    this.#socket?.drained(this);
  }

  #reset(): void {
    if (this.#over) return;
    this.#over = true;
    this.#full = false;
    this.#native.close();
  }

  #closed(code: number): void {
    this.#reset();
    this.#socket?.ended(code, "");
    this.#parts.owner.channelClosed();
  }
}

/** The library copied them for us alone. */
function bytesOf(message: Buffer | ArrayBuffer): Uint8Array {
  if (message instanceof ArrayBuffer) return new Uint8Array(message);
  return new Uint8Array(message.buffer, message.byteOffset, message.byteLength);
}
