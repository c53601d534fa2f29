/** Bodies on `node:http`: read when a handler asks, within its bound and the listener's memory; and the rest of one that nobody asked for. */
import type { IncomingMessage, ServerResponse } from "node:http";
import type { BodyRefusal } from "./request.ts";

/** An unread body up to this is read and dropped behind the answer, and the connection goes on. */
const DROPPED_BYTES_MAX = 65_536;
/** How long a caller that was refused has to read its answer while the rest of its body is dropped. */
const LINGER_MS = 5_000;

/** Bytes that all bodies of a listener may hold at once, from their reading to their answer. */
export class BodyMemory {
  #freeBytes: number;

  constructor(bytesMax: number) {
    this.#freeBytes = bytesMax;
  }

  /** False, and nothing taken, when there is not as much. */
  take(bytes: number): boolean {
    if (bytes > this.#freeBytes) return false;
    this.#freeBytes -= bytes;
    return true;
  }

  give(bytes: number): void {
    this.#freeBytes += bytes;
  }
}

export interface RequestBodyOptions {
  readonly headers: { get(name: string): string | null };
  readonly memory: BodyMemory;
  /** Called before the first byte is read, where the sender waits for leave. */
  readonly invite: (() => void) | undefined;
}

interface Reading {
  readonly bytesMax: number;
  readonly resolve: (body: Uint8Array | BodyRefusal) => void;
}

/** Of one request. Nothing is read before `read`: what its sender is ahead by waits in the kernel. */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  readonly #options: RequestBodyOptions;
  readonly #declaredBytes: number | undefined;
  #invited = false;
  #listens = false;
  #reading: Reading | undefined;
  #dropped = false;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #whole: Uint8Array | undefined;
  /** For good: a part of it is lost. */
  #lost: BodyRefusal | undefined;

  constructor(incoming: IncomingMessage, options: RequestBodyOptions) {
    const { headers } = options;
    this.#incoming = incoming;
    this.#options = options;
    const chunked = headers.get("transfer-encoding") !== null;
    this.#declaredBytes = chunked ? undefined : Number(headers.get("content-length") ?? 0);
    if (this.#declaredBytes === 0) this.#whole = new Uint8Array();
  }

  /** See `ReadBody`. */
  read(bytesMax: number): Promise<Uint8Array | BodyRefusal> {
    const known = this.#lost ?? this.#whole ?? this.#refusal(bytesMax);
    if (known !== undefined) return Promise.resolve(within(bytesMax, known));
    if (!this.#invited) this.#options.invite?.();
    this.#invited = true;
    return new Promise((resolve) => {
      this.#reading = { bytesMax, resolve };
      if (this.#listens) this.#incoming.resume();
      else this.#listen();
    });
  }

  /** Told by the head alone, or by what was read before. */
  #refusal(bytesMax: number): BodyRefusal | undefined {
    if (isCompressed(this.#options.headers.get("content-encoding"))) return "compressed";
    return (this.#declaredBytes ?? this.#bytes) > bytesMax ? "too_large" : undefined;
  }

  /** Once: taking listeners off and putting them on again would cost as much as all the rest. */
  #listen(): void {
    this.#listens = true;
    this.#incoming
      .on("data", (chunk: Buffer) => this.#take(chunk))
      .on("end", () => this.#complete())
      .on("error", () => this.#lose("cut"));
  }

  #take(chunk: Buffer): void {
    if (this.#dropped || this.#lost !== undefined) return;
    if (!this.#options.memory.take(chunk.length)) return this.#lose("busy");
    this.#chunks.push(chunk);
    this.#bytes += chunk.length;
    // All that was announced: the end is behind it, and need not be waited for.
    if (this.#bytes === this.#declaredBytes) this.#complete();
    else if (this.#bytes > (this.#reading?.bytesMax ?? Infinity)) {
      this.#incoming.pause();
      this.#settle("too_large");
    }
  }

  #complete(): void {
    if (this.#dropped || this.#lost !== undefined || this.#whole !== undefined) return;
    this.#whole = join(this.#chunks);
    this.#settle(this.#whole);
  }

  #lose(refusal: BodyRefusal): void {
    if (this.#whole !== undefined) return;
    this.#lost ??= refusal;
    this.#incoming.pause();
    this.#settle(this.#lost);
  }

  #settle(body: Uint8Array | BodyRefusal): void {
    const reading = this.#reading;
    this.#reading = undefined;
    reading?.resolve(within(reading.bytesMax, body));
  }

  /** The request is answered: its memory is another's, and what still comes is dropped. */
  release(): void {
    this.#dropped = true;
    this.#options.memory.give(this.#bytes);
    this.#bytes = 0;
    this.#chunks = [];
  }

  /** Of what was not read, too much to drop before the connection's next request. */
  get leavesMuch(): boolean {
    return this.#whole === undefined && (this.#declaredBytes ?? Infinity) > DROPPED_BYTES_MAX;
  }

  /**
   * Ends an answer whose every byte is written, but behind which much of the body is unread, once that is read and dropped: a
   * connection that is closed before is reset, and its caller may never see the answer. What it returns ends it now.
   */
  linger(outgoing: ServerResponse): () => void {
    const incoming = this.#incoming;
    const end = () => {
      clearTimeout(deadline);
      outgoing.end();
    };
    const cut = () => {
      end();
      incoming.destroy();
    };
    const deadline = setTimeout(cut, LINGER_MS);
    if (this.#lost === "cut") end();
    else incoming.on("end", end).on("error", end).resume();
    return cut;
  }

  /** Drops what little was not read. */
  drop(): void {
    if (this.#whole === undefined) this.#incoming.on("error", () => {}).resume();
  }
}

/** By its `Content-Encoding`. */
export function isCompressed(encoding: string | null | undefined): boolean {
  return (encoding ?? "identity").trim().toLowerCase() !== "identity";
}

function within(bytesMax: number, body: Uint8Array | BodyRefusal): Uint8Array | BodyRefusal {
  return typeof body !== "string" && body.length > bytesMax ? "too_large" : body;
}

function join(chunks: readonly Buffer[]): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}
