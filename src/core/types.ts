/** The words that every part of the server shares: channels, payloads, publications, pushes, targets. Plain data only. */
import type { CompactJson } from "./json-text.ts";

/** A channel's identity. Dialects that share channels share the space `channels`; internals use spaces of their own. */
export interface Channel {
  readonly space: string;
  readonly name: string;
}

/** The space of every channel that a dialect's users can name. */
export const CHANNELS = "channels";

/** `json` is spliced into frames and never parsed again. */
export type Payload = { readonly json: CompactJson } | { readonly bytes: Uint8Array };

export type Tags = Readonly<Record<string, string>>;

/** One unit on the wire, already in one dialect's format: text, or bytes for a binary frame. */
export type Frame = string | Uint8Array;

/** A place in a channel's stream. `offset` counts from 1 within one `epoch`; 0 means nothing was published yet. */
export interface StreamPosition {
  readonly epoch: string;
  readonly offset: number;
}

/** Who is behind a connection, as shown to others: in presence, join and leave, and as a publication's publisher. */
export interface ClientInfo {
  readonly connectionId: string;
  /** A confirmed identity; `""` is anonymous. */
  readonly userId: string;
  /** Attached to the connection by its token or authorization hook. */
  readonly info?: Payload;
  /** Attached to this channel's subscription, likewise. */
  readonly channelInfo?: Payload;
}

export interface NewPublication {
  readonly data: Payload;
  readonly tags?: Tags;
  /** Set when a connection published; absent for a server's publication. */
  readonly publisher?: ClientInfo;
  /** > 0: which state of its subject it tells of. With history it is dropped when not above the last stored one (`PublishOptions.versionEpoch`). */
  readonly version?: number;
  /** This connection does not receive it. */
  readonly exceptConnectionId?: string;
}

export interface Publication extends NewPublication {
  /** Milliseconds since the Unix epoch, on the publishing node's clock. */
  readonly timeMs: number;
  /** Absent when the channel keeps no history, or this publication was kept out of it. */
  readonly position?: StreamPosition;
}

/** Something that happened in a channel and is not a publication: its dialect's own, and nothing to the others. */
export interface Note {
  readonly dialect: string;
  readonly json: CompactJson;
}

/** What the server sends unasked. An `Encoder` turns it into one dialect's frame. */
export type Push =
  | { readonly type: "publication"; readonly channel: Channel; readonly publication: Publication }
  | { readonly type: "join" | "leave"; readonly channel: Channel; readonly client: ClientInfo }
  | { readonly type: "note"; readonly channel: Channel; readonly note: Note }
  /** To a user, connection or label, outside any channel. */
  | { readonly type: "direct"; readonly data: Payload; readonly tags?: Tags };

/**
 * In whose name a call acts: its own dialect's, and that of the dialects whose scopes its key has; `all`: everyone's. It
 * says which channels (`isReachable`) and whose connections the call reaches. Plain data, so that it crosses nodes.
 */
export type Reach = readonly string[] | "all";

/**
 * Whom a push, signal or disconnect is for. Serialisable, so that it crosses nodes. Patterns and channels are `hub.publish`'s.
 * `reach`: connections of these dialects alone; absent: `all`.
 */
export type Target = Selection & { readonly reach?: Reach };

type Selection =
  | { readonly user: string }
  /** With `user`, only if the connection is that user's; with `channel`, only if it is subscribed to it. */
  | { readonly connection: string; readonly user?: string; readonly channel?: Channel }
  | { readonly label: string }
  | { readonly channel: Channel };

/** How many connections a targeted operation matched, and how many nodes answered before the deadline. */
export interface Reached {
  readonly matched: number;
  readonly nodesAnswered: number;
  readonly nodesAsked: number;
}
