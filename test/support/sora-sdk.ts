/** The unmodified `sora-js-sdk` without a browser (sora-push.md §4.3): what it asks of one, by werift. */
import { type RTCDataChannel, RTCPeerConnection, UdpTransport } from "werift";

// The library's sockets have no listener for errors, so that one packet to a peer that has ended would end the process.
const init = UdpTransport.init.bind(UdpTransport);
UdpTransport.init = async (...options) => {
  const transport = await init(...options);
  transport.socket.on("error", () => {});
  return transport;
};

type Handler = ((event: unknown) => void) | null;

/** A channel as browsers have it: events name it, bytes are ArrayBuffers, and messages wait for their handler. */
class BrowserChannel {
  binaryType = "arraybuffer";
  onopen: Handler = null;
  onclose: Handler = null;
  onerror: Handler = null;
  readonly #native: RTCDataChannel;
  readonly #waiting: unknown[] = [];
  #onmessage: Handler = null;

  constructor(native: RTCDataChannel) {
    this.#native = native;
    native.onMessage.subscribe((message) => {
      const data = typeof message === "string" ? message : new Uint8Array(message).buffer;
      const event = { data, currentTarget: this, target: this };
      if (this.#onmessage === null) this.#waiting.push(event);
      else this.#onmessage(event);
    });
    native.stateChange.subscribe((state) => {
      const event = { currentTarget: this, target: this, channel: this };
      if (state === "open") this.onopen?.(event);
      if (state === "closed") this.onclose?.(event);
    });
    // It is open when it is told of.
    queueMicrotask(() => this.onopen?.({ currentTarget: this, target: this, channel: this }));
  }

  get label(): string {
    return this.#native.label;
  }
  get readyState(): string {
    return this.#native.readyState;
  }
  get ordered(): boolean {
    return this.#native.ordered;
  }
  get bufferedAmount(): number {
    return this.#native.bufferedAmount;
  }
  get onmessage(): Handler {
    return this.#onmessage;
  }
  set onmessage(handler: Handler) {
    this.#onmessage = handler;
    for (const event of this.#waiting.splice(0)) handler?.(event);
  }
  send(data: string | ArrayBuffer | Uint8Array): void {
    this.#native.send(typeof data === "string" ? data : Buffer.from(data as Uint8Array));
  }
  close(): void {
    this.#native.close();
  }
}

class BrowserPeerConnection extends RTCPeerConnection {
  constructor() {
    super({
      iceServers: [],
      iceUseIpv6: false,
      maxMessageSize: 262_144,
      iceInterfaceAddresses: { udp4: "127.0.0.1" },
      iceAdditionalHostAddresses: ["127.0.0.1"],
    });
    // The library would hand its own channels to the handler.
    let handler: Handler = null;
    Object.defineProperty(this, "ondatachannel", {
      get: () => undefined,
      set(given: Handler) {
        handler = given;
      },
    });
    this.onDataChannel.subscribe((native) => handler?.({ channel: new BrowserChannel(native) }));
  }

  static generateCertificate(): Promise<object> {
    return Promise.resolve({});
  }
}

/** The library's own takes its values the other way round. */
class Description {
  readonly type: string;
  readonly sdp: string;

  constructor({ type, sdp }: { readonly type: string; readonly sdp: string }) {
    this.type = type;
    this.sdp = sdp;
  }
}

/** Loads it, with what it looks for in place. */
export async function loadSoraSdk() {
  const browser: Record<string, unknown> = globalThis as never;
  browser["window"] = globalThis;
  browser["RTCPeerConnection"] = BrowserPeerConnection;
  browser["RTCSessionDescription"] = Description;
  const { default: Sora } = await import("sora-js-sdk");
  return Sora;
}
