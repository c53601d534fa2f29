/** What the dialect can be told, and what its sessions share. Names and defaults are Centrifugo's `client.*` (§16). */
import type { Authority } from "../../core/authority.ts";
import type { Hub } from "../../core/hub.ts";
import type { Encoders } from "./encoders.ts";
import type { SessionServices } from "../dialect.ts";

export interface StreamingSettings {
  readonly allowAnonymousConnectWithoutToken: boolean;
  /** Anyone may connect and do anything save open `$` channels; token expiry is ignored. For development only. */
  readonly insecure: boolean;
  readonly disallowAnonymousConnectionTokens: boolean;
  /** Request header whose value is the user when nothing else told; `""`: none. Only behind a proxy that sets it. */
  readonly userIdHttpHeader: string;
  /** Subscriptions of one connection, server-side ones included. */
  readonly channelLimit: number;
  /** Connections of one user on this node; 0: any number. */
  readonly userConnectionLimit: number;
  /** Connections of one app on this node; 0: any number. Beyond it upgrades are refused with 503. */
  readonly connectionLimit: number;
  /** 0: no pings. */
  readonly pingIntervalMs: number;
  readonly pongTimeoutMs: number;
  readonly staleCloseDelayMs: number;
  readonly expiredCloseDelayMs: number;
  readonly expiredSubCloseDelayMs: number;
  readonly historyPublicationsMax: number;
  readonly recoveryPublicationsMax: number;
  readonly bufferedBytesMax: number;
  readonly messageBytesMax: number;
  /** Of a call of the server API. It is read in one go, which holds up everybody else for as long. */
  readonly bodyBytesMax: number;
  readonly channelBytesMax: number;
  /** 0: any number. Beyond it commands are answered 111, and beyond twice it the connection ends with 3013. */
  readonly commandsPerSecondMax: number;
  readonly connectIncludeServerTime: boolean;
  readonly personalChannel: {
    readonly enabled: boolean;
    /** `""`: without a namespace. */
    readonly namespace: string;
    readonly singleConnection: boolean;
  };
  /** Built-in RPC method with an empty result; `""`: none. */
  readonly rpcPingMethod: string;
  /** Error 107 says which member is wrong, and why: in development mode. */
  readonly explainsBadRequests: boolean;
  /** Shown to clients. */
  readonly serverVersion: string;
}

/** One per app; shared by its sessions, which keep nothing that can be kept here. */
export interface StreamingContext extends SessionServices {
  readonly hub: Hub;
  readonly settings: StreamingSettings;
  readonly authority: Authority;
  readonly encoders: Encoders;
}
