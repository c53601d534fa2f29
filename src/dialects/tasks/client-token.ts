/**
 * Client tokens (task-tokens.md §3.2): opaque to clients, sealed so that any node of any restart opens them without a
 * store. What a token must still be held against (expiry, revocation, single use) is the session's to ask.
 */

/** What one call of `get_envoy_token` grants. Connections carry the options of the token they presented (§3). */
export interface TaskToken {
  /** 32 lower-case hexadecimal digits, random; what may be logged of a token. */
  readonly tokenId: string;
  /** The app's. */
  readonly publicId: string;
  /** As `TaskIds` makes them: 80 lower-case hexadecimal digits. */
  readonly taskId: string;
  readonly issuedMs: number;
  /** Epoch milliseconds from which on it opens no new socket; without leeway (§5.8). */
  readonly expiresMs: number;
  /** `reusable_minutes: 0`: it opens exactly one socket (§4.5). */
  readonly singleUse: boolean;
  /** Time of a connection without a message, milliseconds (§5.2). */
  readonly timeoutMs: number;
  readonly sendOfflineMessage: boolean;
  readonly singleInstance: boolean;
  readonly persistTimeout: boolean;
}

export interface ClientTokens {
  /** Standard base64 with padding; another text each time. */
  seal(token: TaskToken): string;
  /**
   * Takes standard and URL-safe base64, with and without padding. Undefined for what no key of this server sealed, in whatever way
   * it is broken. An expired token is opened too.
   */
  open(text: string): TaskToken | undefined;
}
