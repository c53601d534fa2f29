/** One call on Bun's own server. What is not read of its body Bun drops behind the answer, however much it is. */
import type { ApiCall } from "./api-call.ts";
import type { CallTarget } from "./call-target.ts";
import { isCompressed, type BodyMemory } from "./request-body.ts";
import { REQUEST_TIMEOUT_MS, TIMEOUT_CHECK_MS } from "./api-listener.ts";
import type { Timer, Timers } from "../core/runtime.ts";
import type { BodyRefusal, Mount } from "./request.ts";

/** Looks at a body that is yet to arrive, until it has had its time. */
const CHECKS_MAX = REQUEST_TIMEOUT_MS / TIMEOUT_CHECK_MS;

/** Calls whose bodies are yet to arrive: Bun's time-outs begin anew with every byte, so that one that trickles would never end. */
export class Arrivals {
  readonly #timers: Timers;
  readonly #calls = new Set<BunCall>();
  #check: Timer | undefined;

  constructor(timers: Timers) {
    this.#timers = timers;
  }

  add(call: BunCall): void {
    this.#calls.add(call);
    this.#check ??= this.#timers.after(TIMEOUT_CHECK_MS, () => this.#look());
  }

  delete(call: BunCall): void {
    this.#calls.delete(call);
  }

  /** In the next turn of the event loop. */
  soon(callback: () => void): void {
    this.#timers.soon(callback);
  }

  close(): void {
    this.#check?.cancel();
  }

  #look(): void {
    this.#check = undefined;
    for (const call of this.#calls) if (++call.checks > CHECKS_MAX) call.cut();
    if (this.#calls.size > 0) {
      this.#check = this.#timers.after(TIMEOUT_CHECK_MS, () => this.#look());
    }
  }
}

/** What the calls of one listener share. */
export interface BunCalls {
  readonly memory: BodyMemory;
  readonly arrivals: Arrivals;
}

/** Bytes that Bun puts together in one go: a millisecond for each. */
export const WHOLE_BYTES_MAX = 1_048_576;

const NO_BODY = new Uint8Array();

export class BunCall implements ApiCall {
  readonly method: string;
  readonly path: string;
  readonly mount: Mount;
  readonly headers: Headers;
  /** How often it was found waiting for its body. */
  checks = 0;
  readonly #request: Request;
  readonly #search: string;
  readonly #calls: BunCalls;
  #takenBytes = 0;
  #whole: Uint8Array | undefined;
  #reader: Pick<ReadableStreamDefaultReader<Uint8Array>, "read" | "cancel"> | undefined;
  #chunks: Uint8Array[] = [];
  /** For good: a part of the body is lost. */
  #lost: BodyRefusal | undefined;
  #settle: ((body: BodyRefusal) => void) | undefined;

  constructor(request: Request, target: CallTarget, calls: BunCalls) {
    this.method = request.method;
    this.path = target.path;
    this.mount = target.mount;
    this.headers = request.headers;
    this.#request = request;
    this.#search = target.search;
    this.#calls = calls;
  }

  get url(): string {
    return `http://localhost${this.path}${this.#search}`;
  }

  toRequest(): Request {
    return new Request(this.url, { method: this.method, headers: this.headers });
  }

  onLeave(callback: () => void): void {
    const { signal } = this.#request;
    if (signal.aborted) queueMicrotask(callback);
    else signal.addEventListener("abort", callback, { once: true });
  }

  /** Whether what comes behind the answer could be the rest of a body. */
  get isCut(): boolean {
    return this.#lost === "cut";
  }

  readBody(bytesMax: number): Promise<Uint8Array | BodyRefusal> {
    const { headers, method } = this;
    if (this.#lost !== undefined) return Promise.resolve(this.#lost);
    if (this.#whole !== undefined) return Promise.resolve(within(bytesMax, this.#whole));
    const chunked = headers.has("transfer-encoding");
    const declaredBytes = chunked ? this.#takenBytes : Number(headers.get("content-length") ?? 0);
    if (declaredBytes === 0 && !chunked) return Promise.resolve(NO_BODY);
    if (isCompressed(headers.get("content-encoding"))) return Promise.resolve("compressed");
    if (declaredBytes > bytesMax) return Promise.resolve("too_large");
    if (method === "GET" || method === "HEAD") return Promise.resolve(NO_BODY);
    if (!chunked && !this.#take(declaredBytes)) return Promise.resolve("busy");
    return new Promise((resolve) => {
      const settle = (body: Uint8Array | BodyRefusal): void => {
        this.#calls.arrivals.delete(this);
        if (typeof body !== "string") this.#whole = body;
        resolve(typeof body === "string" ? body : within(bytesMax, body));
      };
      this.#settle = settle;
      this.#calls.arrivals.add(this);
      // It fails when the caller leaves.
      this.#read(bytesMax, chunked ? undefined : declaredBytes).then(settle, () => this.cut());
    });
  }

  /** The rest of the body is not waited for. */
  cut(): void {
    this.#lost ??= "cut";
    this.#settle?.(this.#lost);
  }

  /** The call is answered: its memory is another's. */
  release(): void {
    this.#calls.memory.give(this.#takenBytes);
    this.#takenBytes = 0;
    this.#chunks = [];
    this.#reader?.cancel().catch(() => {});
  }

  #take(bytes: number): boolean {
    if (!this.#calls.memory.take(bytes)) return false;
    this.#takenBytes += bytes;
    return true;
  }

  #read(bytesMax: number, declaredBytes: number | undefined): Promise<Uint8Array | BodyRefusal> {
    if (declaredBytes === undefined) return this.#collect(bytesMax);
    return declaredBytes > WHOLE_BYTES_MAX ? this.#fill(declaredBytes) : this.#request.bytes();
  }

  /** Chunk by chunk into its place, one in each turn of the event loop: Bun hands over up to 5 MB in one, and would join all of them in another. */
  async #fill(bytes: number): Promise<Uint8Array | BodyRefusal> {
    const whole = new Uint8Array(bytes);
    const reader = (this.#reader ??= this.#request.body?.getReader());
    for (let at = 0; ;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || value === undefined) return at === bytes ? whole : (this.#lost = "cut");
      whole.set(value, at);
      at += value.length;
      await new Promise<void>((resolve) => this.#calls.arrivals.soon(resolve));
    }
  }

  /** Chunk by chunk, for its length is known at the end alone. */
  async #collect(bytesMax: number): Promise<Uint8Array | BodyRefusal> {
    const reader = (this.#reader ??= this.#request.body?.getReader());
    for (;;) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done || value === undefined) return Buffer.concat(this.#chunks);
      if (!this.#take(value.length)) return (this.#lost = "busy");
      this.#chunks.push(value);
      if (this.#takenBytes > bytesMax) return "too_large";
    }
  }
}

function within(bytesMax: number, body: Uint8Array): Uint8Array | BodyRefusal {
  return body.length > bytesMax ? "too_large" : body;
}
