/** WebRTC peers as a test plays them: what the contract promises (src/transports/data-channels.ts), without a network. */
import type { Frame } from "../../src/core/types.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import { LocalGroups } from "../../src/transports/local-groups.ts";
import type {
  Peer,
  PeerCandidate,
  PeerChannelOptions,
  PeerEnd,
  PeerEvents,
  Peers,
} from "../../src/transports/data-channels.ts";
import { QueuedSocket } from "../../src/transports/queued-socket.ts";
import type { Outlet } from "../../src/transports/socket.ts";

/** What a client of these peers answers. */
export const ANSWER = "v=0\r\nscripted answer\r\n";
export const OFFER = "v=0\r\nscripted offer\r\n";

export class ScriptedPeers implements Peers {
  /** All that were made, in order. */
  readonly all: ScriptedPeer[] = [];
  /** An answer connects and opens a peer; otherwise the test does. */
  connects = true;
  /** No further one is to be had. */
  full = false;
  readonly bugs: unknown[] = [];
  readonly groups = new LocalGroups();
  readonly runtime: Runtime;

  constructor(runtime: Runtime) {
    this.runtime = runtime;
  }

  get open(): number {
    return this.all.filter(({ over }) => !over).length;
  }

  async offer(
    channels: readonly PeerChannelOptions[],
    events: PeerEvents,
  ): Promise<Peer | undefined> {
    if (this.full) return undefined;
    const peer = new ScriptedPeer(this, channels, events);
    this.all.push(peer);
    return peer;
  }

  get stats() {
    const none = { connected: 0, channels: 0, offered: 0, refused: 0, failed: 0, oversized: 0 };
    return { ...none, peers: this.open };
  }

  shutdown(): void {
    this.groups.shutdown();
  }

  async close(): Promise<void> {
    for (const peer of this.all) peer.end("closed");
  }
}

export class ScriptedPeer implements Peer {
  readonly offer = OFFER;
  readonly channels = new Map<string, ScriptedChannel>();
  readonly candidates: PeerCandidate[] = [];
  answers = 0;
  over = false;
  /** Of frames on its DataChannels. */
  messageBytesMax = 262_144;
  readonly #peers: ScriptedPeers;
  readonly #options: readonly PeerChannelOptions[];
  readonly #events: PeerEvents;

  constructor(peers: ScriptedPeers, options: readonly PeerChannelOptions[], events: PeerEvents) {
    this.#peers = peers;
    this.#options = options;
    this.#events = events;
  }

  get labels(): readonly string[] {
    return this.#options.map(({ label }) => label);
  }

  optionsOf(label: string): PeerChannelOptions | undefined {
    return this.#options.find((options) => options.label === label);
  }

  channel(label: string): ScriptedChannel {
    const channel = this.channels.get(label);
    if (channel === undefined) throw new Error(`No channel "${label}"`);
    return channel;
  }

  async answer(sdp: string): Promise<boolean> {
    if (sdp !== ANSWER) return false;
    this.answers += 1;
    if (this.#peers.connects && this.answers === 1) {
      queueMicrotask(() => {
        this.connect();
        this.openChannels();
      });
    }
    return true;
  }

  connect(): void {
    if (!this.over) this.#events.connected();
  }

  openChannels(): void {
    if (this.over) return;
    for (const options of this.#options) {
      const channel = new ScriptedChannel(this.#peers, this, options);
      this.channels.set(options.label, channel);
      channel.open();
    }
    this.#events.opened();
  }

  addCandidate(candidate: PeerCandidate): boolean {
    this.candidates.push(candidate);
    return candidate.candidate === "" || candidate.candidate.startsWith("candidate:");
  }

  async reoffer(): Promise<string> {
    return `${OFFER}again\r\n`;
  }

  close(): void {
    this.end("closed");
  }

  terminate(): void {
    this.end("closed");
  }

  /** However it ends. */
  end(end: PeerEnd): void {
    if (this.over) return;
    this.over = true;
    for (const channel of this.channels.values()) channel.end(end === "closed" ? 1000 : 1006);
    this.#events.ended(end);
  }
}

export class ScriptedChannel {
  readonly socket: QueuedSocket;
  /** False: the client takes nothing. */
  takes = true;
  closed = false;
  readonly #frames: Frame[] = [];
  readonly #options: PeerChannelOptions;
  readonly #outlet: Outlet;
  #heard = () => {};

  constructor(peers: ScriptedPeers, peer: ScriptedPeer, options: PeerChannelOptions) {
    const { runtime, groups, bugs } = peers;
    const stats = { opened: 0, received: 0, sent: 0, lagging: 0, slow: 0, failed: 0 };
    this.#options = options;
    this.socket = new QueuedSocket({
      context: {
        ...{ clock: runtime.clock, timers: runtime.timers, groups, stats },
        onBug: (error) => void bugs.push(error),
      },
      transport: "webrtc",
      opening: options.opening,
    });
    const write = (frame: Frame): boolean => {
      if (!this.takes) return false;
      if (Buffer.byteLength(frame) > peer.messageBytesMax) options.oversized?.(frame);
      else this.#frames.push(frame);
      this.#heard();
      return true;
    };
    const takes = (): boolean => this.takes;
    this.#outlet = {
      ...{ bufferedBytes: 0, write, ping() {} },
      get writable() {
        return takes();
      },
      close: () => this.socket.ended(1000, ""),
      terminate: () => {},
    };
  }

  get label(): string {
    return this.#options.label;
  }

  /** Frames that no `next` took. */
  get unread(): readonly Frame[] {
    return this.#frames;
  }

  open(): void {
    this.socket.open();
    this.socket.attach(this.#outlet);
  }

  /** From the client. */
  send(frame: Frame): void {
    this.socket.received(frame);
  }

  async next(): Promise<Frame> {
    while (this.#frames.length === 0) await new Promise<void>((resolve) => (this.#heard = resolve));
    return this.#frames.shift() ?? "";
  }

  end(code: number): void {
    this.closed = true;
    this.socket.ended(code, "");
  }
}
