/** The protocol's own bounds (task-tokens.md); what can be configured is in `config.ts`. */

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

/** §5.1: bytes of the first frame. */
export const FIRST_FRAME_BYTES_MAX = 8192;
/** §5.6: bytes of each later frame, which is ignored otherwise. */
export const CLIENT_FRAME_BYTES_MAX = 4096;
/** §5.6: later frames of one client. */
export const CLIENT_FRAMES_PER_MINUTE = 60;
/** Bytes of a message that is read at all, so that a too large frame gets its error and not the listener's: as many may wait unfinished. */
export const SOCKET_MESSAGE_BYTES_MAX = 65_536;
/** §5.1: seconds of a tick period that a client asks for. */
export const TICK_SECONDS_MAX = 60;
/** §5.8: between looks whether a connection that stands alone is still the newest. */
export const NEWEST_CHECK_MS = 30_000;
/** §5.8: how often, and milliseconds apart, nodes that did not answer are told again that connections are to end. */
export const TELL_AGAIN_MAX = 6;
export const TELL_AGAIN_MS = 5000;
/** §5.3: how long the message of a task is kept that nothing is known of. */
export const UNKNOWN_TASK_RETENTION_MS = 3_600_000;
/**
 * How long a stream's sequence goes on behind its last message: no connection lives longer than the seven days of a
 * `timeout` or `new_timeout` without a further one, and a token that a close revokes none either.
 */
export const SEQUENCE_KEPT_MS = 604_800_000 + 60_000;
/** A message that is not kept is held back this long from the store's sweep: a node that missed it reads it again. */
export const UNKEPT_MESSAGE_MS = 60_000;
/** Addresses whose failures are remembered; beyond it the oldest are forgotten. */
export const FAILING_ADDRESSES_MAX = 10_000;
/** Messages that wait while a connection joins its task; a store that takes longer is away. */
export const EARLY_MESSAGES_MAX = 100;
