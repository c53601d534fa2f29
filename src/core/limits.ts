/** The core's bounds: name, unit, and what each protects. Dialects keep those of their own protocols. */

/** Publications that one recovery replays unless the subscription says otherwise: bounds the subscribe answer. */
export const RECOVERY_PUBLICATIONS_MAX = 300;

/** Publications held for one subscribe in progress; beyond it the join reads the history again. */
export const JOIN_BUFFER_PUBLICATIONS_MAX = 1_000;

/** History reads for one subscribe before it is refused as `unavailable`: an engine that never settles is away. */
export const JOIN_ATTEMPTS_MAX = 20;

/** Publications read at a time when a node fills a gap in what it saw of a channel. */
export const REFILL_PAGE_PUBLICATIONS_MAX = 1_000;

/**
 * Milliseconds that the bus gets to bring what the history has already; then the history is read for it. Reading it at once would
 * put publications ahead of the announcements that came before them.
 */
export const BUS_LAG_MS = 500;

/** Events held while a node fills a gap; beyond it the channel's subscriptions are told instead. */
export const REFILL_WAITING_EVENTS_MAX = 10_000;

/** Milliseconds that a stream outside the namespaces lives when nothing is published to it: a subscribe makes one. */
export const OWN_SPACE_META_TTL_MS = 604_800_000;

/**
 * Publications kept at the least of a channel outside the namespaces, on engines whose bus is late or loses events: a node
 * fills its gaps from them. About what a channel takes in the time that the bus may lag.
 */
export const LOSSY_HISTORY_SIZE_MIN = 16;

/** Milliseconds that a question to all nodes may take. */
export const CONTROL_DEADLINE_MS = 1_000;

/** Characters of a channel pattern: bounds, with the next two, how long compiling it holds the event loop. */
export const PATTERN_CHARACTERS_MAX = 4_096;

/** Words that a channel pattern may say: bounds what a name is compared with. */
export const PATTERN_WORDS_MAX = 1_000;

/**
 * Cost of a channel pattern that says more than words (`patternCost`), about its characters with its repetitions written
 * out: bounds what compiling takes, and any one name.
 */
export const PATTERN_COST_MAX = 500;

/**
 * Milliseconds that work on many things may hold the event loop before it yields: on a single core a collection of garbage, or the
 * runtime compiling what is new to it, may take twice as long again, and the whole turn is to stay below 10.
 */
export const SLICE_MS = 2;

/** Names looked at without a pattern, or counted, between two looks at the clock: about 2 µs. */
export const NAMES_BETWEEN_LOOKS = 32;

/** Connections that one disconnect tells at once; more are told in slices. */
export const DISCONNECTS_AT_ONCE = 100;

/** Channels that a connection's row shows: bounds, with the rows of a page, what a node answers. */
export const ROW_CHANNELS_MAX = 10;

/** Publications to different channels that one call hands to the engine at a time: bounds what one turn writes and fans out. */
export const PUBLISH_SLICE_PUBLICATIONS = 100;

/** Characters of their data, likewise; the last publication of a slice may pass it. */
export const PUBLISH_SLICE_CHARACTERS = 65_536;

/**
 * What the publications of one turn of the event loop may cost while several apps publish: bounds how long one app's hold up
 * another's. A socket that is written to costs 1, about 5 µs.
 */
export const PUBLISH_TURN_COST_MAX = 1_500;

/** What a publication costs by itself, its call included. */
export const PUBLICATION_COST = 8;

/** Publications to one socket within a turn share one write; so many cost as much again. */
export const PUBLICATIONS_PER_WRITE = 32;

/** Milliseconds without a publication after which an app counts as quiet, and another's need not be cut into turns for it. */
export const QUIET_APP_MS = 1_000;

/**
 * Publications of one app on this node that the engine has yet to confirm and deliver; beyond it they are refused as `unavailable`.
 * Room for several calls of as many commands or channels as one may have: who waits for answers is slowed long before.
 */
export const PUBLICATIONS_WAITING_MAX = 50_000;

/** Characters, or bytes where it is bytes, of their data, likewise; one that is alone may be larger. */
export const PUBLICATIONS_WAITING_CHARACTERS_MAX = 67_108_864;

/** Milliseconds between comparisons of a channel's position with the engine's, on engines that may lose events. */
export const POSITION_CHECK_INTERVAL_MS = 40_000;

/** Channels whose positions are asked for together: a fifth of the cost of one after the other, and half a millisecond at a time. */
export const POSITION_CHECKS_AT_A_TIME = 100;

/** Bytes of a job's payload: bounds what one `take` reads into memory. */
export const JOB_PAYLOAD_BYTES_MAX = 1_048_576;

/** Jobs of one queue, leased ones included: a queue that no worker empties must not fill the disk. */
export const QUEUE_JOBS_MAX = 100_000;
