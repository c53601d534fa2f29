/** Bounds of conversations: configurable ones (messaging.md §11, §12), and fixed ones. */
import { z } from "zod";
import { duration } from "../../../config/durations.ts";
import { positive } from "../../../config/kinds.ts";

/** Part of the dialect's section. */
export const chatSettings = {
  content_size_limit: positive(32_768, "Bytes of a message's content."),
  attributes_size_limit: positive(
    4096,
    "Bytes of a message's, channel's or subscriber's attributes.",
  ),
  channel_limit: positive(500, "Channels per subscriber."),
  member_limit: positive(1000, "Members per channel."),
  history_size: positive(
    10_000,
    "Messages kept per conversation, delivered or not, and for how long.",
  ),
  history_ttl: duration({ minMs: 1000 })
    .prefault("720h")
    .describe("Messages kept per conversation, delivered or not, and for how long."),
};

const shape = z.object(chatSettings);
export type ChatSettings = Readonly<z.output<typeof shape>>;

/** Keys of one object of attributes. */
export const ATTRIBUTES_KEYS_MAX = 64;
/** Milliseconds after which an invitation that nobody answered is gone (§5): 30 days. */
export const INVITATION_TTL_MS = 2_592_000_000;
/** Invitations of one channel that wait for an answer: as many as it may have members. */
export const CHANNEL_INVITATIONS_MAX = 1000;
/** Invitations of one subscriber that wait, and those that raced: one list answers them all. */
export const SUBSCRIBER_INVITATIONS_MAX = 200;
/** Subscribers that one channel keeps out. */
export const BANS_MAX = 1000;
/** Subscribers that one blocks: they are one record, which each direct message reads. */
export const BLOCKS_MAX = 1000;
/** How long a `dedupe-key` is remembered, milliseconds (§7.4): 24 hours. */
export const DEDUPE_TTL_MS = 86_400_000;
/** How long a conversation's sequence outlives its last message, milliseconds: ten years, as long as the longest `history_ttl`. */
export const SEQUENCE_TTL_MS = 315_360_000_000;
/** How much longer than a message its overlay is kept, milliseconds: more than the clocks of nodes differ. */
export const OVERLAY_MARGIN_MS = 3_600_000;
/** Messages of one channel, and of all, that a backlog has (§11.4). */
export const BACKLOG_CHANNEL_MESSAGES_MAX = 100;
export const BACKLOG_MESSAGES_MAX = 1000;
/** Bytes of the messages of one page of history, save for its first: an answer has to fit a connection's buffer. */
export const HISTORY_PAGE_BYTES_MAX = 524_288;
/** Entries of a page, where its caller does not say (§7.2, §7.4). */
export const LIST_PAGE = 200;
export const HISTORY_PAGE = 50;
