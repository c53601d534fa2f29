/**
 * One client's connection (§4.2): signaling over its WebSocket and over DataChannels, the move between them, its timers and its end.
 * What the labels carry is in labels.ts, what is told of it to others in room.ts.
 */
import { HubError, type Disconnect } from "../../core/errors.ts";
import type { Connection, Encoder, Subscriber } from "../../core/hub.ts";
import { joinableOptions } from "../../core/namespaces.ts";
import { CHANNELS, type Frame } from "../../core/types.ts";
import type { Peer, PeerEnd } from "../../transports/data-channels.ts";
import type { Socket } from "../../transports/socket.ts";
import { ClientSession, type Close } from "../session.ts";
import { admit, type Admitted } from "./admission.ts";
import { base32OfUuid } from "./base32.ts";
import { InvalidMessage, readCandidate, readConnect, readSignal, textIn } from "./connect.ts";
import type { Connect, Signal } from "./connect.ts";
import type { SoraContext } from "./context.ts";
import { channelRoleLabel, clientLabel, roleLabel } from "./ids.ts";
import * as ends from "./ends.ts";
import { Labels, type LabelsOwner, type SystemLabel } from "./labels.ts";
import type { Member } from "./member.ts";
import { Message, textEncoder, textOf, zlibEncoder } from "./message.ts";
import { offerText } from "./offer.ts";
import { Reoffers } from "./reoffers.ts";
import type { Occupant } from "./room.ts";
import type { Entered } from "./rooms.ts";
import type { Carrier } from "./sessions.ts";
import { Timetable } from "./timetable.ts";

export class SoraSession
  extends ClientSession<SoraContext>
  implements Subscriber, Occupant, LabelsOwner
{
  readonly dialect = "sora";
  userId = "";
  #phase: "connect" | "busy" | "answer" | "peer" | "announcing" | "announced" = "connect";
  #connect: Connect | undefined;
  #entry: Member | undefined;
  #labels: Labels | undefined;
  #peer: Peer | undefined;
  #peerAlive = false;
  #connection: Connection | undefined;
  #entered: Entered | undefined;
  #allOpen = false;
  #switched = false;
  #websocketOpen = true;
  #reoffers: Reoffers | undefined;
  readonly #timetable: Timetable;

  constructor(context: SoraContext, socket: Socket) {
    const { settings, runtime } = context;
    super(context, socket, settings.commands_per_second_max, base32OfUuid(runtime.random.uuid()));
    this.#timetable = new Timetable(settings, runtime.clock.monotonicMs());
    context.sessions.add(this);
    this.count("connections_opened");
    this.reschedule();
  }

  get encoder(): Encoder {
    return this.#switched && this.context.settings.compress ? zlibEncoder : textEncoder;
  }

  get carrier(): Carrier {
    if (this.#phase !== "announced") return "handshake";
    if (!this.#switched) return "websocket";
    return this.#websocketOpen ? "hybrid" : "datachannel";
  }

  get entry(): Member {
    if (this.#entry === undefined) throw new Error("The connection is no member yet");
    return this.#entry;
  }

  protected handle(frame: Frame): void | Promise<void> {
    return this.#handle(() => {
      if (typeof frame !== "string") throw new InvalidMessage("A binary frame");
      const signal = readSignal(frame);
      if (this.#phase === "connect" && signal.type !== "connect") {
        throw new InvalidMessage('The first message is no "connect"');
      }
      return this.#onWebsocket(signal);
    }, ends.INVALID_MESSAGE);
  }

  /** `malformed`: how a message that is refused ends the connection. */
  #handle(run: () => void | Promise<void>, malformed: Close): void | Promise<void> {
    if (this.over) return;
    if (this.takeCommand() !== "taken") return this.disconnect({ disconnect: "too_many_requests" });
    const refuse = (error: unknown) => this.#refuse(error, malformed);
    try {
      return run()?.catch(refuse);
    } catch (error) {
      refuse(error);
    }
  }

  #refuse(error: unknown, malformed: Close): void {
    if (error instanceof InvalidMessage) {
      this.tell("Frame refused", { detail: error.message });
      this.end(malformed, error.message);
    } else if (error instanceof HubError) {
      this.report(error, "signaling");
      this.disconnect({ disconnect: "internal_error" });
    } else throw error;
  }

  #onWebsocket(signal: Signal): void | Promise<void> {
    const { type, view } = signal;
    this.count("commands", { method: SIGNAL_TYPES.has(type) ? type : "unknown" });
    switch (type) {
      case "connect":
        if (this.#phase !== "connect") throw new InvalidMessage('A second "connect"');
        return this.#onConnect(readConnect(view, this.context.settings));
      case "answer":
        return this.#onAnswer(textIn(view, "sdp"));
      case "pong":
        return this.#at((nowMs) => this.#timetable.ponged(nowMs));
      default:
        return this.#onShared(signal);
    }
  }

  /** What the WebSocket and the label `signaling` carry alike. */
  #onShared({ type, view }: Signal): void | Promise<void> {
    switch (type) {
      case "candidate":
        if (this.#peer?.addCandidate(readCandidate(view)) === true) return;
        throw new InvalidMessage("A candidate that is none, or too many");
      case "re-answer":
        if (this.#reoffers === undefined) throw new InvalidMessage("A re-answer to no offer");
        return this.#reoffers.answer(textIn(view, "sdp"));
      case "disconnect":
        return this.end(ends.TYPE_DISCONNECT, "by the client");
      default:
        throw new InvalidMessage("An unknown type");
    }
  }

  async #onConnect(connect: Connect): Promise<void> {
    const { context, connectionId } = this;
    const { hub, settings } = context;
    this.#phase = "busy";
    if (settings.redirect_url !== undefined && !connect.redirected) {
      // The client closes, or the deadline for its first message does.
      this.socket.send(JSON.stringify({ type: "redirect", location: settings.redirect_url }));
      return;
    }
    if (joinableOptions(hub.namespaces, connect.channelId, "sora") === undefined) {
      throw new InvalidMessage("Sora's connections may not join this channel");
    }
    this.#at((nowMs) => this.#timetable.connected(nowMs));
    const admitted = await admit(context, connect, connectionId);
    if (this.over) return;
    if ("refused" in admitted) {
      this.tell("Connect refused", { detail: "by the hook" });
      return this.end(ends.refusedByHook(admitted.refused), "refused by the hook");
    }
    await this.#offer(admitted);
  }

  async #offer({ connect, entry, userId, metadata }: Admitted): Promise<void> {
    const { peers, settings } = this.context;
    const labels = new Labels(this, settings, connect.labels);
    this.#connect = connect;
    this.#labels = labels;
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
        iceServers: settings.webrtc.ice_servers,
        ...(metadata === undefined ? {} : { metadata }),
      }),
    );
  }

  /** Tells the timetable of what happens now. */
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

  async #onAnswer(sdp: string): Promise<void> {
    if (this.#phase !== "answer") throw new InvalidMessage("An answer to no offer");
    this.#phase = "peer";
    this.#at(() => this.#timetable.answered());
    if ((await this.#peer?.answer(sdp)) !== true)
      throw new InvalidMessage("An answer that is none");
  }

  /** §1.4: from here on it is a recipient. What comes before its own notice waits for it. */
  async #announce(): Promise<void> {
    if (this.over || this.#connection !== undefined) return;
    this.#phase = "announcing";
    const { hub, rooms, runtime } = this.context;
    this.#entry = { ...this.entry, createdMs: runtime.clock.epochMs() };
    const { channelId, clientId, role } = this.entry;
    const { member } = this.socket;
    const connection = (this.#connection = hub.connect(this));
    connection.label(roleLabel(role));
    connection.label(channelRoleLabel(channelId, role));
    connection.label(clientLabel(channelId, clientId));
    member.hold();
    try {
      const channel = { space: CHANNELS, name: channelId };
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

  /** §3.3: what was written before goes out on the WebSocket, everything behind it on the DataChannels. */
  #switchIfReady(): void {
    const connect = this.#connect;
    const push = this.#labels?.socket("push");
    if (this.#phase !== "announced" || !this.#allOpen || this.over || this.#switched) return;
    if (connect?.dataChannelSignaling !== true || push === undefined) return;
    const { ignoreDisconnectWebsocket: ignore } = connect;
    this.socket.send(`{"type":"switched","ignore_disconnect_websocket":${ignore}}`);
    this.#switched = true;
    const channel = { space: CHANNELS, name: this.entry.channelId };
    this.#connection?.move(channel, { encoder: this.encoder, member: push.member });
    this.#at((nowMs) => this.#timetable.switched(nowMs));
  }

  // The hub calls these.

  send(frame: Frame): void {
    if (this.over) return;
    const route = this.#switched ? this.#labels?.socket("push") : this.socket;
    route?.member.push(frame);
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
    this.#labels?.relay(label, bytes, sender);
  }

  #tellClient(label: SystemLabel, message: Message): void {
    if (this.over) return;
    if (this.#switched) this.#labels?.send(label, message);
    else this.socket.send(message.text);
  }

  // Its labels call these.

  onSignal(label: SystemLabel, text: string | undefined): void | Promise<void> {
    // §2.9: junk on a label is told so, and anything where nothing is to be said.
    return this.#handle(() => {
      if (text === undefined) throw new InvalidMessage(`No message for "${label}"`);
      const signal = readSignal(text);
      if (label === "stats" && signal.type === "stats") return;
      if (label !== "signaling") throw new InvalidMessage(`No message for "${label}"`);
      this.count("commands", { method: SIGNAL_TYPES.has(signal.type) ? signal.type : "unknown" });
      return this.#onShared(signal);
    }, ends.INTERNAL_ERROR);
  }

  onMessage(label: string, bytes: Uint8Array | undefined): void {
    void this.#handle(() => {
      if (bytes === undefined) throw new InvalidMessage("No zlib stream");
      if (this.#phase !== "announced" || this.#labels?.mayMessage(label) !== true) {
        return this.tell("Frame refused", { detail: "A message on a label to receive on" });
      }
      this.count("commands", { method: "message" });
      const { connectionId, bundleId, channelId } = this.entry;
      const base64 = bytes.toBase64();
      const event = { do: "message", from: { connectionId, bundleId }, label, base64 } as const;
      this.aside("a message to others", this.context.rooms.tell(channelId, event));
    }, ends.INTERNAL_ERROR);
  }

  onOversized(frame: Frame): void {
    const compress = typeof frame !== "string";
    const text = textOf(frame, { compress, bytesMax: PUSH_BYTES_MAX });
    if (this.#websocketOpen && !this.over && text !== undefined) this.socket.send(text);
    else this.tell("Push left out", { detail: "It is larger than the client takes" });
  }

  onLabelClosed(code: number): void {
    // With the peer go all of them, and `ended` tells why.
    if (code === PEER_GONE) return;
    if (code === 1000) this.end(ends.TYPE_DISCONNECT, "a DataChannel was closed by the client");
    else this.end(ends.INTERNAL_ERROR, `a DataChannel was closed with ${code}`);
  }

  #peerEnded(end: PeerEnd): void {
    this.#peerAlive = false;
    this.#release();
    if (end === "timeout") this.end(ends.TIMEOUT, "WebRTC did not connect in time");
    else if (end === "left") this.end(ends.TYPE_DISCONNECT, "its WebRTC peer left");
    else if (end === "closed") this.shutdown();
    else this.end(ends.INTERNAL_ERROR, "its WebRTC peer failed");
  }

  protected nextDueMs(): number {
    return this.#timetable.nextDueMs;
  }

  protected onDue(nowMs: number): void {
    for (const what of this.#timetable.due(nowMs)) {
      if (this.over) return;
      if (what === "timeout") this.end(ends.TIMEOUT, this.#timetable.waitedFor);
      else if (what === "lifetime") this.end(ends.LIFETIME_EXPIRED);
      else if (what === "ping" && this.#websocketOpen) this.socket.send(this.#ping);
      else if (what === "stats") this.#labels?.send("stats", REQUEST_STATS);
      else if (what === "minute") {
        const { rooms } = this.context;
        const event = { do: "updated", member: this.entry } as const;
        this.aside("telling of a minute", rooms.tell(this.entry.channelId, event));
      }
    }
  }

  get #ping(): string {
    return `{"type":"ping","stats":${this.context.settings.ping_stats}}`;
  }

  protected closeOf({ disconnect }: Disconnect): Close {
    return ends.CLOSES[disconnect];
  }

  /** §3.6: a client that does without its WebSocket is told by its label, unless it was the client who asked. */
  protected override end(close: Close, detail?: string): void {
    if (this.over) return;
    const told = this.#switched && close !== ends.TYPE_DISCONNECT;
    // It may have closed its WebSocket this moment.
    const tellsByLabel = told && (this.#outlivesWebsocket || !this.#websocketOpen);
    super.end(close, detail);
    const { code, reason } = close;
    const text = JSON.stringify({ type: "close", code, reason });
    if (tellsByLabel) this.#labels?.send("signaling", new Message(text));
    // A label that closes before the SDK has seen why would be reported in place of it.
    if (told && !tellsByLabel) {
      this.context.runtime.timers.after(LABELS_OUTLIVE_MS, () => this.#peer?.close());
    } else this.#peer?.close();
  }

  get #outlivesWebsocket(): boolean {
    return this.#switched && this.#connect?.ignoreDisconnectWebsocket === true;
  }

  /** Of the WebSocket. */
  override closed(code: number, reason: string): void {
    this.#websocketOpen = false;
    this.#timetable.websocketClosed();
    if (this.over) return;
    if (this.#outlivesWebsocket) return this.reschedule();
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

/** Labels of counters have few values. */
const SIGNAL_TYPES = new Set(["connect", "answer", "candidate", "re-answer", "pong", "disconnect"]);
const REQUEST_STATS = new Message('{"type":"req-stats"}');
/** How long labels outlive a WebSocket that says the end: a client that sees it closes them itself. */
const LABELS_OUTLIVE_MS = 1_000;
/** What this server compressed itself. */
const PUSH_BYTES_MAX = 67_108_864;
/** What `closed` of a label's session says then. */
const PEER_GONE = 1006;
