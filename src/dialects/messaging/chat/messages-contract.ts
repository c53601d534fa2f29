/** Operations on messages, their history and overlays (messaging.md §7.4, §11). Rules of every operation are in `contract.ts`. */
import type { CompactJson } from "../../../core/json-text.ts";
import type { Channel, Publication } from "../../../core/types.ts";
import type { Page } from "./channels-contract.ts";

/** §1.5, lowest first. */
export const DELIVERY_STATUSES = ["stored", "received", "displayed", "read"] as const;
export type DeliveryStatus = (typeof DELIVERY_STATUSES)[number];

export interface MessageContent {
  readonly content: string;
  readonly contentType: string;
  /** A JSON object as text. */
  readonly attributes: CompactJson;
}

/** As it was published. */
export interface Message extends MessageContent {
  readonly messageId: string;
  /** `""`: pushed through another dialect. */
  readonly from: string;
  readonly sequence: number;
  readonly timeMs: number;
  /** Of a channel, or of a direct conversation: one of the two. */
  readonly channelId?: string;
  readonly to?: string;
  /** The connection that sent it. */
  readonly connectionId?: string | undefined;
}

/** As it is now: edits are in it, and a deleted one has `""` as content and no attributes. */
export interface CurrentMessage extends Message {
  readonly editedMs?: number;
  readonly deletedBy?: string;
  /** Of direct messages. */
  readonly status?: DeliveryStatus;
}

export interface NewMessage {
  readonly content: string;
  /** Default `text/plain`. */
  readonly contentType?: string | undefined;
  /** Default `{}`. */
  readonly attributes?: CompactJson | undefined;
  readonly dedupeKey?: string | undefined;
  /** The sending connection: it does not receive the message. */
  readonly connectionId?: string | undefined;
}

export interface Sent {
  /** Of a repetition: id, sequence and time of the first one; the rest as it was sent now. */
  readonly message: Message;
  /** A repetition by its `dedupeKey`: nothing new is to be delivered. */
  readonly repeated: boolean;
}

/** The sender's `delivery` (§8.3). */
export interface Report {
  /** Whom to tell. */
  readonly sender: string;
  readonly messageId: string;
  readonly status: DeliveryStatus;
  readonly by: string;
  readonly timeMs: number;
  /** For `reportsTold` alone. */
  readonly version: number;
}

export interface HistoryPage {
  readonly messages: readonly CurrentMessage[];
  readonly more: boolean;
}

export interface HistoryRange {
  /** Exclusive. */
  readonly before?: number | undefined;
  /** Exclusive. */
  readonly after?: number | undefined;
  /** Default 50. */
  readonly limit?: number | undefined;
}

export type Edited = { readonly message: CurrentMessage } & Audience;
/** Who else has the message: the channel's listeners, or the two of a direct conversation. */
export interface Audience {
  readonly channelId?: string;
  readonly subscribers?: readonly string[];
}

export interface Conversation {
  readonly with: string;
  readonly lastSequence: number;
  readonly unread: number;
  readonly timeMs: number;
}

export interface Messages {
  /**
   * Publishes it to the channel `messageChannel(channelId)`, once it is durable; the answer comes then. `not-found` for those that
   * are not members; `too-large`.
   */
  sendToChannel(caller: string, channelId: string, message: NewMessage): Promise<Sent>;
  /**
   * Durable, and published to `directChannel`, which nobody listens to: the recipient's connections and the sender's others are the
   * session layer's to tell. `not-found`, `blocked`, `too-large`.
   */
  sendDirect(caller: string, to: string, message: NewMessage): Promise<Sent>;
  channelHistory(caller: string, channelId: string, range: HistoryRange): Promise<HistoryPage>;
  /** Own messages carry `status`; others' too, which is not to be shown. */
  directHistory(caller: string, other: string, range: HistoryRange): Promise<HistoryPage>;
  edit(caller: string, messageId: string, content: NewMessage): Promise<Edited>;
  delete(caller: string, messageId: string): Promise<Edited>;
  conversations(
    caller: string,
    query: { readonly limit?: number | undefined; readonly beforeMs?: number | undefined },
  ): Promise<Page<Conversation>>;
}

export interface Receipts {
  /** §7.4: all or none. `not-found` names the id as `field`. */
  receipt(
    caller: string,
    receipt: {
      readonly messageIds: readonly string[];
      readonly status: "displayed" | "read";
    },
  ): Promise<{
    /** To the senders. */
    readonly reports: readonly Report[];
    /** `read-position`, to the caller's own other connections: of channels whose position moved. */
    readonly positions: readonly { readonly channelId: string; readonly sequence: number }[];
  }>;
  /** Up to where the subscriber's application was given the direct messages of the conversation with `other`. */
  deliveredUpTo(subscriber: string, other: string): Promise<number>;
  /**
   * Direct messages up to `sequence` were written to a connection of `subscriber`: what entered `received` by it. Never goes back. The
   * reports are kept for the senders until `reportsTold`.
   */
  delivered(subscriber: string, other: string, sequence: number): Promise<readonly Report[]>;
  /** They were written to a connection of the sender: no backlog has them any more. */
  reportsTold(reports: readonly Report[]): Promise<void>;
  /** Messages of channels up to there were written to a connection of `subscriber`. Never goes back; channels that it left are passed over. */
  deliveredInChannels(subscriber: string, sequences: ReadonlyMap<string, number>): Promise<void>;
}

/** The hub channel of a channel's messages: its members' connections subscribe to it, `unbroken`. */
export const messageChannel = (channelId: string): Channel => ({
  space: "messaging",
  name: channelId,
});

/** A publication of `messageChannel` or `directChannel`, for encoders and for recovery from the history (`message-data.ts`). */
export type ReadMessage = (channel: Channel, publication: Publication) => Message | undefined;
