/** What carries a connection's messages: its WebSocket, and once it has moved its DataChannels (§3.3 to §3.6). */
import type { GroupMember } from "../../core/fanout.ts";
import type { Encoder } from "../../core/hub.ts";
import type { Frame } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import type { Close } from "../session.ts";
import type { SoraSettings } from "./config.ts";
import type { Labels, SystemLabel } from "./labels.ts";
import { Message, textEncoder, textOf, zlibEncoder } from "./message.ts";
import type { Carrier } from "./sessions.ts";

/** What this server compressed itself. */
const PUSH_BYTES_MAX = 67_108_864;

export class Carriage {
  /** Of the offer, and open later on. */
  labels: Labels | undefined;
  readonly #socket: Socket;
  readonly #settings: SoraSettings;
  #websocketOpen = true;
  #switched: { readonly outlivesWebsocket: boolean } | undefined;

  constructor(socket: Socket, settings: SoraSettings) {
    this.#socket = socket;
    this.#settings = settings;
  }

  get encoder(): Encoder {
    return this.#switched !== undefined && this.#settings.compress ? zlibEncoder : textEncoder;
  }

  get carrier(): Carrier {
    if (this.#switched === undefined) return "websocket";
    return this.#websocketOpen ? "hybrid" : "datachannel";
  }

  get unsentBytes(): number {
    return this.#socket.bufferedBytes + (this.labels?.socket("push")?.bufferedBytes ?? 0);
  }

  get outlivesWebsocket(): boolean {
    return this.#switched?.outlivesWebsocket === true;
  }

  websocketClosed(): void {
    this.#websocketOpen = false;
  }

  /** Earlier frames go out on the WebSocket, later ones on the DataChannels. Undefined: it has moved, or has no DataChannels. */
  switch(outlivesWebsocket: boolean): GroupMember | undefined {
    const push = this.labels?.socket("push");
    if (this.#switched !== undefined || push === undefined) return undefined;
    this.#socket.send(`{"type":"switched","ignore_disconnect_websocket":${outlivesWebsocket}}`);
    this.#switched = { outlivesWebsocket };
    return push.member;
  }

  push(frame: Frame): void {
    const route = this.#switched === undefined ? this.#socket : this.labels?.socket("push");
    route?.member.push(frame);
  }

  send(label: SystemLabel, message: Message): void {
    if (this.#switched === undefined) this.#socket.send(message.text);
    else this.labels?.send(label, message);
  }

  /** A push that is larger than the client takes on a DataChannel. False: nor is there a WebSocket for it. */
  pushOversized(frame: Frame): boolean {
    const compress = typeof frame !== "string";
    const text = textOf(frame, { compress, bytesMax: PUSH_BYTES_MAX });
    if (!this.#websocketOpen || text === undefined) return false;
    this.#socket.send(text);
    return true;
  }

  /**
   * Sends the reason by its label to a client that does without its WebSocket, which it may have closed this moment. True: its WebSocket
   * gives the reason, and labels that close before would be taken for the reason.
   */
  sayEnd({ code, reason }: Close): boolean {
    if (this.#switched === undefined) return false;
    if (this.#websocketOpen && !this.outlivesWebsocket) return true;
    const text = JSON.stringify({ type: "close", code, reason });
    this.labels?.send("signaling", new Message(text));
    return false;
  }
}
