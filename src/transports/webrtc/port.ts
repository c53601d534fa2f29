/**
 * The one UDP port of a process's peers, which ICE tells apart by their user names (the library's "mux"). A peer of its own, whom nobody
 * ever answers, holds it open and knows its candidates; so an offer costs the library nothing, and what comes for a peer that is not
 * answered yet finds nobody.
 */
import { createSocket } from "node:dgram";
import { once } from "node:events";
import type { WebrtcSettings } from "../../config/webrtc.ts";
import type { Timers } from "../../core/runtime.ts";
import { createCertificate } from "./certificate.ts";
import type { Library, NativePeer } from "./library.ts";

/** Time for its candidates: a STUN server that does not answer would hold up the offers. */
const GATHER_MS = 3000;
/** Another process may take a port that was free a moment ago. */
const ATTEMPTS_MAX = 5;

export interface Port {
  /** What every offer looks like, but for who makes it: all candidates, and the fingerprint of the certificate that its peers have. */
  readonly sdp: string;
  /** Throws when the library cannot open one. */
  createPeer(): NativePeer;
  /** Resolves once the library has let go of it. */
  close(): Promise<void>;
}

export interface PortOptions {
  readonly library: Library;
  readonly settings: WebrtcSettings;
  readonly timers: Timers;
  /** It failed, and its peers with it; it is closed. */
  readonly onLost: () => void;
}

/** Rejects when no port is free. */
export async function openPort(options: PortOptions): Promise<Port> {
  const { settings } = options;
  const { port_min: first, port_max: last } = settings;
  for (let attempt = 1; ; attempt += 1) {
    const chosen = last === 0 ? await freePort(settings.host) : undefined;
    try {
      return await open(options, chosen ?? first, chosen ?? last);
    } catch (error) {
      if (chosen === undefined || attempt === ATTEMPTS_MAX) throw error;
    }
  }
}

/** The library would share any port that this process has, if it were not told which. */
async function freePort(host: string): Promise<number> {
  const socket = createSocket(host.includes(":") ? "udp6" : "udp4");
  socket.bind(0, host);
  await once(socket, "listening");
  const { port } = socket.address();
  const closed = once(socket, "close");
  socket.close();
  await closed;
  return port;
}

async function open(
  { library, settings, timers, onLost }: PortOptions,
  portRangeBegin: number,
  portRangeEnd: number,
): Promise<Port> {
  const { pem: certificatePemFile, keyPem: keyPemFile } = createCertificate();
  const { host: bindAddress, stun_server: stun, message_size_limit: messageBytesMax } = settings;
  const common = {
    ...{ bindAddress, enableIceUdpMux: true, certificatePemFile, keyPemFile },
    // A larger message arrives cut to this size, and is refused as too large.
    maxMessageSize: messageBytesMax + 1,
  };
  const holder = library.createPeer({
    ...{ ...common, portRangeBegin, portRangeEnd },
    iceServers: stun === undefined ? [] : [`stun:${stun}`],
  });
  const closed = Promise.withResolvers<void>();
  const gathered = Promise.withResolvers<void>();
  holder.onStateChange((state) => {
    if (state === "closed") closed.resolve();
    else if (state === "failed") onLost();
  });
  holder.onGatheringStateChange((state) => state === "complete" && gathered.resolve());
  try {
    // It makes the library offer, within a call whose failure it reports; `setLocalDescription` would end the process.
    holder.createDataChannel("");
  } catch (error) {
    holder.close();
    throw error;
  }
  const late = timers.after(GATHER_MS, () => gathered.resolve());
  await gathered.promise;
  late.cancel();
  const sdp = holder.localDescription()?.sdp ?? "";
  const port = Number(/^m=application (\d+)/m.exec(sdp)?.[1]);
  return {
    sdp,
    createPeer: () =>
      library.createPeer({
        ...{ ...common, portRangeBegin: port, portRangeEnd: port },
        ...{ iceServers: [], disableAutoNegotiation: true },
      }),
    close() {
      holder.close();
      return closed.promise;
    },
  };
}
