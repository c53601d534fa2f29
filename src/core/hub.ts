/** The hub: one app's connections, channels and subscriptions on this node, and what reaches them from any node. */
import type { HistoryLimits, HistoryPage } from "./engine.ts";
import type { Disconnect } from "./errors.ts";
import type { GroupMember } from "./fanout.ts";
import type { Namespaces } from "./namespaces.ts";
import type {
  ChannelRow,
  ConnectionFilter,
  ConnectionRow,
  Occupancy,
  Page,
  PageQuery,
} from "./pages.ts";
import type {
  Channel,
  ClientInfo,
  Frame,
  NewPublication,
  Note,
  Payload,
  Publication,
  Push,
  Reach,
  Reached,
  StreamPosition,
  Tags,
  Target,
} from "./types.ts";

export interface HubPublishOptions {
  /** The publication takes no offset and is not kept, whatever the channel's options. */
  readonly skipHistory?: boolean;
  /** In a space of a dialect's own, which no namespace rules: how much is kept at the least; absent: the publication takes no offset. Elsewhere the channel's options say. */
  readonly history?: HistoryLimits;
  readonly idempotencyKey?: string;
  readonly versionEpoch?: string;
  /** Passes by whoever claimed the channel's name: for what the claimer itself publishes there. */
  readonly pastClaims?: boolean;
}

/**
 * Takes over what is published to a channel of a claimed name, in place of the channel. Undefined: the channel is not the claimer's after
 * all, and is published to as ever.
 */
export type Claim = (
  name: string,
  publication: NewPublication,
  options: HubPublishOptions,
) => Promise<{ readonly position?: StreamPosition } | undefined>;

/**
 * What was published to a channel of a claimed name, as it is now: called whenever kept publications are read, for a history or a client
 * that recovers. Answers them in their order, none left out.
 */
export type Revise = (
  name: string,
  publications: readonly Publication[],
) => Promise<readonly Publication[]>;

export interface HubHistoryQuery {
  /** Publications at the most; 0: the position only. */
  readonly limit: number;
  /** Exclusive. An `epoch` other than `""` and the stream's is `unrecoverable_position`. */
  readonly since?: StreamPosition;
  readonly reverse?: boolean;
  /** As `revise` has it: for whoever reads a space that is not its own. */
  readonly revised?: boolean;
}

export interface ChannelFilter {
  /** Default: `channels`. */
  readonly space?: string;
  /** An RE2 expression, found anywhere in the name: a plain word matches the names that contain it. Absent: every name. */
  readonly pattern?: string;
  /** What the name begins with. Default: anything. */
  readonly prefix?: string;
  /** Only channels that a call with this reach may push to. Default: `all`. */
  readonly reach?: Reach;
}

export interface UserFilter {
  /** Only users with a connection that is subscribed to it. */
  readonly channel?: Channel;
}

export interface NodeInfo {
  readonly id: string;
  readonly connections: number;
  readonly users: number;
  readonly channels: number;
  readonly subscriptions: number;
  readonly uptimeMs: number;
}

export interface AskOptions {
  /** Ask this node alone. Default: every node. */
  readonly node?: string;
  /** Default: `CONTROL_DEADLINE_MS`. */
  readonly deadlineMs?: number;
}

/** One per app: what one app can name, no other can reach. Channels here are of the space `channels` unless said otherwise. */
export interface Hub {
  readonly app: string;
  readonly namespaces: Namespaces;
  connect(subscriber: Subscriber): Connection;
  /** Undefined: no offset was taken. Throws `bad_request` for a payload that the channel does not take. */
  publish(
    channel: Channel,
    publication: NewPublication,
    options?: HubPublishOptions,
  ): Promise<StreamPosition | undefined>;
  /**
   * From now on what is published on this node to channels whose names begin so is the claim's to take first. One for each prefix, the
   * last one given; of several that fit the first given decides.
   */
  claim(prefix: string, claim: Claim, revise?: Revise): void;
  /** What others are given of a space of a dialect's own; to its own reading nothing is done. */
  revise(space: string, revise: Revise): void;
  /** Tells the channel's subscriptions on every node, in one order with its publications; those whose format has no such push hear nothing. Not kept. */
  note(channel: Channel, note: Note): Promise<void>;
  /** Outside any channel, to each connection that matches, on every node. */
  push(target: Target, push: { readonly data: Payload; readonly tags?: Tags }): Promise<Reached>;
  disconnect(
    target: Target,
    reason: Disconnect,
    options?: { readonly exceptConnections?: readonly string[] },
  ): Promise<Reached>;
  /** To that dialect's own sessions; `body` is JSON data, its meaning the dialect's. Counts those whose `signal` returned true. */
  signal(target: Target, dialect: string, body: unknown): Promise<Reached>;
  /** Throws `not_available` without history, `unrecoverable_position` for another epoch. Every channel of a space of a dialect's own has a history. */
  history(channel: Channel, query: HubHistoryQuery): Promise<HistoryPage>;
  removeHistory(channel: Channel): Promise<void>;
  /** Throws `not_available` when the channel keeps no presence. */
  presence(channel: Channel): Promise<readonly ClientInfo[]>;
  presenceStats(channel: Channel): Promise<{ readonly clients: number; readonly users: number }>;
  /**
   * Channels with at least one subscribed connection, with their number, over all nodes. Throws `bad_request` for a pattern
   * that is none or too large, `unavailable` when no node answers in time.
   */
  channels(filter?: ChannelFilter): Promise<ReadonlyMap<string, number>>;
  /**
   * Publishes to each channel that `channels` finds; the answer is their number. One that does not take the payload is
   * counted and left out. Order is kept per channel, not between channels. `hearsIn`: spaces of their own in which dialects hear
   * what is published to a channel of the same name; those found there count as found, each name once.
   */
  publishMatching(
    filter: ChannelFilter,
    publication: NewPublication,
    hearsIn?: readonly string[],
  ): Promise<number>;
  /** Users with a connection, each once, in the order of their UTF-8 bytes, over all nodes. Throws `unavailable` likewise. */
  users(filter?: UserFilter): Promise<readonly string[]>;
  /** A part of what `channels` finds, in the order of the names, however many there are. Throws likewise. */
  channelPage(query: ChannelFilter & PageQuery): Promise<Page<ChannelRow>>;
  /** Connections over all nodes, in the order of their ids. Throws `unavailable` likewise. */
  connectionPage(query: ConnectionFilter & PageQuery): Promise<Page<ConnectionRow>>;
  /** How many connections are subscribed to one channel, or to any that the filter finds: once for each such channel. Throws likewise. */
  occupancy(of: Channel | ChannelFilter): Promise<Occupancy>;
  nodes(): Promise<readonly NodeInfo[]>;
  /** This node's, for `ask`. */
  readonly nodeId: string;
  /**
   * Answers what nodes of this app ask under this name: plain JSON data both ways, perhaps later. Null: this node has no answer.
   * One for each name, the last one given.
   */
  serve(service: string, answer: (request: unknown) => unknown): void;
  /** What the nodes answer, in no order: those that have no answer, do not serve it or are late are left out. */
  ask(service: string, request: unknown, options?: AskOptions): Promise<readonly unknown[]>;
  /** The user's connections on this node. */
  connectionsOf(user: string): number;
}

/** How a subscription's publications reach its client. */
export interface Route {
  /** The wire format and its variant: all subscriptions of a channel with one encoder are one group. */
  readonly encoder: Encoder;
  /** The socket that takes them. Absent: the subscriber's `send` does, one by one, each with what it encodes. */
  readonly member?: GroupMember | undefined;
}

export interface SubscribeOptions extends Route {
  /** Reads the position and is told of gaps. */
  readonly positioned?: boolean;
  /** Replays what was published since. An epoch of `""` matches any. Implies `positioned`. */
  readonly recoverSince?: StreamPosition;
  /** Publications that may be missing for recovery to be tried; default `RECOVERY_PUBLICATIONS_MAX`. */
  readonly recoverMax?: number;
  /**
   * Replays the newest publications that are kept, this many at the most, whatever came before them. No position is
   * promised by it: a stream that begins anew does not end the subscription. Not together with `recoverSince`.
   */
  readonly replayNewest?: number;
  /** Recovery that cannot be done throws `unrecoverable_position` instead of answering so. */
  readonly requireRecovery?: boolean;
  /** It relies on what is announced as well, which is not kept: `dropped` after any gap, also one whose publications can be had. */
  readonly unbroken?: boolean;
  /** Shown in presence, join, leave and as the publisher. */
  readonly channelInfo?: Payload;
  /** Kept in presence; default: as the channel's options say. */
  readonly presence?: boolean;
  /** Join and leave are announced; default: as the channel's options say. */
  readonly joinLeave?: boolean;
  /** What the subscription's `detail` is at first. */
  readonly detail?: unknown;
}

export interface Subscribed {
  /** Present when positioned, or with `replayNewest`: of the last publication that is not ahead of this subscription. */
  readonly position?: StreamPosition;
  /** Present when recovery was asked for. */
  readonly recovered?: boolean;
  /** Those recovered, ascending, without a gap up to `position`; with `replayNewest` those that are kept, ascending. */
  readonly publications: readonly Publication[];
}

export interface Subscription {
  readonly channel: Channel;
  readonly options: SubscribeOptions;
  /** The dialect's own, which may put another in its place. */
  detail: unknown;
  /** False until `reply` ran. */
  readonly active: boolean;
  /** Of the last publication that the channel's groups were handed; undefined until one told. */
  readonly position: StreamPosition | undefined;
}

export interface Connection {
  /** The number of subscriptions, those in progress included. */
  readonly subscriptionCount: number;
  subscription(channel: Channel): Subscription | undefined;
  subscriptions(): Iterable<Subscription>;
  /**
   * `reply` runs synchronously before the channel's first live publication is sent, so no client sees one before its answer.
   * It does not run when the connection closed or unsubscribed meanwhile. Throws `already_subscribed`, also while one is in progress.
   */
  subscribe(
    channel: Channel,
    options: SubscribeOptions,
    reply: (subscribed: Subscribed) => void,
  ): Promise<void>;
  /**
   * From the return on the channel's publications take this route, those before it the former one: none is lost, none comes twice.
   * What the former socket holds back of them still goes out there. False: there is no subscription.
   */
  move(channel: Channel, route: Route): boolean;
  /** Waits for a subscribe in progress. From the return on nothing of the channel is sent. False: there was no subscription. */
  unsubscribe(channel: Channel): Promise<boolean>;
  /** Makes the connection a target under this label: `role:recvonly`, `org:…`, `token:…`. */
  label(label: string): void;
  unlabel(label: string): void;
  /** Ends all subscriptions. The promise settles when their leaves are told; undefined: there are none. Further calls do nothing. */
  close(): Promise<void> | undefined;
}

/** All the core knows of a dialect's session. Protocol state stays in the session. */
export interface Subscriber extends ClientInfo {
  readonly dialect: string;
  /** What was sent and the peer has not taken. */
  readonly unsentBytes: number;
  /** For pushes outside channels. */
  readonly encoder: Encoder;
  /** Pushes outside channels, those of subscriptions without a member, and those that the encoder `completes`. `push`: what the frame encodes, for those who complete it with what is their own. `group`: its, for the member. */
  send(frame: Frame, push: Push, group?: string): void;
  /** The hub ended a subscription after a gap that could not be filled. Nothing more of it is sent. */
  dropped(subscription: Subscription): void;
  /** Whether it concerned this session; a promise settles once it took effect, and does not reject. */
  signal(body: unknown): boolean | Promise<boolean>;
  disconnect(reason: Disconnect): void;
}

/** One instance per wire format and variant for all connections: a push is encoded once, however many share it. */
export interface Encoder {
  /** Unique among all encoders of the process: it names the native groups. */
  readonly name: string;
  /** A Disconnect: this format cannot carry it, and ends the connections that should have had it. Undefined: it has no such push. */
  encode(push: Push): Frame | Disconnect | undefined;
  /**
   * Whether each subscriber is to complete the frame with what is its own, or leave it: then `send` is called for every one, also
   * where the socket is a group's member, and in one order with what the group is sent natively if it goes on by `member.push` with the group.
   * Default: never.
   */
  completes?(push: Push): boolean;
  /** Several frames in one, in their order. Absent: the format has one push in a frame. */
  readonly join?: (this: void, frames: readonly Frame[]) => Frame;
}
