/** A WebSocket over the browser's WebSocketStream: the one that can stop reading, so that what the server sends waits on its side. */

interface NativeStream {
  readonly opened: Promise<{
    readonly readable: ReadableStream<string | ArrayBuffer>;
    readonly writable: WritableStream<unknown>;
    readonly protocol: string;
    readonly extensions: string;
  }>;
  readonly closed: Promise<CloseInfo>;
  close(info?: Partial<CloseInfo>): void;
}

/** A WebSocketError has these, too. */
interface CloseInfo {
  readonly closeCode: number;
  readonly reason: string;
}

type StreamConstructor = new (url: URL, options: { protocols: readonly string[] }) => NativeStream;

const { WebSocketStream: Native } = globalThis as { WebSocketStream?: StreamConstructor };

/** Where the browser has no WebSocketStream (as of 2026 all but Chromium), its plain WebSocket is what there is. */
export const canStopReading = Native !== undefined;

/** RFC 6455 §7.1.5: there was no close frame. */
const ABNORMAL = 1006;

const HANDLERS = ["open", "message", "error", "close"] as const;

export class StreamSocket extends EventTarget {
  static readonly CONNECTING = 0;
  static readonly OPEN = 1;
  static readonly CLOSING = 2;
  static readonly CLOSED = 3;
  readonly CONNECTING = 0;
  readonly OPEN = 1;
  readonly CLOSING = 2;
  readonly CLOSED = 3;
  readonly url: string;
  readyState = 0;
  protocol = "";
  extensions = "";
  binaryType: BinaryType = "blob";
  onopen: ((event: Event) => unknown) | null = null;
  onmessage: ((event: MessageEvent) => unknown) | null = null;
  onerror: ((event: Event) => unknown) | null = null;
  onclose: ((event: CloseEvent) => unknown) | null = null;
  readonly #stream: NativeStream;
  #writer: WritableStreamDefaultWriter<unknown> | undefined;
  #reading = Promise.withResolvers<void>();

  constructor(address: string | URL, protocols: string | readonly string[] = []) {
    super();
    if (Native === undefined) throw new Error("The browser has no WebSocketStream");
    const url = new URL(address, document.baseURI);
    url.protocol = url.protocol.replace("http", "ws");
    this.url = url.href;
    this.#stream = new Native(url, { protocols: [protocols].flat() });
    this.#reading.resolve();
    // Behind the listeners of whoever made it, who may keep an event from its client.
    queueMicrotask(() => {
      for (const type of HANDLERS) {
        this.addEventListener(type, (event) => this[`on${type}`]?.(event as never));
      }
    });
    void this.#run();
  }

  send(data: unknown): void {
    if (this.readyState === this.CONNECTING) throw new DOMException("", "InvalidStateError");
    // What cannot be written any more is told by the connection's end.
    if (this.readyState === this.OPEN) this.#writer?.write(data).catch(() => {});
  }

  close(closeCode?: number, reason?: string): void {
    if (this.readyState >= this.CLOSING) return;
    this.readyState = this.CLOSING;
    // The server's answer stands behind what was not read.
    this.read(true);
    this.#stream.close({
      ...(closeCode === undefined ? {} : { closeCode }),
      ...(reason === undefined ? {} : { reason }),
    });
  }

  /** False: nothing is read from the connection until true; a frame may have been read ahead, and waits. */
  read(reading: boolean): void {
    this.#reading.resolve();
    if (!reading && this.readyState < this.CLOSING) this.#reading = Promise.withResolvers();
  }

  async #run(): Promise<void> {
    try {
      const { readable, writable, protocol, extensions } = await this.#stream.opened;
      Object.assign(this, { protocol, extensions });
      this.#writer = writable.getWriter();
      if (this.readyState === this.CONNECTING) {
        this.readyState = this.OPEN;
        this.dispatchEvent(new Event("open"));
      }
      await this.#readAll(readable.getReader());
      this.#end(await this.#stream.closed, true);
    } catch (error) {
      const { closeCode, reason = "" } = error as Partial<CloseInfo>;
      this.readyState = this.CLOSED;
      // One that was open and broke is no error, only an end that is not clean.
      if (this.#writer === undefined) this.dispatchEvent(new Event("error"));
      // Without one where it never opened.
      this.#end({ closeCode: closeCode || ABNORMAL, reason }, false);
    }
  }

  async #readAll(reader: ReadableStreamDefaultReader<string | ArrayBuffer>): Promise<void> {
    for (;;) {
      const { value, done } = await reader.read();
      await this.#reading.promise;
      if (done) return;
      if (this.readyState !== this.OPEN) continue;
      const isBlob = typeof value !== "string" && this.binaryType === "blob";
      const data = isBlob ? new Blob([value]) : value;
      this.dispatchEvent(new MessageEvent("message", { data, origin: new URL(this.url).origin }));
    }
  }

  #end({ closeCode: code, reason }: CloseInfo, wasClean: boolean): void {
    this.readyState = this.CLOSED;
    this.dispatchEvent(new CloseEvent("close", { code, reason, wasClean }));
  }
}
