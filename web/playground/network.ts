/** Puts wires between the browser's sockets and whoever makes them: the clients find the globals that they expect. */
import { canStopReading, StreamSocket } from "./stream-socket.ts";
import type { Wire } from "./wire.ts";

export interface NetworkOptions {
  /** By the address of a WebSocket. */
  readonly wireAt: (url: URL) => Wire | undefined;
  /** Of WebRTC's peers. */
  readonly peerWire: () => Wire | undefined;
}

/** Once, before any client is loaded. */
export function tapNetwork({ wireAt, peerWire }: NetworkOptions): void {
  const Base = canStopReading ? (StreamSocket as unknown as typeof WebSocket) : WebSocket;
  globalThis.WebSocket = class extends Base {
    readonly #wire: Wire | undefined;

    constructor(address: string | URL, protocols?: string | string[]) {
      super(address, protocols);
      this.#wire = wireAt(new URL(address, document.baseURI));
      // Closed before it opened: the browser tells the client that it failed.
      if (this.#wire?.isCut === true) super.close();
      else {
        const read = this instanceof StreamSocket ? (on: boolean) => this.read(on) : undefined;
        this.#wire?.watch(this, { close: () => super.close(), read });
      }
    }

    override send(data: Parameters<WebSocket["send"]>[0]): void {
      this.#wire?.sent(data);
      super.send(data);
    }

    override close(code?: number, reason?: string): void {
      this.#wire?.left(this);
      super.close(code, reason);
    }
  };

  globalThis.RTCPeerConnection = class extends RTCPeerConnection {
    constructor(configuration?: RTCConfiguration) {
      super(configuration);
      this.addEventListener("datachannel", ({ channel }) => {
        const wire = peerWire();
        wire?.watch(channel, { close: () => this.close(), label: channel.label });
        const send = channel.send.bind(channel) as (data: unknown) => void;
        channel.send = (data: unknown) => {
          wire?.sent(data, channel.label);
          send(data);
        };
      });
    }
  };
}
