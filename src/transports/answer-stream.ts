/** The bytes of an HTTP answer that streams: what is written at once is a chunk of its own, and goes out at once. */

/** Seconds that the last bytes may take, and the least that Bun can be told. */
const END_SECONDS = 5;
const CUT_SECONDS = 1;

/** What the listener knows of the request that is answered. */
export interface StreamedRequest {
  readonly onLeave: (callback: () => void) => void;
  /** Cuts the connection when the answer takes longer from now on, whether or not its client reads. 0: no bound. */
  readonly endWithin: (seconds: number) => void;
}

export interface AnswerStreamOptions {
  readonly request: StreamedRequest;
  /** It takes bytes again. */
  readonly onDrain: () => void;
  /** The client left before the end. */
  readonly onLeave: () => void;
}

export class AnswerStream {
  readonly body: ReadableStream<Uint8Array>;
  readonly #request: StreamedRequest;
  readonly #onDrain: () => void;
  readonly #finished = Promise.withResolvers<void>();
  #controller: ReadableStreamDirectController | undefined;
  /** Written before Bun asked for the answer's bytes; undefined: it has. */
  #early: (string | Uint8Array)[] | undefined = [];
  #unsentBytes = 0;
  #over = false;

  constructor({ request, onDrain, onLeave }: AnswerStreamOptions) {
    this.#request = request;
    this.#onDrain = onDrain;
    this.body = new ReadableStream<Uint8Array>({
      type: "direct",
      pull: (controller) => this.#start(controller),
    });
    request.endWithin(0);
    request.onLeave(() => {
      this.#finished.resolve();
      if (this.#over) return;
      this.#over = true;
      onLeave();
    });
  }

  /** Nothing more is taken. */
  get over(): boolean {
    return this.#over;
  }

  /** Bytes that wait for a peer that is behind. */
  get unsentBytes(): number {
    return this.#unsentBytes;
  }

  /** Taken, also of a peer that is behind; see `unsentBytes`. */
  write(bytes: string | Uint8Array): void {
    if (this.#over || bytes.length === 0) return;
    if (this.#early === undefined) this.#put(bytes);
    else this.#early.push(bytes);
  }

  /** What was written goes out first. The connection lives on for the client's next request. */
  end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#request.endWithin(END_SECONDS);
    if (this.#early === undefined && this.#unsentBytes === 0) this.#close();
  }

  /** Drops what the peer has not taken, and the connection. */
  cut(): void {
    if (this.#over) return;
    this.#over = true;
    this.#early = undefined;
    this.#request.endWithin(CUT_SECONDS);
    // Without a reason, which Bun would print.
    this.#finished.reject();
  }

  #start(controller: ReadableStreamDirectController): Promise<void> {
    this.#controller = controller;
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const bytes of early) this.#put(bytes);
    if (this.#over && this.#unsentBytes === 0) this.#close();
    return this.#finished.promise;
  }

  #close(): void {
    this.#controller?.close();
    this.#controller = undefined;
    this.#finished.resolve();
  }

  #put(bytes: string | Uint8Array): void {
    // A promise once the kernel takes no more: what was written is Bun's to keep, until then.
    const taken = this.#controller?.write(bytes);
    void this.#controller?.flush();
    if (!(taken instanceof Promise)) return;
    const unsent = typeof bytes === "string" ? Buffer.byteLength(bytes) : bytes.length;
    this.#unsentBytes += unsent;
    const drained = () => {
      this.#unsentBytes -= unsent;
      if (this.#unsentBytes > 0) return;
      if (this.#over) this.#close();
      else this.#onDrain();
    };
    taken.then(drained, drained);
  }
}
