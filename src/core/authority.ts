/** Who decides on connect, subscribe and refresh. A dialect asks; what it asks of is the app's. */
import type { Payload } from "./types.ts";

export interface Authority {
  /** Throws HubError `token_expired`, `token_invalid`, `permission_denied`, `unknown_channel`. */
  connect(request: { readonly token: string }): Promise<ConnectGrant>;
  /** A new token for a connection: the caller compares user and channels. Throws as `connect`. */
  refresh(request: { readonly token: string }): Promise<ConnectGrant>;
  /** A token that opens one channel: the caller compares channel and user. Throws as `connect`. */
  subscribe(request: { readonly token: string }): Promise<ChannelGrant>;
}

export interface ConnectGrant {
  /** `""`: anonymous. */
  readonly userId: string;
  /** Milliseconds since the epoch; absent: the connection does not expire. */
  readonly expiresAtMs?: number;
  readonly info?: Payload;
  /** Channels that the server subscribes the connection to. */
  readonly subscriptions: ReadonlyMap<string, SubscriptionGrant>;
}

export interface SubscriptionGrant {
  readonly expiresAtMs?: number;
  readonly channelInfo?: Payload;
  /** Given to the subscriber with the answer. */
  readonly data?: Payload;
  /** Replace the channel's own options, each if present. */
  readonly override?: SubscriptionOverride;
}

export interface SubscriptionOverride {
  readonly presence?: boolean;
  readonly joinLeave?: boolean;
  readonly forcePushJoinLeave?: boolean;
  readonly forcePositioning?: boolean;
  readonly forceRecovery?: boolean;
}

export interface ChannelGrant extends SubscriptionGrant {
  readonly channel: string;
  readonly userId: string;
  /** The one connection that it is for, when the token names one. */
  readonly connectionId?: string;
}
