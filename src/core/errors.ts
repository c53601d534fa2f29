/** What can go wrong, in the core's own stable words. Each dialect translates them by one total table. */

export type HubErrorCode =
  | "internal"
  | "unauthorized"
  | "unknown_channel"
  | "permission_denied"
  | "method_not_found"
  | "already_subscribed"
  | "limit_exceeded"
  | "bad_request"
  | "not_available"
  | "token_expired"
  | "token_invalid"
  | "expired"
  | "too_many_requests"
  | "unrecoverable_position"
  | "conflict"
  /** The engine cannot do it now; the same call may succeed later. */
  | "unavailable";

/** An expected failure: bad input, a refusal, something gone. Anything else that is thrown is a bug. */
export class HubError extends Error {
  readonly code: HubErrorCode;

  constructor(code: HubErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "HubError";
    this.code = code;
  }
}

/** Why the server ends a connection, and whether its client should come back. */
export const DISCONNECT_RECONNECTS = {
  connection_closed: true,
  shutdown: true,
  internal_error: true,
  connection_expired: true,
  subscription_expired: true,
  slow: true,
  write_error: true,
  insufficient_state: true,
  force_reconnect: true,
  no_pong: true,
  too_many_requests: true,
  invalid_token: false,
  bad_request: false,
  stale: false,
  force_disconnect: false,
  connection_limit: false,
  channel_limit: false,
  inappropriate_protocol: false,
  permission_denied: false,
  not_available: false,
  too_many_errors: false,
} as const satisfies Record<string, boolean>;

export type DisconnectCode = keyof typeof DISCONNECT_RECONNECTS;

/** Closing a connection is not an error. Dialects map the code to their close codes. */
export interface Disconnect {
  readonly disconnect: DisconnectCode;
  /** A close code and reason that an application chose; dialects whose wire carries such codes use it in place of their own. */
  readonly wire?: { readonly code: number; readonly reason: string };
}

/** Thrown where a command is to end its connection rather than be answered. */
export class DisconnectError extends Error {
  readonly disconnect: Disconnect;
  /** For the log: what the reason leaves open. */
  readonly detail: string | undefined;

  /** `because`: the detail, or the error that says it. */
  constructor(reason: DisconnectCode | Disconnect, because?: string | Error) {
    const disconnect = typeof reason === "string" ? { disconnect: reason } : reason;
    super(disconnect.wire?.reason ?? disconnect.disconnect, { cause: because });
    this.disconnect = disconnect;
    this.detail = typeof because === "string" ? because : because?.message;
  }
}
