/** Keys of the records. Ids hold no slash, so that no key is in another's list. */
import { createHash } from "node:crypto";
import type { Channel } from "../../../core/types.ts";

const ROOT = "messaging/chat";
/** Digits of a sequence number in a key: lists are in its order. */
const SEQUENCE_DIGITS = 12;

export const channelKey = (channel: string) => `${ROOT}/channel/${channel}`;
/** Channels that anybody may join. */
export const OPEN = `${ROOT}/open/`;
export const openKey = (channel: string) => OPEN + channel;
/** Channels that are gone, and whose members and messages are being removed. */
export const ENDING = `${ROOT}/ending/`;
export const endingKey = (channel: string) => ENDING + channel;
/** By a hash: how long a look-up takes says nothing of the token. */
export const inviteTokenKey = (token: string) => `${ROOT}/invite-token/${hash(token)}`;

export const membersKey = (channel: string) => `${ROOT}/member/${channel}/`;
export const memberKey = (channel: string, subscriber: string) => membersKey(channel) + subscriber;
export const bansKey = (channel: string) => `${ROOT}/ban/${channel}/`;
export const banKey = (channel: string, subscriber: string) => bansKey(channel) + subscriber;
/** The channel's invitations, which lie with the invited. */
export const invitedKey = (channel: string) => `${ROOT}/invited/${channel}/`;
export const invitedSubscriberKey = (channel: string, subscriber: string) =>
  invitedKey(channel) + subscriber;

/** Channels that the subscriber is a member of: one record. */
export const ownChannelsKey = (subscriber: string) => `${ROOT}/channels-of/${subscriber}`;
export const blocksKey = (subscriber: string) => `${ROOT}/blocks-of/${subscriber}`;
export const invitationsKey = (subscriber: string) => `${ROOT}/invitation/${subscriber}/`;
export const invitationKey = (subscriber: string, channel: string) =>
  invitationsKey(subscriber) + channel;

/** Direct conversations by their name: with messages that the subscriber may not have been given. */
export const inboxKey = (subscriber: string) => `${ROOT}/inbox/${subscriber}/`;
/** Up to where the subscriber was given them and has read them. */
export const cursorKey = (subscriber: string, conversation: string) =>
  `${ROOT}/cursor/${subscriber}/${conversation}`;
/** All that the subscriber has, with their newest message. */
export const conversationsKey = (subscriber: string) => `${ROOT}/conversation/${subscriber}/`;
/** The subscriber's own newest message. */
export const ownNewestKey = (subscriber: string, conversation: string) =>
  `${ROOT}/own-newest/${subscriber}/${conversation}`;

/** Overlays of messages: edits, deletion, status. */
export const overlaysKey = ({ name }: Channel) => `${ROOT}/overlay/${name}/`;
export const overlayKey = (channel: Channel, sequence: number) =>
  overlaysKey(channel) + padded(sequence);
/** Reports that the sender was not told of yet. */
export const reportsKey = (sender: string) => `${ROOT}/report/${sender}/`;
export const reportKey = (sender: string, messageId: string) => reportsKey(sender) + messageId;
export const dedupeKey = (id: string) => `${ROOT}/dedupe/${id}`;

/** Of the sender, the conversation and the client's key. */
export const dedupeId = (sender: string, { name }: Channel, key: string) =>
  hash(JSON.stringify([sender, name, key]));

export function lastPart(key: string): string {
  return key.slice(key.lastIndexOf("/") + 1);
}

function padded(sequence: number): string {
  return `${sequence}`.padStart(SEQUENCE_DIGITS, "0");
}

function hash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
