/** An HTTP answer that streams: where a queued socket writes for as long as its client reads. */
import type { Frame } from "../core/types.ts";
import { AnswerStream, type StreamedRequest } from "./answer-stream.ts";
import type { CarriedSocket, Outlet, StreamOptions } from "./socket.ts";

/** The socket's frames go to this answer from here on, those that wait first. */
export function streamTo(
  socket: CarriedSocket,
  request: StreamedRequest,
  options: StreamOptions,
): Response {
  const stream: AnswerStream = new AnswerStream({
    request,
    onDrain: () => socket.drained(outlet),
    onLeave() {
      socket.detach(outlet);
      options.left();
    },
  });
  const outlet = new HttpStream(stream, options);
  stream.write(options.opening);
  socket.attach(outlet);
  return new Response(stream.body, {
    headers: {
      // A connection whose bound was lifted could idle for ever.
      ...{ "Cache-Control": "no-store", "X-Accel-Buffering": "no", Connection: "close" },
      ...options.headers,
    },
  });
}

class HttpStream implements Outlet {
  readonly #stream: AnswerStream;
  readonly #options: StreamOptions;

  constructor(stream: AnswerStream, options: StreamOptions) {
    this.#stream = stream;
    this.#options = options;
  }

  get bufferedBytes(): number {
    return this.#stream.unsentBytes;
  }

  get writable(): boolean {
    return !this.#stream.over && this.#stream.unsentBytes === 0;
  }

  write(frame: Frame): boolean {
    if (!this.writable) return false;
    this.#stream.write(this.#options.frame(frame));
    return true;
  }

  ping(): void {
    const { ping } = this.#options;
    if (ping !== undefined && this.writable) this.#stream.write(ping);
  }

  close(code: number, reason: string): void {
    this.#stream.write(this.#options.close(code, reason));
    this.#stream.end();
  }

  terminate(): void {
    this.#stream.cut();
  }
}
