/** The protocol's own bounds (task-tokens.md); what can be configured is in `TasksSettings`. */

/** §4.1: bytes of a request's body. */
export const RPC_BODY_BYTES_MAX = 262_144;
/** §4.3: requests of one batch. */
export const BATCH_REQUESTS_MAX = 50;
/** §4.5, §4.6: minutes of `timeout`, `reusable_minutes` and `new_timeout`; 7 days. */
export const MINUTES_MAX = 10_080;
/** §4.5: bytes of a context, encoded as it enters the id. */
export const CONTEXT_BYTES_MAX = 4096;
/** §4.5: minutes in which a single-use token opens its socket. */
export const SINGLE_USE_MINUTES = 5;
/** §4.6: decoded bytes of a message. */
export const MESSAGE_BYTES_MAX = 65_536;
/** §4.6: characters of an idempotency key. */
export const IDEMPOTENCY_KEY_CHARACTERS_MAX = 128;
/** §4.2: how far `sign-timestamp` may be from the server's time. */
export const TIMESTAMP_SECONDS_MAX = 300;
/** §4.2: how long a signature with a timestamp is remembered: from as far ahead as may be to as far behind, and a second. */
export const REPLAY_MS = 601_000;
