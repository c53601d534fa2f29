/** An HTTP answer that streams: where a queued socket writes for as long as its client reads. */
import type { Frame } from "../core/types.ts";
import type { CarriedSocket, Outlet, StreamOptions } from "./socket.ts";

/** Bytes that an answer takes before its socket keeps the rest: enough for one write, since they count for no bound once they are Bun's. */
const TAKEN_BYTES = 16_384;
/** Seconds that the last bytes may take, and the least that Bun can be told. */
const END_SECONDS = 5;
const CUT_SECONDS = 1;

/** What the listener knows of the request that is answered. */
export interface StreamedRequest {
  readonly onLeave: (callback: () => void) => void;
  /** Cuts the connection when the answer takes longer from now on, whether or not its client reads. 0: no bound. */
  readonly endWithin: (seconds: number) => void;
}

/** The socket's frames go to this answer from here on, those that wait first. */
export function streamTo(
  socket: CarriedSocket,
  request: StreamedRequest,
  options: StreamOptions,
): Response {
  const stream = new HttpStream(request, options);
  request.endWithin(0);
  request.onLeave(() => {
    if (stream.over) return;
    stream.over = true;
    socket.detach(stream);
    options.left();
  });
  const source = {
    start: (controller: ReadableStreamDefaultController<Uint8Array>) => stream.start(controller),
    pull: () => socket.drained(stream),
  };
  const body = new ReadableStream<Uint8Array>(
    source,
    new ByteLengthQueuingStrategy({ highWaterMark: TAKEN_BYTES }),
  );
  socket.attach(stream);
  return new Response(body, {
    headers: {
      // A connection whose bound was lifted could idle for ever.
      ...{ "Cache-Control": "no-store", "X-Accel-Buffering": "no", Connection: "close" },
      ...options.headers,
    },
  });
}

class HttpStream implements Outlet {
  over = false;
  readonly #request: StreamedRequest;
  readonly #options: StreamOptions;
  #controller: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(request: StreamedRequest, options: StreamOptions) {
    this.#request = request;
    this.#options = options;
  }

  start(controller: ReadableStreamDefaultController<Uint8Array>): void {
    this.#controller = controller;
    this.#enqueue(this.#options.opening);
  }

  get bufferedBytes(): number {
    return this.over ? 0 : TAKEN_BYTES - this.#room;
  }

  write(frame: Frame): boolean {
    if (this.#room <= 0) return false;
    this.#enqueue(this.#options.frame(frame));
    return true;
  }

  ping(): void {
    const { ping } = this.#options;
    if (ping !== undefined && this.#room > 0) this.#enqueue(ping);
  }

  close(code: number, reason: string): void {
    if (this.over) return;
    this.#enqueue(this.#options.close(code, reason));
    this.over = true;
    this.#controller?.close();
    this.#request.endWithin(END_SECONDS);
  }

  terminate(): void {
    if (this.over) return;
    this.over = true;
    // Resets the connection once the peer reads; without a reason, which Bun would print.
    this.#controller?.error();
    this.#request.endWithin(CUT_SECONDS);
  }

  get #room(): number {
    return this.over ? 0 : (this.#controller?.desiredSize ?? 0);
  }

  #enqueue(text: string | Uint8Array): void {
    const bytes = typeof text === "string" ? Buffer.from(text) : text;
    if (!this.over && bytes.length > 0) this.#controller?.enqueue(bytes);
  }
}
