/** The dialect's own bounds (messaging.md); configurable ones are in `config.ts`. */

/** §12: of a subscriber's profile, serialised, and its members. */
export const PROFILE_BYTES_MAX = 4096;
export const PROFILE_KEYS_MAX = 64;
/** Characters of a key's name, which tells its owner which it is. */
export const KEY_NAME_CHARACTERS_MAX = 256;
/** Seconds that a key may live: ten years. Beyond it is a mistake of unit; for ever is said by `null`. */
export const KEY_SECONDS_MAX = 315_360_000;
/** Subscribers that one call makes: each may have a password, which takes its time. */
export const SUBSCRIBERS_PER_CALL_MAX = 100;
/** Subscribers or keys of one page. */
export const PAGE_SIZE_MAX = 1000;
export const PAGE_SIZE = 100;
/** Bytes of a form at `/auth/*`, which has a token or a password and little else: anybody may send one. */
export const FORM_BYTES_MAX = 70_000;
/** Subscribers and addresses whose logins are remembered; beyond it those that may do anything again are forgotten. */
export const LOGINS_REMEMBERED_MAX = 10_000;
/** §13.5: how long another server's answer about a token counts, at the most. */
export const INTROSPECTED_MS = 30_000;
export const INTROSPECTED_INACTIVE_MS = 5000;
/** Answers that are remembered; beyond it the oldest are asked for anew. */
export const INTROSPECTIONS_MAX = 10_000;
/** §13.5: how long a token of another server stays refused that it was said to be no more, if its end is not known. */
export const PUSHED_REVOCATION_MS = 86_400_000;
/** How often nodes that did not answer in time are told that connections are to end. */
export const TELL_TIMES_MAX = 3;
/** Records of ended tokens that are removed in one step: two each, and a step holds the store. */
export const REMOVED_KEYS_PAGE = 250;
