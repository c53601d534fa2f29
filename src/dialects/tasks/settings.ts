/** What the dialect can be told. § numbers are task-tokens.md's. */

/** Calls per second, with what may come at once. */
export interface CallRate {
  readonly perSecond: number;
  readonly burst: number;
}

/** Of one app. Defaults are the specification's; times are milliseconds. */
export interface TasksSettings {
  /** §4.3: no trailing commas, and a call without an id is a notification. Default false. */
  readonly strict: boolean;
  /** §4.6: `any` takes messages that are no base64. Default `base64`. */
  readonly messageFormat: "base64" | "any";
  /** §4.2: a signed call must carry `sign-timestamp`. Default false. */
  readonly requireTimestamp: boolean;
  /** §4.4: every call is refused as forbidden. Default false. */
  readonly suspended: boolean;
  /** §2.1: `persist_timeout` also ends the earlier connection. Default true. */
  readonly persistTimeoutDisplaces: boolean;
  /** §5.5, of clients that ask for no other. Default 2 s; at most 4 s. */
  readonly tickIntervalMs: number;
  /** §5.3: how long a last message is kept at the least. Default 24 h; at most 7 days. */
  readonly retentionMs: number;
  /** §5.1: the first frame must have come by then. Default 10 s. */
  readonly authenticationTimeoutMs: number;
  /** §5.6. Default 25 s. */
  readonly pingIntervalMs: number;
  /** §5.6: after a ping. Default 10 s. */
  readonly pongTimeoutMs: number;
  /** §5.6: bytes that may wait for a client; ticks are skipped beyond it. Default 1 MiB. */
  readonly bufferedBytesMax: number;
  /** §5.9. */
  readonly tokenCalls: CallRate;
  readonly invokeCalls: CallRate;
  /** Per task. */
  readonly taskInvokesPerSecond: number;
  readonly taskConnectionsMax: number;
  /** Of the app, on this node. */
  readonly connectionsMax: number;
  readonly taskAcceptancesPerMinute: number;
  /** Per address. */
  readonly failedAuthenticationsPerMinute: number;
}
