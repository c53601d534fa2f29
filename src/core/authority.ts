/** Who decides on connect, subscribe and refresh. A dialect asks; what it asks of is the app's. */
import type { Disconnect } from "./errors.ts";
import type { Payload } from "./types.ts";

/**
 * Each method verifies a token and says what it grants. What a grant rests on and may have ended since is looked at by its
 * `confirm`, once the caller has compared the grant with its connection.
 */
export interface Authority {
  /** Throws HubError `token_expired`, `invalid_token`, `unavailable`. */
  connect(request: { readonly token: string }): Promise<ConnectGrant>;
  /** A new token for a connection: the caller compares user and channels. Throws as `connect`. */
  refresh(request: TokenOfConnection): Promise<ConnectGrant>;
  /** A token that opens one channel: the caller compares channel, user and connection. Throws as `connect`. */
  subscribe(request: TokenOfConnection): Promise<ChannelGrant>;
}

export interface TokenOfConnection {
  readonly token: string;
  readonly connection: { readonly standing: Standing | undefined };
}

/** What a connection keeps of the grant that opened it. */
export interface Standing {
  /** It alone decides on the connection's later tokens. */
  readonly authority: Authority;
  /** The connection is a target under these. */
  readonly labels: readonly string[];
  /** When the token was made, epoch milliseconds: what a revocation compares with. */
  readonly issuedAtMs: number;
  /** The authority's own. */
  readonly detail: unknown;
}

/** A `hub.signal` body, for every dialect whose connections hold grants: ends those of grants that are not younger. */
export interface Revocation {
  readonly do: "revoke";
  readonly issuedBeforeMs: number;
  readonly reason: Disconnect;
}

/** Throws as `connect`, or DisconnectError. */
export type Confirm = () => Promise<void>;

/** The names and types of a token's claims, for messages about what it does not open; `userId` is the grant's. It holds none of the token. */
export type TellClaims = (userId: string) => string;

export interface ConnectGrant {
  /** `""`: anonymous. */
  readonly userId: string;
  /** Milliseconds since the epoch; absent: the connection does not expire. */
  readonly expiresAtMs?: number;
  readonly info?: Payload;
  /** Channels that the server subscribes the connection to. */
  readonly subscriptions: ReadonlyMap<string, SubscriptionGrant>;
  /** Present: a refresh with other channels changes the connection's, where otherwise it ends the connection. */
  readonly standing?: Standing;
  readonly tellClaims?: TellClaims;
  /** Connections of this user on this node. Absent: as the settings say. */
  readonly userConnectionsMax?: number;
  /** Asked before the answer, and only once the connection bears its labels, so that nothing that ends it can miss it. */
  readonly confirm?: Confirm;
}

export interface SubscriptionGrant {
  /** The dialect whose authority gives it, where a channel has an owner (core/namespaces.ts). */
  readonly grantedBy?: string;
  readonly expiresAtMs?: number;
  readonly channelInfo?: Payload;
  /** Given to the subscriber with the answer. */
  readonly data?: Payload;
}

export interface ChannelGrant extends SubscriptionGrant {
  readonly channel: string;
  readonly userId: string;
  readonly tellClaims?: TellClaims;
  /** The one connection that it is for, when the token names one. */
  readonly connectionId?: string;
  /** Asked before the answer. */
  readonly confirm?: Confirm;
}
