/** A client's messages (§2.1), by WebSocket and by labels: read, counted, and refused where malformed or out of place. */
import { HubError } from "../../core/errors.ts";
import type { Frame } from "../../core/types.ts";
import { ClientSession, type Close } from "../session.ts";
import { InvalidMessage, readCandidate, readConnect, readSignal, textIn } from "./connect.ts";
import type { Candidate, Connect, Signal } from "./connect.ts";
import type { SoraContext } from "./context.ts";
import * as ends from "./ends.ts";
import type { SystemLabel } from "./labels.ts";

/** Labels of counters have few values. */
const SIGNAL_TYPES = new Set(["connect", "answer", "candidate", "re-answer", "pong", "disconnect"]);

export abstract class SignalingSession extends ClientSession<SoraContext> {
  #asked = false;

  /** Once, before all others. These throw InvalidMessage for a message out of place. */
  protected abstract onConnect(connect: Connect): Promise<void>;
  protected abstract onAnswer(sdp: string): Promise<void>;
  protected abstract onReanswer(sdp: string): Promise<void>;
  protected abstract onCandidate(candidate: Candidate): void;
  protected abstract onPong(): void;
  /** On a label for messaging. */
  protected abstract onBytes(label: string, bytes: Uint8Array): void;

  get dialect() {
    return "sora";
  }

  protected override get commandsPerSecondMax(): number {
    return this.context.settings.commands_per_second_max;
  }

  protected handle(frame: Frame): void | Promise<void> {
    return this.#handle(() => {
      if (typeof frame !== "string") throw new InvalidMessage("A binary frame");
      return this.#onWebsocket(readSignal(frame));
    }, ends.INVALID_MESSAGE);
  }

  /** A message on a label for signaling. Undefined: the bytes are not one. §2.9: junk, and messages on a label that takes none, are refused. */
  onSignal(label: SystemLabel, text: string | undefined): void | Promise<void> {
    return this.#handle(() => {
      if (text === undefined) throw new InvalidMessage(`No message for "${label}"`);
      const signal = readSignal(text);
      if (label === "stats" && signal.type === "stats") return;
      if (label !== "signaling") throw new InvalidMessage(`No message for "${label}"`);
      this.#count(signal);
      return this.#onShared(signal);
    }, ends.INTERNAL_ERROR);
  }

  /** Bytes on a label for messaging, inflated; undefined: they are not a zlib stream. */
  onMessage(label: string, bytes: Uint8Array | undefined): void {
    void this.#handle(() => {
      if (bytes === undefined) throw new InvalidMessage("The bytes are not a zlib stream");
      this.onBytes(label, bytes);
    }, ends.INTERNAL_ERROR);
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
      this.tell("Frame refused", { word: "bad_request", detail: error.message });
      this.end("bad_request", malformed, error.message);
    } else if (error instanceof HubError) {
      this.report(error, "signaling");
      this.disconnect({ disconnect: "internal_error" });
    } else throw error;
  }

  #onWebsocket(signal: Signal): void | Promise<void> {
    const { type, view } = signal;
    if (this.#asked === (type === "connect")) {
      throw new InvalidMessage('The first message is not a "connect", or a later one is');
    }
    this.#asked = true;
    this.#count(signal);
    switch (type) {
      case "connect":
        return this.onConnect(readConnect(view, this.context.settings));
      case "answer":
        return this.onAnswer(textIn(view, "sdp"));
      case "pong":
        return this.onPong();
      default:
        return this.#onShared(signal);
    }
  }

  /** Messages that the WebSocket and the label `signaling` carry alike. */
  #onShared({ type, view }: Signal): void | Promise<void> {
    switch (type) {
      case "candidate":
        return this.onCandidate(readCandidate(view));
      case "re-answer":
        return this.onReanswer(textIn(view, "sdp"));
      case "disconnect":
        return this.end("closed", ends.TYPE_DISCONNECT, "by the client");
      default:
        throw new InvalidMessage("An unknown type");
    }
  }

  #count({ type }: Signal): void {
    this.count("commands", { method: SIGNAL_TYPES.has(type) ? type : "unknown" });
  }
}
