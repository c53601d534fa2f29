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

/** Of one request. Nothing is read before `read`: what its sender is ahead by waits in the kernel. */
export class RequestBody {
  readonly #incoming: IncomingMessage;
  readonly #memory: BodyMemory;
  /** Called before the first byte is read: a sender that waits for leave has it. */
  #invite: (() => void) | undefined;
  readonly #declaredBytes: number | undefined;
  #chunks: Buffer[] = [];
  #bytes = 0;
  #whole: Uint8Array | undefined;
  /** For good: a part of it is lost. */
  #lost: BodyRefusal | undefined;

  constructor(incoming: IncomingMessage, memory: BodyMemory, invite: () => void) {
    const { headers } = incoming;
    this.#incoming = incoming;
    this.#memory = memory;
    this.#invite = invite;
    const chunked = headers["transfer-encoding"] !== undefined;
    this.#declaredBytes = chunked ? undefined : Number(headers["content-length"] ?? 0);
    if (this.#declaredBytes === 0) this.#whole = new Uint8Array();
  }

  /** See `ReadBody`. */
  async read(bytesMax: number): Promise<Uint8Array | BodyRefusal> {
    if (this.#lost !== undefined) return this.#lost;
    if (this.#whole === undefined) {
      if (isCompressed(this.#incoming.headers["content-encoding"])) return "compressed";
      if ((this.#declaredBytes ?? this.#bytes) > bytesMax) return "too_large";
      const refusal = await this.#collect(bytesMax);
      if (refusal !== undefined) return refusal;
    }
    const whole = this.#whole ?? new Uint8Array();
    return whole.length > bytesMax ? "too_large" : whole;
  }

  #collect(bytesMax: number): Promise<BodyRefusal | undefined> {
    const incoming = this.#incoming;
    this.#invite?.();
    this.#invite = undefined;
    return new Promise((resolve) => {
      const done = (refusal?: BodyRefusal) => {
        incoming.off("data", onData).off("end", onEnd).off("error", onCut);
        incoming.pause();
        resolve(refusal);
      };
      const lose = (refusal: BodyRefusal) => {
        this.#lost = refusal;
        done(refusal);
      };
      const onData = (chunk: Buffer) => {
        if (!this.#memory.take(chunk.length)) return lose("busy");
        this.#chunks.push(chunk);
        this.#bytes += chunk.length;
        if (this.#bytes > bytesMax) done("too_large");
      };
      const onEnd = () => {
        this.#whole = join(this.#chunks);
        done();
      };
      const onCut = () => lose("cut");
      incoming.on("data", onData).on("end", onEnd).on("error", onCut);
      incoming.resume();
    });
  }

  /** The request is answered: its memory is another's. */
  release(): void {
    this.#memory.give(this.#bytes);
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

function join(chunks: readonly Buffer[]): Uint8Array {
  return chunks.length === 1 && chunks[0] !== undefined ? chunks[0] : Buffer.concat(chunks);
}
