/** Every way a connection ends, with its error text and close code (task-tokens.md §5.6). */
import type { DisconnectCode } from "../../core/errors.ts";

export interface End {
  /** RFC 6455 or private close code; 4000 to 4499 advise to reconnect, 4500 to 4999 forbid it. */
  readonly code: number;
  /** The last frame's `Error`. Absent: no frame comes before the close. */
  readonly error?: string;
}

export const ENDS = {
  /** Behind the frame of a final message, which says `Completed` itself. */
  completed: { code: 1000 },
  invalid_token: { code: 4502, error: "invalid token" },
  token_expired: { code: 4503, error: "token expired" },
  revoked: { code: 4504, error: "revoked" },
  authentication_timeout: { code: 4505, error: "authentication timeout" },
  bad_request: { code: 4506, error: "bad request" },
  timeout: { code: 4500, error: "timeout" },
  replaced: { code: 4501, error: "replaced" },
  too_many_connections: { code: 4403, error: "too many connections" },
  slow_consumer: { code: 4402, error: "slow consumer" },
  restart: { code: 1012 },
  internal: { code: 1011 },
  no_pong: { code: 1001 },
} as const satisfies Record<string, End>;

export type EndName = keyof typeof ENDS;

/** What the hub's reasons come to. Total: a new reason does not compile until it has an end here. */
export const DISCONNECT_ENDS = {
  shutdown: "restart",
  sent_back: "restart",
  internal_error: "internal",
  missed: "internal",
  uncarriable: "internal",
  slow: "slow_consumer",
  no_pong: "no_pong",
  too_many_requests: "bad_request",
  bad_request: "bad_request",
  connection_limit: "too_many_connections",
  ended: "revoked",
} as const satisfies Record<DisconnectCode, EndName>;
