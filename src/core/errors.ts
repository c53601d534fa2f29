/** What can go wrong, in the core's own stable words. Each dialect translates them by one total table. */

export type HubErrorCode =
  | "already_subscribed"
  | "limit_exceeded"
  | "bad_request"
  | "not_available"
  | "token_expired"
  | "invalid_token"
  | "unrecoverable_position"
  /** The engine cannot do it now; the same call may succeed later. */
  | "unavailable";

export interface HubErrorOptions extends ErrorOptions {
  readonly detail?: string;
}

/** An expected failure: bad input, a refusal, something gone. Anything else that is thrown is a bug. */
export class HubError extends Error {
  readonly code: HubErrorCode;
  /** For the log, and for clients in development mode: more than the message where that leaves something open. */
  readonly detail: string;

  constructor(code: HubErrorCode, message: string, options?: HubErrorOptions) {
    super(message, options);
    this.detail = options?.detail ?? message;
    this.name = "HubError";
    this.code = code;
  }
}

/** Why the server ends a connection. What one dialect alone has reasons for is that dialect's own. */
export type DisconnectCode =
  | "shutdown"
  /** A bug, or an engine that is away. */
  | "internal_error"
  /** It takes what it is sent too slowly. */
  | "slow"
  | "no_pong"
  | "too_many_requests"
  /** A frame that the dialect does not know. */
  | "bad_request"
  /** Publications that cannot be had any more passed it by. */
  | "missed"
  /** Its wire format cannot carry a payload. */
  | "uncarriable"
  | "connection_limit"
  /** The application wants it gone, and not back. */
  | "ended"
  /** The application wants it to come back anew. */
  | "sent_back";

/** Closing a connection is not an error. Dialects map the code to their close codes. */
export interface Disconnect {
  readonly disconnect: DisconnectCode;
  /** A close code and reason that an application chose; dialects whose wire carries such codes use it in place of their own. */
  readonly wire?: { readonly code: number; readonly reason: string };
}

/** Thrown where the connection is to end rather than be answered. */
export class DisconnectError extends Error {
  readonly disconnect: Disconnect;

  constructor(disconnect: Disconnect) {
    super(disconnect.wire?.reason ?? disconnect.disconnect);
    this.disconnect = disconnect;
  }
}
