/** The far side of a WebRTC peer, by another implementation than the server's: what a browser does with an offer. */
import { type RTCDataChannel, RTCPeerConnection, UdpTransport } from "werift";

export interface TestChannel {
  readonly label: string;
  readonly native: RTCDataChannel;
  send(frame: string | Uint8Array): void;
  /** Messages in order; a binary one is bytes. Rejects when the channel is closed and there are no more. */
  next(): Promise<string | Uint8Array>;
  readonly closed: Promise<void>;
}

export interface TestPeer extends AsyncDisposable {
  readonly native: RTCPeerConnection;
  /** The answer to an offer, with all candidates. */
  answer(offerSdp: string): Promise<string>;
  /** Once the server opened it. */
  channel(label: string): Promise<TestChannel>;
  readonly connected: Promise<void>;
  /** Takes no packets of channels until `resume`, which takes those that came meanwhile. */
  pause(): void;
  resume(): void;
  /** Answers nothing any more, and says no word of it. */
  vanish(): Promise<void>;
  close(): Promise<void>;
}

// The library's sockets have no listener for errors, so that one packet to a server's peer that has ended would end the process.
const init = UdpTransport.init.bind(UdpTransport);
UdpTransport.init = async (...options) => {
  const transport = await init(...options);
  transport.socket.on("error", () => {});
  return transport;
};

export function createTestPeer(): TestPeer {
  const native = new RTCPeerConnection({
    iceServers: [],
    iceUseIpv6: false,
    maxMessageSize: 262_144,
    // Loopback is offered when it is asked for alone.
    iceInterfaceAddresses: { udp4: "127.0.0.1" },
    iceAdditionalHostAddresses: ["127.0.0.1"],
  });
  const channels = new Map<string, PromiseWithResolvers<TestChannel>>();
  const channel = (label: string) => {
    const found = channels.get(label) ?? Promise.withResolvers<TestChannel>();
    channels.set(label, found);
    return found;
  };
  native.onDataChannel.subscribe((opened) => channel(opened.label).resolve(wrap(opened)));
  const connected = new Promise<void>((resolve) => {
    native.connectionStateChange.subscribe((state) => state === "connected" && resolve());
  });
  const close = () => native.close();
  const held: Buffer[] = [];
  let take: ((packet: Buffer) => void) | undefined;
  return {
    native,
    connected,
    async answer(offerSdp) {
      await native.setRemoteDescription({ type: "offer", sdp: offerSdp });
      await native.setLocalDescription(await native.createAnswer());
      return native.localDescription?.sdp ?? "";
    },
    channel: (label) => channel(label).promise,
    pause() {
      const dtls = native.sctpTransport?.dtlsTransport;
      if (dtls === undefined || take !== undefined) return;
      take = dtls.dataReceiver;
      dtls.dataReceiver = (packet) => void held.push(packet);
    },
    resume() {
      const dtls = native.sctpTransport?.dtlsTransport;
      if (dtls === undefined || take === undefined) return;
      dtls.dataReceiver = take;
      for (const packet of held.splice(0)) take(packet);
      take = undefined;
    },
    async vanish() {
      await Promise.all(native.iceTransports.map(({ connection }) => connection.close()));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function wrap(native: RTCDataChannel): TestChannel {
  const messages: (string | Uint8Array)[] = [];
  const takers: PromiseWithResolvers<string | Uint8Array>[] = [];
  native.onMessage.subscribe((message) => {
    const taker = takers.shift();
    if (taker === undefined) messages.push(message);
    else taker.resolve(message);
  });
  const closed = new Promise<void>((resolve) => {
    native.stateChange.subscribe((state) => state === "closed" && resolve());
  });
  void closed.then(() => {
    for (const { reject } of takers.splice(0)) reject(new Error("The channel is closed"));
  });
  return {
    label: native.label,
    native,
    closed,
    send(frame) {
      if (frame.length === 0) sendEmpty(native, frame);
      else native.send(typeof frame === "string" ? frame : Buffer.from(frame));
    },
    next() {
      const message = messages.shift();
      if (message !== undefined) return Promise.resolve(message);
      if (native.readyState === "closed") return Promise.reject(new Error("The channel is closed"));
      const taker = Promise.withResolvers<string | Uint8Array>();
      takers.push(taker);
      return taker.promise;
    },
  };
}

/** RFC 8831 §6.6: a message without a byte is one byte that does not count. This library would send none, which SCTP forbids. */
function sendEmpty({ sctp, id }: RTCDataChannel, frame: string | Uint8Array): void {
  const [text, binary] = [56, 57];
  void sctp.sctp.send(id, typeof frame === "string" ? text : binary, Buffer.from([0]));
}
