/**
 * One client's connection (§4.2): signaling over its WebSocket and over DataChannels, the move between them, its timers and its end.
 * labels.ts has the messages on labels, room.ts the notices to others.
 */
import { shortened } from "../../auth/claims-text.ts";
import type { Disconnect } from "../../core/errors.ts";
import type { Connection, Encoder, Subscriber } from "../../core/hub.ts";
import { joinableOptions } from "../../core/namespaces.ts";
import { CHANNELS, type Frame } from "../../core/types.ts";
import type { Peer, PeerEnd } from "../../transports/data-channels.ts";
import type { Socket } from "../../transports/socket.ts";
import type { Word } from "../every-word.ts";
import type { Close } from "../session.ts";
import { admit, type Admitted } from "./admission.ts";
import { base32OfUuid } from "./base32.ts";
import { Carriage } from "./carriage.ts";
import { InvalidMessage, type Candidate, type Connect } from "./connect.ts";
import type { SoraContext } from "./context.ts";
import { labelsOf } from "./ids.ts";
import * as ends from "./ends.ts";
import { Labels, type LabelsOwner, type SystemLabel } from "./labels.ts";
import type { Member } from "./member.ts";
import { Message, textEncoder } from "./message.ts";
import { offerText } from "./offer.ts";
import { Reoffers } from "./reoffers.ts";
import type { Occupant } from "./room.ts";
import type { Entered } from "./rooms.ts";
import type { Carrier } from "./sessions.ts";
import { SignalingSession } from "./signaling.ts";
import { type Due, Timetable } from "./timetable.ts";

export class SoraSession extends SignalingSession implements Subscriber, Occupant, LabelsOwner {
  userId = "";
  #phase: "connect" | "answer" | "peer" | "announced" = "connect";
  #connect: Connect | undefined;
  #entry: Member | undefined;
  #peer: Peer | undefined;
  #peerAlive = false;
  #connection: Connection | undefined;
  #entered: Entered | undefined;
  #allOpen = false;
  #reoffers: Reoffers | undefined;
  readonly #carriage: Carriage;
  readonly #timetable: Timetable;

  constructor(context: SoraContext, socket: Socket) {
    const { settings, runtime } = context;
    super(context, socket, base32OfUuid(runtime.random.uuid()));
    this.#carriage = new Carriage(socket, settings);
    this.#timetable = new Timetable(settings, runtime.clock.monotonicMs());
    context.sessions.add(this);
    this.count("connections_opened");
    this.reschedule();
  }

  override get unsentBytes(): number {
    return this.#carriage.unsentBytes;
  }

  get encoder(): Encoder {
    return this.#carriage.encoder;
  }

  get carrier(): Carrier {
    return this.#phase === "announced" ? this.#carriage.carrier : "handshake";
  }

  get entry(): Member {
    if (this.#entry === undefined) throw new Error("The connection is not a member yet");
    return this.#entry;
  }

  // Messages of the client.

  protected async onConnect(connect: Connect): Promise<void> {
    const { context, connectionId } = this;
    const { hub, settings } = context;
    if (settings.redirect_url !== undefined && !connect.redirected) {
      // The client closes, or the deadline for its first message does.
      this.socket.send(JSON.stringify({ type: "redirect", location: settings.redirect_url }));
      return;
    }
    if (joinableOptions(hub.namespaces, connect.channelId, "sora") === undefined) {
      const channel = shortened(connect.channelId, CHANNEL_CHARACTERS_MAX);
      throw new InvalidMessage(
        `The namespace of the channel ${channel} does not admit sora: its "dialects" has to name it`,
      );
    }
    this.#at((nowMs) => this.#timetable.connected(nowMs));
    const admitted = await admit(context, connect, connectionId);
    if (this.over) return;
    if ("refused" in admitted) {
      const word = "refused_by_hook";
      const channel = shortened(connect.channelId, CHANNEL_CHARACTERS_MAX);
      const detail = `The hook at sora.auth_url does not let the role "${connect.role}" into the channel ${channel}`;
      this.tell("Connect refused", { word, detail });
      this.count("connections_refused", { word });
      return this.end(word, ends.refusedByHook(admitted.refused), detail);
    }
    await this.#offer(admitted);
  }

  protected async onAnswer(sdp: string): Promise<void> {
    if (this.#phase !== "answer") throw new InvalidMessage("An answer without an offer");
    this.#phase = "peer";
    this.#at(() => this.#timetable.answered());
    const isTaken = await this.#peer?.answer(sdp);
    if (isTaken !== true) throw new InvalidMessage("The SDP does not answer the offer");
  }

  protected async onReanswer(sdp: string): Promise<void> {
    if (this.#reoffers === undefined) throw new InvalidMessage("A re-answer without a re-offer");
    await this.#reoffers.answer(sdp);
  }

  protected onCandidate(candidate: Candidate): void {
    if (this.#peer?.addCandidate(candidate) !== true) {
      throw new InvalidMessage("The ICE candidate is malformed, or one too many");
    }
  }

  protected onPong(): void {
    this.#at((nowMs) => this.#timetable.ponged(nowMs));
  }

  protected onBytes(label: string, bytes: Uint8Array): void {
    if (this.#phase !== "announced" || this.#carriage.labels?.mayMessage(label) !== true) {
      const detail = "A message on a label to receive on";
      return this.tell("Frame refused", { word: "permission_denied", detail });
    }
    this.count("commands", { method: "message" });
    const { connectionId, bundleId, channelId } = this.entry;
    const base64 = bytes.toBase64();
    const event = { do: "message", from: { connectionId, bundleId }, label, base64 } as const;
    this.aside("a message to others", this.context.rooms.tell(channelId, event));
  }

  // From a member to a recipient.

  async #offer({ connect, entry, userId, metadata }: Admitted): Promise<void> {
    const { peers, settings } = this.context;
    const labels = new Labels(this, settings, connect.labels);
    this.#connect = connect;
    this.#carriage.labels = labels;
    this.#entry = entry;
    this.userId = userId;
    this.#peerAlive = true;
    const channels = connect.dataChannelSignaling ? labels.channels() : [];
    const peer = await peers.offer(channels, this.#peerEvents());
    this.#peer = peer;
    if (peer === undefined) {
      this.#peerAlive = false;
      this.#release();
      return this.disconnect({ disconnect: "connection_limit" });
    }
    if (this.over) return peer.terminate();
    this.#reoffers = new Reoffers({
      peer,
      offered: (sdp) => {
        this.#at((nowMs) => this.#timetable.reoffered(nowMs));
        this.#tellClient("signaling", new Message(JSON.stringify({ type: "re-offer", sdp })));
      },
      answered: () => this.#at(() => this.#timetable.reanswered()),
    });
    this.#phase = "answer";
    this.#at((nowMs) => this.#timetable.offered(nowMs));
    this.socket.send(
      offerText({
        ...{ sdp: peer.offer, member: entry, connect, dataChannels: labels.describe() },
        ...{ iceServers: settings.webrtc.ice_servers, metadata },
      }),
    );
  }

  /** Tells the timetable of an event. */
  #at(happens: (nowMs: number) => void): void {
    happens(this.context.runtime.clock.monotonicMs());
    this.reschedule();
  }

  #peerEvents() {
    return {
      connected: () => this.aside("announcing a connection", this.#announce()),
      opened: () => {
        this.#allOpen = true;
        this.#switchIfReady();
      },
      ended: (end: PeerEnd) => this.#peerEnded(end),
    };
  }

  /** §1.4: from here on it is a recipient. Pushes wait for its own notice. */
  async #announce(): Promise<void> {
    if (this.over || this.#connection !== undefined) return;
    const { hub, rooms, runtime } = this.context;
    this.#entry = { ...this.entry, createdMs: runtime.clock.epochMs() };
    const { member } = this.socket;
    const connection = (this.#connection = hub.connect(this));
    for (const label of labelsOf(this.entry)) connection.label(label);
    member.hold();
    try {
      const channel = { space: CHANNELS, name: this.entry.channelId };
      await connection.subscribe(channel, { encoder: textEncoder, member }, () => {});
      if (this.over) return;
      this.#entered = rooms.enter(this);
      await this.#entered.announced;
      if (this.over) return;
      this.#phase = "announced";
      this.#at((nowMs) => this.#timetable.announced(nowMs));
    } catch (error) {
      this.report(error, "announcing a connection");
      return this.disconnect({ disconnect: "internal_error" });
    } finally {
      member.release();
    }
    this.#switchIfReady();
  }

  /** §3.3. */
  #switchIfReady(): void {
    const connect = this.#connect;
    if (this.#phase !== "announced" || !this.#allOpen || this.over) return;
    if (connect?.dataChannelSignaling !== true) return;
    const member = this.#carriage.switch(connect.ignoreDisconnectWebsocket);
    if (member === undefined) return;
    const channel = { space: CHANNELS, name: this.entry.channelId };
    this.#connection?.move(channel, { encoder: this.encoder, member });
    this.#at((nowMs) => this.#timetable.switched(nowMs));
  }

  // The hub calls these.

  send(frame: Frame): void {
    if (!this.over) this.#carriage.push(frame);
  }

  dropped(): void {
    this.disconnect({ disconnect: "missed" });
  }

  signal(): boolean {
    return false;
  }

  // The room calls these.

  notify(notice: Message): void {
    this.#tellClient("notify", notice);
  }

  changed(): void {
    if (this.context.settings.re_offer) this.aside("a re-offer", this.#reoffers?.want());
  }

  relayed(label: string, bytes: Uint8Array, sender: string): void {
    this.#carriage.labels?.relay(label, bytes, sender);
  }

  #tellClient(label: SystemLabel, message: Message): void {
    if (!this.over) this.#carriage.send(label, message);
  }

  // Its labels call these.

  onOversized(frame: Frame): void {
    if (!this.over && this.#carriage.pushOversized(frame)) return;
    const detail = "It is larger than the client takes";
    this.tell("Push left out", { word: "too_large", detail });
  }

  onLabelClosed(code: number): void {
    // With the peer go all of them, and `ended` tells why.
    if (code === PEER_GONE) return;
    const closed = `a DataChannel was closed with ${code}`;
    if (code === 1000) this.end("closed", ends.TYPE_DISCONNECT, closed);
    else this.end("internal_error", ends.INTERNAL_ERROR, closed);
  }

  #peerEnded(end: PeerEnd): void {
    this.#peerAlive = false;
    this.#release();
    const { word, close } = ends.PEER_ENDS[end];
    this.end(word, close, `its WebRTC peer ended: ${end}`);
  }

  protected nextDueMs(): number {
    return this.#timetable.nextDueMs;
  }

  protected onDue(nowMs: number): void {
    for (const what of this.#timetable.due(nowMs)) if (!this.over) this.#due(what);
  }

  #due(what: Due): void {
    switch (what) {
      case "lifetime":
        return this.end("lifetime_expired", ends.LIFETIME_EXPIRED);
      case "ping":
        this.socket.send(`{"type":"ping","stats":${this.context.settings.ping_stats}}`);
        return;
      case "stats":
        return this.#carriage.send("stats", REQUEST_STATS);
      case "minute": {
        const event = { do: "updated", member: this.entry } as const;
        const told = this.context.rooms.tell(this.entry.channelId, event);
        return this.aside("telling of a minute", told);
      }
      case "handshake":
      case "webrtc":
      case "pong":
      case "reanswer":
        return this.end("timeout", ends.TIMEOUT, this.#timetable.waitedFor);
    }
  }

  protected closeOf({ disconnect }: Disconnect): Close {
    return ends.CLOSES[disconnect];
  }

  /** §3.6: it is told of every end but its own. */
  protected override end(word: Word, close: Close, detail?: string): void {
    if (this.over) return;
    const labelsOutlive = close !== ends.TYPE_DISCONNECT && this.#carriage.sayEnd(close);
    super.end(word, close, detail);
    if (labelsOutlive) {
      this.context.runtime.timers.after(LABELS_OUTLIVE_MS, () => this.#peer?.close());
    } else this.#peer?.close();
  }

  /** Of the WebSocket. */
  override closed(code: number, reason: string): void {
    this.#carriage.websocketClosed();
    this.#timetable.websocketClosed();
    if (this.over) return;
    if (this.#carriage.outlivesWebsocket) return this.reschedule();
    super.closed(code, reason);
    this.#peer?.close();
  }

  protected async leave(): Promise<void> {
    this.#release();
    await Promise.all([this.#entered?.leave(), this.#connection?.close()]);
  }

  /** It counts until its peer is gone too, which says its last words. */
  #release(): void {
    if (this.over && !this.#peerAlive) this.context.sessions.delete(this);
  }
}

/** Of a channel's name, in the log. */
const CHANNEL_CHARACTERS_MAX = 200;
const REQUEST_STATS = new Message('{"type":"req-stats"}');
/** How long labels outlive a WebSocket that says the end: a client that sees it closes them itself. */
const LABELS_OUTLIVE_MS = 1_000;
/** What `closed` of a label's session says then. */
const PEER_GONE = 1006;
