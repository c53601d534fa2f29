/**
 * One peer, from its offer to the end of its connection: the library's events in, the dialect's events out.
 *
 * The library is told of it with the answer. If it had made the offer itself, a client's first packets would come before the answer does,
 * and it looks at the client's certificate while it still stores which one is to be expected (libdatachannel 0.24,
 * `PeerConnection::setRemoteDescription`): a busy machine would lose connections at random. So it takes the answer for an offer, and its
 * own answer, with the user name and password that the client was offered, is what opens the peer to packets.
 */
import type { Random, Timer, Timers } from "../../core/runtime.ts";
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
/** Channels that a client may open itself and see closed at once: it has no reason to (sora-push.md §3.1). */
const FOREIGN_CHANNELS_MAX = 16;
/** Of a channel that nobody sees: without any there is no section in the offer, and no connection (§4.1). */
const KEEPING_STREAM = 1022;
/** In a port that peers share it tells them apart. */
const UFRAG_CHARS = 12;
/** The one section's, in what is offered. */
const MID = "0";

/** What one process's peers share. */
export interface PeersShared {
  readonly context: QueuedContext;
  readonly random: Random;
  readonly messageBytesMax: number;
  readonly connectTimeoutMs: number;
  readonly offerTemplate: string;
  /** Throws when the library cannot. */
  createNative(): NativePeer;
  readonly onOversized: () => void;
}

interface PeerParts {
  readonly shared: PeersShared;
  readonly channels: readonly PeerChannelOptions[];
  readonly events: PeerEvents;
  /** Runs once, before `events.ended`. */
  readonly onEnd: (end: PeerEnd) => void;
}

export class PeerConnection implements Peer, ChannelOwner {
  readonly oversized: () => void;
  readonly #parts: PeerParts;
  readonly #timers: Timers;
  readonly #channels: Channel[] = [];
  readonly #candidates: string[] = [];
  readonly #connecting: Timer;
  readonly #ufrag: string;
  readonly #password: string;
  readonly #sessionId: number;
  /** From the answer on. */
  #native: NativePeer | undefined;
  #closing: Timer | undefined;
  /** What is to be answered next; undefined: nothing. */
  #awaited: "offer" | "reoffer" | undefined = "offer";
  /** Of the answer that was taken. */
  #farUfrag: string | undefined;
  #version = 0;
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
        this.#bug(error);
      }
    };

  constructor(parts: PeerParts) {
    this.#parts = parts;
    const { context, random, connectTimeoutMs, onOversized } = parts.shared;
    this.#timers = context.timers;
    this.oversized = onOversized;
    // RFC 8445 §5.3 asks for 24 and 128 bits of chance.
    const characters = () => random.uuid().replaceAll("-", "");
    this.#ufrag = characters().slice(0, UFRAG_CHARS);
    this.#password = characters() + characters();
    this.#sessionId = Math.floor(random.fraction() * Number.MAX_SAFE_INTEGER);
    this.#connecting = this.#timers.after(connectTimeoutMs, () => this.#stop("timeout"));
  }

  get offer(): string {
    return offerOf(this.#parts.shared.offerTemplate, {
      ...{ ufrag: this.#ufrag, password: this.#password },
      ...{ sessionId: this.#sessionId, version: this.#version },
    });
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
    if (this.#awaited === "reoffer" && answer.ufrag !== this.#farUfrag) return false;
    if (this.#awaited === "offer" && !this.#open(answer.sdp)) return false;
    this.#awaited = undefined;
    this.#farUfrag = answer.ufrag;
    for (const candidate of this.#candidates.splice(0)) this.#addCandidate(candidate);
    for (const candidate of answer.candidates) this.addCandidate({ candidate });
    return true;
  }

  addCandidate(candidate: PeerCandidate): boolean {
    const text = candidateOf(candidate);
    if (text === undefined || this.#end !== undefined) return false;
    if (text === "") return true;
    if ((this.#candidatesTaken += 1) > CANDIDATES_MAX) return false;
    if (this.#farUfrag !== undefined) return this.#addCandidate(text);
    this.#candidates.push(text);
    return true;
  }

  async reoffer(): Promise<string> {
    this.#version += 1;
    this.#awaited ??= "reoffer";
    return this.offer;
  }

  close(): void {
    if (this.#end !== undefined) return;
    this.#end = "closed";
    this.#connecting.cancel();
    this.#closing = this.#timers.after(CLOSE_MS + LINGER_MS, () => this.#release());
    for (const channel of this.#channels) channel.end();
    this.#lingerWhenClosed();
  }

  terminate(): void {
    this.#stop("closed");
  }

  /** The port is gone that it would have come by. */
  lost(): void {
    this.#stop("failed");
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

  /** False: it is no answer. */
  #open(sdp: string): boolean {
    const native = this.#create();
    if (native === undefined) return true;
    if (!this.#attempt(() => native.setRemoteDescription(sdp, "offer"))) {
      native.close();
      return false;
    }
    this.#native = native;
    const guard = this.#guard;
    native.onStateChange(guard((state) => this.#changed(state)));
    native.onDataChannel(guard((channel) => this.#foreignChannel(channel)));
    guard(() => this.#createChannels(native))();
    // It fails for nothing that a client can send, which is as well: that would end the process.
    if (this.#end === undefined) {
      native.setLocalDescription("answer", { iceUfrag: this.#ufrag, icePwd: this.#password });
    }
    return true;
  }

  #create(): NativePeer | undefined {
    try {
      return this.#parts.shared.createNative();
    } catch (error) {
      this.#bug(error);
      return undefined;
    }
  }

  #createChannels(native: NativePeer): void {
    const { shared, channels } = this.#parts;
    const { context, messageBytesMax } = shared;
    for (const options of channels) {
      const guard = this.#guard;
      this.#channels.push(
        new Channel({ context, native, options, messageBytesMax, owner: this, guard }),
      );
    }
    if (channels.length > 0) return;
    this.#keep(native.createDataChannel("", { negotiated: true, id: KEEPING_STREAM }));
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
    return this.#attempt(() => this.#native?.addRemoteCandidate(candidate, MID));
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
    if (this.#connected) this.#closing = this.#timers.after(LINGER_MS, () => this.#release());
    else this.#release();
  }

  #stop(end: PeerEnd): void {
    this.#end ??= end;
    for (const channel of this.#channels) channel.gone();
    this.#release();
  }

  #bug(error: unknown): void {
    this.#parts.shared.context.onBug(error, "webrtc peer");
    this.#stop("bug");
  }

  /** The library says when it is closed. */
  #release(): void {
    if (this.#native === undefined) this.#finish(this.#end ?? "closed");
    else this.#native.close();
  }

  #finish(end: PeerEnd): void {
    if (this.#over) return;
    this.#over = true;
    this.#end ??= end;
    for (const timer of [this.#connecting, this.#closing]) timer?.cancel();
    for (const channel of this.#channels) channel.gone();
    this.#parts.onEnd(end);
    this.#parts.events.ended(end);
  }
}
