/**
 * What the session layer asks of the durable state of conversations (messaging.md §5, §7.2 to §7.5, §9, §11, §12): channels, members,
 * invitations, messages, receipts, blocks. Each operation takes its caller's subscriber id first, decides the caller's rights itself
 * and throws `Refusal` (`../errors.ts`) where the protocol answers an error, HubError `unavailable` where the engine is away. What
 * resolved survives a kill. Nothing here tells anyone but the channel's listeners of a message: answers say whom to tell what.
 */
import type { CompactJson } from "../../../core/json-text.ts";
import type { Channel, Publication } from "../../../core/types.ts";

export type Access = "invite" | "open";

/** What a channel is to everyone who may know of it. */
export interface ChannelView {
  readonly channelId: string;
  readonly name: string;
  /** A JSON object as text, numbers as they came. */
  readonly attributes: CompactJson;
  readonly access: Access;
  /** How many members there are. */
  readonly subscribers: number;
  /** Only towards administrators is it to be shown. */
  readonly inviteToken: string;
  /**
   * Grows with every change of the channel, its members and their roles, on any node: of two events of one channel, the one with the
   * higher revision happened later, whatever order they arrive in.
   */
  readonly revision: number;
}

export interface Member {
  readonly subscriber: string;
  readonly administrator: boolean;
  readonly joinedMs: number;
  /** Messages up to it are not the member's to see. */
  readonly joinSequence: number;
  readonly readSequence: number;
  readonly deliveredSequence: number;
}

/** A member's own relation to a channel. */
export interface Membership extends ChannelView {
  readonly member: Member;
  readonly lastSequence: number;
}

export interface Invitation {
  readonly channelId: string;
  readonly subscriber: string;
  readonly from: string;
  readonly note?: string;
  readonly timeMs: number;
  /** The channel as it is now. */
  readonly name: string;
  readonly attributes: CompactJson;
}

export interface NewChannel {
  readonly name?: string | undefined;
  readonly inviteToken?: string | undefined;
  readonly attributes?: CompactJson | undefined;
  readonly access?: Access | undefined;
}

/** `attributes` are merged (G11); `inviteToken` `""` makes a fresh one. */
export type ChannelChanges = NewChannel;

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly more: boolean;
}

export interface PageQuery {
  /** Exclusive. */
  readonly after?: string | undefined;
  /** Default 200. */
  readonly limit?: number | undefined;
}

export interface Joined {
  readonly membership: Membership;
  /** False: the caller was a member before, and nobody is to be told. */
  readonly changed: boolean;
}

export interface Left {
  /** As it was left. `subscribers` 0: it is gone. */
  readonly channel: ChannelView;
  /** The member that became administrator with it (§7.2): `subscriber-updated` and `membership` are due. */
  readonly successor?: Member;
}

export interface RoleChange {
  readonly channel: ChannelView;
  /** As it is now. */
  readonly member: Member;
  /** False: it was so before, and nobody is to be told. */
  readonly changed: boolean;
}

export interface Channels {
  /** `token-in-use`, `limit-reached`, `too-large`, `invalid-field`. */
  create(caller: string, channel: NewChannel): Promise<Membership>;
  /** By `channelId`, `inviteToken`, or both, which then have to match. `not-found`, `limit-reached`. */
  join(
    caller: string,
    by: { readonly channelId?: string | undefined; readonly inviteToken?: string | undefined },
  ): Promise<Joined>;
  leave(caller: string, channelId: string): Promise<Left>;
  update(caller: string, channelId: string, changes: ChannelChanges): Promise<Membership>;
  /** The channel as it was. Its listeners are the members to be told. */
  delete(caller: string, channelId: string): Promise<ChannelView>;
  /** The channels that the caller is a member of. */
  ids(caller: string): Promise<readonly string[]>;
  /** The caller's memberships, by channel-id: `channel_limit` of them at the most. */
  list(caller: string): Promise<readonly Membership[]>;
  /** One of them; undefined: the caller is no member. */
  find(caller: string, channelId: string): Promise<Membership | undefined>;
  /** Open channels by channel-id; `member` where the caller is one. */
  discover(
    caller: string,
    query: PageQuery,
  ): Promise<Page<ChannelView & { readonly membership?: Membership }>>;
  /** The subscriber leaves every channel, without asking (cause `deactivated`). */
  leaveAll(subscriber: string): Promise<readonly Left[]>;
}

export interface Members {
  /** Members by subscriber id. The caller has to be one. */
  list(caller: string, channelId: string, query: PageQuery): Promise<Page<Member>>;
  /** `not-found`, `not-administrator`, `last-administrator`. */
  setAdministrator(
    caller: string,
    channelId: string,
    change: { readonly subscriber: string; readonly administrator: boolean },
  ): Promise<RoleChange>;
  /** Oneself: `invalid-field`. The answer is the channel without the member. */
  remove(
    caller: string,
    channelId: string,
    removal: { readonly subscriber: string; readonly ban?: boolean | undefined },
  ): Promise<ChannelView>;
}

export interface Invitations {
  /** All or none: those that are to be told, which leaves out members. `not-found` and `limit-reached` name the subscriber as `field`. */
  invite(
    caller: string,
    channelId: string,
    invited: { readonly subscribers: readonly string[]; readonly note?: string | undefined },
  ): Promise<readonly Invitation[]>;
  /** The inviter (`from`) is to be told. `not-found` without an invitation. */
  decline(caller: string, channelId: string): Promise<Invitation>;
  /** By an administrator or the inviter. The invitee is to be told. */
  cancel(caller: string, channelId: string, subscriber: string): Promise<Invitation>;
  /** The caller's, oldest first. */
  list(caller: string): Promise<readonly Invitation[]>;
  /** They were written to a connection of the invitee: no backlog has them any more. */
  told(
    invitations: readonly Pick<Invitation, "channelId" | "subscriber" | "timeMs">[],
  ): Promise<void>;
}

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
  /** Of a repetition: id, sequence and time of the first one, and else what was sent now. */
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
   * are no members; `too-large`.
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

export type BacklogItem =
  | { readonly invitation: Invitation }
  | { readonly message: CurrentMessage }
  | { readonly report: Report };

export interface Backlog {
  /**
   * §11.4, in its order, read as it is taken, so that a connection may take it as fast as it can: little of it is in memory. Nothing is
   * marked as told: `told`, `delivered`, `deliveredInChannels` and `reportsTold` do that.
   */
  read(subscriber: string): AsyncIterable<BacklogItem>;
}

export interface Blocks {
  /** `not-found`, `limit-reached`. */
  block(caller: string, subscriber: string): Promise<void>;
  unblock(caller: string, subscriber: string): Promise<void>;
  /** By id. */
  list(caller: string): Promise<readonly string[]>;
  /** Who of them has blocked `subscriber`. */
  blockersOf(subscriber: string, among: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface Chat {
  readonly channels: Channels;
  readonly members: Members;
  readonly invitations: Invitations;
  readonly messages: Messages;
  readonly receipts: Receipts;
  readonly backlog: Backlog;
  readonly blocks: Blocks;
  /** Ends the removal of channels that a kill interrupted. To be called at the start; it may run beside everything else. */
  start(): Promise<void>;
}

/** Where a channel's messages are published: what its members' connections subscribe to, `unbroken`. */
export const messageChannel = (channelId: string): Channel => ({
  space: "messaging",
  name: channelId,
});

/** What was published in `messageChannel` or `directChannel`, for encoders and for what the history recovers (`message-data.ts`). */
export type ReadMessage = (channel: Channel, publication: Publication) => Message | undefined;
