/** What the dialect can be told, and what its sessions and routes share. § numbers are gusher.md's. */
import type { Claims } from "../../auth/key-set.ts";
import type { Hub } from "../../core/hub.ts";
import type { JobQueue, Records, WorkerLists } from "../../core/engine.ts";
import type { SessionServices } from "../dialect.ts";

/** Recommended defaults of §15.3; each strict original behaviour is a switch. */
export interface GusherSettings {
  /** Lifetime of a token from `/auth`, milliseconds (D4). Default 60 s. */
  readonly tokenTtlMs: number;
  /** Bytes of one inbound message (D6). Default 4096; the original's is 512. */
  readonly messageBytesMax: number;
  readonly bufferedBytesMax: number;
  /** §5.9: protocol-level pings from connect on. Default 54 s. */
  readonly pingIntervalMs: number;
  /** §5.9: no pong for this long ends the socket. Default 60 s. */
  readonly pongTimeoutMs: number;
  /** §5.9, D8: a socket without subscriptions is ended at each ping tick. Default true. */
  readonly dropIdle: boolean;
  /** D13: `*` in a grant also stands for no character. Default false. */
  readonly grantStarEmpty: boolean;
  /** D1, D2, D3, D5, D7: the original's behaviour in place of the recommended. Each default false. */
  readonly strictPing: boolean;
  readonly strictMultiSubscribe: boolean;
  readonly strictReload: boolean;
  readonly strictBinary: boolean;
  readonly strictClose: boolean;
  /** Subscriptions of one connection. */
  readonly channelLimit: number;
  /** Connections of one user on this node, by whichever dialect; 0: any number. */
  readonly userConnectionLimit: number;
  /** Connections of one app on this node, by whichever dialect; 0: any number. Beyond it upgrades are refused with 503. */
  readonly connectionLimit: number;
  /** Bytes of a channel's name. */
  readonly channelBytesMax: number;
  /** Commands of one connection per second, beyond which it is ended; 0: any number. */
  readonly commandsPerSecondMax: number;
}

/** Claims of a verified grant (§4), with every default filled in. */
export interface GusherClaims {
  readonly channels: readonly string[];
  readonly userId: string;
  readonly appKey: string;
  readonly remotes: Readonly<Record<string, boolean>>;
}

/** One per app. The app's id is its `app_key`. */
export interface GusherContext extends SessionServices {
  readonly hub: Hub & { stats(): { readonly connections: number } };
  readonly settings: GusherSettings;
  /** Login tokens live here under `gusher/token/…`. */
  readonly records: Records;
  /** Remote jobs: one queue per `<app_key>@<remote>`. */
  readonly queue: JobQueue;
  /** Where they go in its place, when they are to be found as the original leaves them (§8, §9). */
  readonly jobLists?: WorkerLists;
  /** Verified registered and private claims of a JWT; throws HubError `token_invalid` or `token_expired`. */
  readonly verify: (jwt: string) => Promise<Claims>;
}
