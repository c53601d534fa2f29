/** One peer, from its offer to the end of its connection: the library's events in, the dialect's events out. */
import type { Timer, Timers } from "../../core/runtime.ts";
import type {
  Peer,
  PeerCandidate,
  PeerChannelOptions,
  PeerEnd,
  PeerEvents,
} from "../data-channels.ts";
import { CLOSE_MS, type QueuedContext } from "../queued-socket.ts";
import { Channel, type ChannelOwner } from "./channel.ts";
import { answerOf, candidateOf, CANDIDATES_MAX, offerOf } from "./descriptions.ts";
import type { Guard, NativeChannel, NativePeer } from "./library.ts";

/** Time for the client to see its channels closed and close its side, before the connection is closed under it. */
const LINGER_MS = 1000;
/** Time for the server's own candidates: a STUN server that does not answer would hold up the offer. */
const GATHER_MS = 3000;
/** Channels that a client may open itself and see closed at once: it has no reason to (sora-push.md §3.1). */
const FOREIGN_CHANNELS_MAX = 16;
/** Of a channel that nobody sees: without any there is no section in the offer, and no connection (§4.1). */
const KEEPING_STREAM = 1022;
/** The one section's, in what the library offers. */
const MID = "0";

/** What one process's peers share. */
export interface PeersShared {
  readonly context: QueuedContext;
  readonly messageBytesMax: number;
  readonly advertisedAddresses: readonly string[];
  readonly connectTimeoutMs: number;
  readonly onOversized: () => void;
}

interface PeerParts {
  readonly shared: PeersShared;
  readonly native: NativePeer;
  readonly channels: readonly PeerChannelOptions[];
  readonly events: PeerEvents;
  /** Runs once, before `events.ended`. */
  readonly onEnd: (end: PeerEnd) => void;
}

export class PeerConnection implements Peer, ChannelOwner {
  offer = "";
  /** Undefined: it ended before its candidates were gathered. */
  readonly gathered: Promise<this | undefined>;
  readonly oversized: () => void;
  readonly #parts: PeerParts;
  readonly #native: NativePeer;
  readonly #timers: Timers;
  readonly #channels: Channel[] = [];
  readonly #candidates: string[] = [];
  readonly #connecting: Timer;
  #gathering: Timer | undefined;
  #closing: Timer | undefined;
  #onGathered: (peer: this | undefined) => void = () => {};
  /** What is to be answered next; undefined: nothing. */
  #awaited: "offer" | "reoffer" | undefined = "offer";
  /** Of the answer that was taken. */
  #ufrag: string | undefined;
  #offers = 0;
  #candidatesTaken = 0;
  #foreign = 0;
  /** Channels that no session has: the library closes what is collected as garbage. */
  readonly #kept = new Set<NativeChannel>();
  #connected = false;
  #told: "connected" | "opened" | undefined;
  /** Why it is being closed. */
  #end: PeerEnd | undefined;
  #over = false;

  readonly #guard: Guard =
    (callback) =>
    (...args) => {
      try {
        callback(...args);
      } catch (error) {
        this.#parts.shared.context.onBug(error, "webrtc peer");
        this.#stop("bug");
      }
    };

  /** Throws when the library cannot open one: no port is free, no file descriptor left, no such address. */
  constructor(parts: PeerParts) {
    this.#parts = parts;
    this.#native = parts.native;
    const { shared, native } = parts;
    this.#timers = shared.context.timers;
    this.oversized = shared.onOversized;
    this.gathered = new Promise((resolve) => (this.#onGathered = resolve));
    const guard = this.#guard;
    native.onStateChange(guard((state) => this.#changed(state)));
    native.onGatheringStateChange(guard((state) => state === "complete" && this.#gathered()));
    native.onDataChannel(guard((channel) => this.#foreignChannel(channel)));
    this.#connecting = this.#timers.after(shared.connectTimeoutMs, () => this.#stop("timeout"));
    try {
      this.#createChannels();
    } catch (error) {
      this.#connecting.cancel();
      this.#over = true;
      native.close();
      throw error;
    }
    this.#gathering = this.#timers.after(GATHER_MS, () => this.#gathered());
  }

  get connected(): boolean {
    return this.#connected;
  }

  // The dialect calls these.

  async answer(sdp: string): Promise<boolean> {
    const answer = answerOf(sdp);
    if (answer === undefined || this.#awaited === undefined || this.#end !== undefined)
      return false;
    // Nothing of the session changed, so that there is nothing to tell the library.
    if (this.#awaited === "reoffer" && answer.ufrag !== this.#ufrag) return false;
    if (
      this.#awaited === "offer" &&
      !this.#attempt(() => this.#native.setRemoteDescription(answer.sdp, "answer"))
    ) {
      return false;
    }
    this.#awaited = undefined;
    this.#ufrag = answer.ufrag;
    for (const candidate of this.#candidates.splice(0)) this.#addCandidate(candidate);
    for (const candidate of answer.candidates) this.addCandidate({ candidate });
    return true;
  }

  addCandidate(candidate: PeerCandidate): boolean {
    const text = candidateOf(candidate);
    if (text === undefined || this.#end !== undefined) return false;
    if (text === "") return true;
    if ((this.#candidatesTaken += 1) > CANDIDATES_MAX) return false;
    if (this.#ufrag !== undefined) return this.#addCandidate(text);
    this.#candidates.push(text);
    return true;
  }

  async reoffer(): Promise<string> {
    this.#offers += 1;
    this.#awaited ??= "reoffer";
    this.#describe();
    return this.offer;
  }

  close(): void {
    if (this.#end !== undefined) return;
    this.#end = "closed";
    this.#connecting.cancel();
    this.#closing = this.#timers.after(CLOSE_MS + LINGER_MS, () => this.#native.close());
    for (const channel of this.#channels) channel.end();
    this.#lingerWhenClosed();
  }

  terminate(): void {
    this.#stop("closed");
  }

  // Its channels call these.

  channelOpened(): void {
    this.#announce();
  }

  channelClosed(): void {
    this.#lingerWhenClosed();
  }

  flooded(): void {
    this.#stop("failed");
  }

  // The library calls these.

  #changed(state: string): void {
    if (state === "connected") {
      this.#connecting.cancel();
      this.#connected = true;
      this.#announce();
    } else if (state === "failed") this.#stop("failed");
    // The client closed its side, and the library closes ours.
    else if (state === "disconnected") this.#stop("left");
    else if (state === "closed") this.#finish(this.#end ?? "left");
  }

  #gathered(): void {
    if (this.#gathering === undefined) return;
    this.#gathering.cancel();
    this.#gathering = undefined;
    this.#describe();
    this.#onGathered(this);
  }

  #foreignChannel(channel: NativeChannel): void {
    this.#attempt(() => {
      this.#keep(channel);
      channel.close();
    });
    if ((this.#foreign += 1) > FOREIGN_CHANNELS_MAX) this.#stop("failed");
  }

  #keep(channel: NativeChannel): void {
    this.#kept.add(channel);
    channel.onClosed(this.#guard(() => void this.#kept.delete(channel)));
  }

  #createChannels(): void {
    const { shared, native, channels } = this.#parts;
    const { context, messageBytesMax } = shared;
    // The first one makes the library offer, within a call whose failure it reports; `setLocalDescription` would end the process.
    for (const options of channels) {
      const guard = this.#guard;
      this.#channels.push(
        new Channel({ context, native, options, messageBytesMax, owner: this, guard }),
      );
    }
    if (channels.length > 0) return;
    this.#keep(native.createDataChannel("", { negotiated: true, id: KEEPING_STREAM }));
  }

  #describe(): void {
    const { advertisedAddresses, messageBytesMax } = this.#parts.shared;
    const sdp = this.#native.localDescription()?.sdp ?? "";
    this.offer = offerOf(sdp, { advertisedAddresses, messageBytesMax, version: this.#offers });
  }

  /** `opened` follows `connected`, in whichever order the library says so. */
  #announce(): void {
    const { events } = this.#parts;
    if (!this.#connected || this.#told === "opened" || this.#end !== undefined) return;
    if (this.#told === undefined) {
      this.#told = "connected";
      events.connected();
    }
    if (this.#end !== undefined || !this.#channels.every((channel) => channel.isOpen)) return;
    this.#told = "opened";
    events.opened();
  }

  #addCandidate(candidate: string): boolean {
    return this.#attempt(() => this.#native.addRemoteCandidate(candidate, MID));
  }

  /** False: the library refused what a client sent. */
  #attempt(call: () => void): boolean {
    try {
      call();
      return true;
    } catch {
      return false;
    }
  }

  #lingerWhenClosed(): void {
    if (this.#end !== "closed" || this.#closing === undefined || this.#over) return;
    if (this.#channels.some((channel) => channel.isOpen)) return;
    this.#closing.cancel();
    // A client whose channels are closed closes its connection.
    if (this.#connected) this.#closing = this.#timers.after(LINGER_MS, () => this.#native.close());
    else this.#native.close();
  }

  #stop(end: PeerEnd): void {
    this.#end ??= end;
    for (const channel of this.#channels) channel.gone();
    this.#native.close();
  }

  #finish(end: PeerEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#end ??= end;
    for (const timer of [this.#connecting, this.#gathering, this.#closing]) timer?.cancel();
    this.#gathering = undefined;
    for (const channel of this.#channels) channel.gone();
    this.#parts.onEnd(end);
    this.#onGathered(undefined);
    this.#parts.events.ended(end);
  }
}
