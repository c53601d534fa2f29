/** A connection's DataChannels by their labels (§3.1, §3.7): how each is opened, and its frames as messages. */
import type { Frame } from "../../core/types.ts";
import type { PeerChannelOptions } from "../../transports/data-channels.ts";
import type { Session, Socket } from "../../transports/socket.ts";
import type { RequestedLabel } from "./connect.ts";
import type { SoraSettings } from "./config.ts";
import { deflated, inflated, type Message, textOf } from "./message.ts";

export const SYSTEM_LABELS = ["signaling", "notify", "push", "stats"] as const;
export type SystemLabel = (typeof SYSTEM_LABELS)[number];

/** As the client sees it. */
const DIRECTIONS = {
  signaling: "sendrecv",
  notify: "recvonly",
  push: "recvonly",
  stats: "sendrecv",
} as const satisfies Record<SystemLabel, string>;

/** Events of a connection's labels. */
export interface LabelsOwner {
  /** A message on a label for signaling. Undefined: the bytes are not one. */
  onSignal(label: SystemLabel, text: string | undefined): void | Promise<void>;
  /** Bytes on a label for messaging, inflated; undefined: they are not a zlib stream. */
  onMessage(label: string, bytes: Uint8Array | undefined): void;
  /** A push is larger than the client takes on a DataChannel. */
  onOversized(frame: Frame): void;
  onLabelClosed(code: number): void;
  slow(): void;
  failed(): void;
  shutdown(): void;
}

export class Labels {
  readonly #owner: LabelsOwner;
  readonly #settings: SoraSettings;
  readonly #requested: ReadonlyMap<string, RequestedLabel>;
  readonly #sockets = new Map<string, Socket>();

  constructor(owner: LabelsOwner, settings: SoraSettings, requested: readonly RequestedLabel[]) {
    this.#owner = owner;
    this.#settings = settings;
    this.#requested = new Map(requested.map((each) => [each.label, each]));
  }

  /** To be opened with the offer. */
  channels(): readonly PeerChannelOptions[] {
    const system = SYSTEM_LABELS.map((label): PeerChannelOptions => {
      const opening = this.#opening(label, (frame) => this.#onSystem(label, frame));
      const oversized = (frame: Frame) => this.#owner.onOversized(frame);
      return { label, opening, ...(label === "push" ? { oversized } : {}) };
    });
    return [...system, ...[...this.#requested.values()].map((each) => this.#messaging(each))];
  }

  /** Of the offer, JSON text. */
  describe(): string {
    const system = SYSTEM_LABELS.map((label) => {
      return { label, direction: DIRECTIONS[label], compress: this.#settings.compress };
    });
    const requested = [...this.#requested.values()].map(
      ({ label, direction, compress, header }) => {
        const type = "sender_connection_id";
        return { label, direction, compress, ...(header ? { header: [{ type }] } : {}) };
      },
    );
    return JSON.stringify([...system, ...requested]);
  }

  socket(label: SystemLabel): Socket | undefined {
    return this.#sockets.get(label);
  }

  send(label: SystemLabel, message: Message): void {
    this.#sockets.get(label)?.send(message.frame(this.#settings.compress));
  }

  /** Whether the client may send on a label for messaging. */
  mayMessage(label: string): boolean {
    return (this.#requested.get(label)?.direction ?? "recvonly") !== "recvonly";
  }

  /** What somebody else sent on a label, if the client receives there. */
  relay(label: string, bytes: Uint8Array, sender: string): void {
    const requested = this.#requested.get(label);
    if (requested === undefined || requested.direction === "sendonly") return;
    const { header, compress } = requested;
    const whole = header ? Buffer.concat([Buffer.from(sender), bytes]) : bytes;
    this.#sockets.get(label)?.send(compress ? deflated(whole) : whole);
  }

  #messaging(requested: RequestedLabel): PeerChannelOptions {
    const { label, ordered, protocol, maxPacketLifeTimeMs, maxRetransmits } = requested;
    return {
      ...{ label, ordered, protocol, maxPacketLifeTimeMs, maxRetransmits },
      opening: this.#opening(label, (frame) => this.#onMessaging(requested, frame)),
    };
  }

  #onSystem(label: SystemLabel, frame: Frame): void | Promise<void> {
    const { compress, message_size_limit: bytesMax } = this.#settings;
    return this.#owner.onSignal(label, textOf(frame, { compress, bytesMax }));
  }

  #onMessaging({ label, compress }: RequestedLabel, frame: Frame): void {
    const bytes = typeof frame === "string" ? Buffer.from(frame) : frame;
    const { message_size_limit: bytesMax } = this.#settings;
    this.#owner.onMessage(label, compress ? inflated(bytes, bytesMax) : bytes);
  }

  #opening(
    label: string,
    receive: (frame: Frame) => void | Promise<void>,
  ): PeerChannelOptions["opening"] {
    const owner = this.#owner;
    return {
      messageBytesMax: this.#settings.message_size_limit,
      bufferedBytesMax: this.#settings.queue_max_size,
      open: (socket): Session => {
        this.#sockets.set(label, socket);
        return {
          receive,
          slow: () => owner.slow(),
          failed: () => owner.failed(),
          shutdown: () => owner.shutdown(),
          closed: (code) => {
            this.#sockets.delete(label);
            owner.onLabelClosed(code);
          },
        };
      },
    };
  }
}
