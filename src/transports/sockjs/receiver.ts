/** The answer to a receiving request: where a session's frames go until it ends. A poll's ends with its first frame (sockjs.md §5, §7). */
import type { Clock } from "../../core/runtime.ts";
import type { Frame } from "../../core/types.ts";
import { AnswerStream, type StreamedRequest } from "../answer-stream.ts";
import type { Outlet } from "../socket.ts";
import { closeFrame, HEARTBEAT_FRAME, messagesFrame, type Format } from "./frames.ts";

/** Bytes of messages of one turn that are put together in one frame of an answer that streams. */
const FRAME_BYTES = 16_384;
/** Seconds that the client of an answered poll may idle before its next request. */
const IDLE_SECONDS = 30;

export interface ReceiverOptions {
  readonly clock: Clock;
  readonly request: StreamedRequest;
  readonly format: Format;
  readonly headers: Readonly<Record<string, string>>;
  /** Of frames, in one answer. */
  readonly bytesMax: number;
}

/** What a receiver tells of itself. */
export interface ReceiverOwner {
  drained(receiver: Receiver): void;
  /** Its answer is whole, by a limit or because it was one frame; another one may come. */
  finished(receiver: Receiver): void;
  /** Its client left before that. */
  left(receiver: Receiver): void;
}

export class Receiver implements Outlet {
  /** Monotonic milliseconds. */
  readonly sinceMs: number;
  /** Settles with the first bytes. */
  readonly response: Promise<Response>;
  readonly #options: ReceiverOptions;
  readonly #respond: (response: Response) => void;
  readonly #stream: AnswerStream | undefined;
  #owner: ReceiverOwner | undefined;
  #lastFrameMs: number;
  /** Encoded messages of this turn. */
  #messages: string[] = [];
  #messagesBytes = 0;
  #bytes = 0;
  #over = false;

  constructor(options: ReceiverOptions) {
    this.#options = options;
    this.sinceMs = this.#lastFrameMs = options.clock.monotonicMs();
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#respond = resolve;
    const { request, format } = options;
    if (format.prelude === undefined) {
      request.endWithin(0);
      request.onLeave(() => this.#leave());
      return;
    }
    this.#stream = new AnswerStream({
      request,
      onDrain: () => this.#owner?.drained(this),
      onLeave: () => this.#leave(),
    });
    this.#stream.write(format.prelude);
    this.#answer(this.#stream.body);
  }

  /** Monotonic milliseconds; without a frame, when it came. */
  get lastFrameMs(): number {
    return this.#lastFrameMs;
  }

  get over(): boolean {
    return this.#over;
  }

  get bufferedBytes(): number {
    return this.#messagesBytes + (this.#stream?.unsentBytes ?? 0);
  }

  get writable(): boolean {
    if (this.#over || (this.#stream?.unsentBytes ?? 0) > 0) return false;
    return this.#bytes + this.#messagesBytes < this.#options.bytesMax;
  }

  ownedBy(owner: ReceiverOwner): void {
    this.#owner = owner;
  }

  /** An encoded message: those of one turn go out in one frame. */
  write(message: Frame): boolean {
    if (!this.writable) return false;
    if (this.#messages.length === 0) queueMicrotask(() => this.#flush());
    this.#messages.push(String(message));
    this.#messagesBytes += message.length;
    if (this.#stream !== undefined && this.#messagesBytes >= FRAME_BYTES) this.#flush();
    return true;
  }

  ping(): void {
    // Nobody answers: the transport's own heartbeats keep proxies from cutting.
  }

  /** A frame that carries no messages. */
  frame(frame: string): void {
    this.#flush();
    this.#put(frame);
  }

  close(code: number, reason: string): void {
    this.#flush();
    // A poll that took messages has no room for it: the next one gets it.
    this.#put(closeFrame(code, reason));
    this.finish();
  }

  /** It has taken as long as it may. */
  expire(): void {
    // A poll has to be answered.
    if (this.#stream === undefined) this.frame(HEARTBEAT_FRAME);
    this.finish();
  }

  /** The answer comes to its end. */
  finish(): void {
    this.#flush();
    if (this.#over) return;
    this.#over = true;
    this.#stream?.end();
    this.#owner?.finished(this);
  }

  terminate(): void {
    if (this.#over) return;
    this.#messages = [];
    // A poll has to be answered.
    if (this.#stream === undefined) this.#put(closeFrame(1002, "Connection interrupted"));
    this.#over = true;
    this.#stream?.cut();
  }

  #flush(): void {
    if (this.#messages.length === 0) return;
    const frame = messagesFrame(this.#messages);
    this.#messages = [];
    this.#messagesBytes = 0;
    this.#put(frame);
  }

  #put(frame: string): void {
    if (this.#over) return;
    const bytes = this.#options.format.wrap(frame);
    this.#lastFrameMs = this.#options.clock.monotonicMs();
    if (this.#stream === undefined) {
      this.#options.request.endWithin(IDLE_SECONDS);
      this.#answer(bytes);
      this.finish();
      return;
    }
    this.#bytes += Buffer.byteLength(bytes);
    this.#stream.write(bytes);
    if (this.#bytes >= this.#options.bytesMax) this.finish();
  }

  #answer(body: string | ReadableStream<Uint8Array>): void {
    const { format, headers } = this.#options;
    this.#respond(
      new Response(body, {
        headers: {
          ...headers,
          ...format.headers,
          "Content-Type": format.contentType,
          // nginx would keep a stream's frames back.
          ...(this.#stream === undefined ? undefined : { "X-Accel-Buffering": "no" }),
        },
      }),
    );
  }

  #leave(): void {
    if (this.#over) return;
    this.#over = true;
    this.#owner?.left(this);
  }
}
