/**
 * Server messages as text (messaging.md §8): each is one JSON object with its `type`. Attributes are spliced in as text, so that
 * their numbers arrive as they were sent.
 */
import { jsonOf, type CompactJson } from "../../core/json-text.ts";
import type { CurrentMessage, Invitation, Member, Membership, Report } from "./chat/contract.ts";
import type { Refusal } from "./errors.ts";
import type { PublicState } from "./presence.ts";

/** JSON text that goes in as it is. */
export interface Raw {
  readonly raw: CompactJson;
}

export const raw = (text: CompactJson): Raw => ({ raw: text });

export type Value =
  | string
  | number
  | boolean
  | undefined
  | Raw
  | readonly Value[]
  | { readonly [member: string]: Value };
export type Members = Readonly<Record<string, Value>>;

function isRaw(value: object): value is Raw {
  return "raw" in value && typeof value.raw === "string";
}

function textOf(value: Value): string {
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return `[${value.map(textOf).join(",")}]`;
  if (isRaw(value)) return value.raw;
  return `{${textOfMembers(value as Members, "")}}`;
}

/** Without the braces, behind the text of members `before`. */
function textOfMembers(members: Members, before: string): string {
  let text = before;
  for (const name of Object.keys(members)) {
    const member = members[name];
    if (member === undefined) continue;
    text += `${text === "" ? "" : ","}${JSON.stringify(name)}:${textOf(member)}`;
  }
  return text;
}

/** D12: `reply-to` in all that answers a message with an `id`. Members that are undefined are left out. */
export function serverMessage(type: string, members: Members, replyTo?: string): string {
  const reply = replyTo === undefined ? "" : `,"reply-to":${JSON.stringify(replyTo)}`;
  return `{${textOfMembers(members, `"type":"${type}"${reply}`)}}`;
}

/** G1: both `id` and `reply-to`, or neither. */
export function ackMessage(id: string | undefined, refusal?: Refusal): string {
  // Of every message that is sent without one.
  if (id === undefined && refusal === undefined) return '{"type":"ack","status":true}';
  const { field, retryAfterSeconds } = refusal?.details ?? {};
  const members = {
    id,
    status: refusal === undefined,
    error: refusal?.error,
    reason: refusal?.message,
    field,
    "retry-after": retryAfterSeconds,
  };
  return serverMessage("ack", members, id);
}

export function timestamp(epochMs: number): string {
  return new Date(epochMs).toISOString();
}

/** §8.5, the Channel Subscriber model. Outside channels nobody is an administrator. */
export function subscriberModel(state: PublicState, administrator = false): Members {
  const { id, status, availability, attributes } = state;
  return { id, status, availability, administrator, attributes: raw(jsonOf(attributes)) };
}

/** Input of the Channel Membership model: a `Membership`, or the knowledge of a note and the session together. */
export type MembershipParts = Pick<
  Membership,
  "channelId" | "name" | "attributes" | "subscribers" | "lastSequence" | "inviteToken"
> & { readonly member: Pick<Member, "administrator" | "readSequence"> };

/** §8.4, the Channel Membership model of a current member. */
export function membershipModel({ member, ...channel }: MembershipParts): Members {
  const { administrator, readSequence } = member;
  return {
    "channel-id": channel.channelId,
    name: channel.name,
    administrator,
    attributes: raw(channel.attributes),
    subscribers: channel.subscribers,
    "last-sequence": channel.lastSequence,
    "read-sequence": readSequence,
    "invite-token": administrator ? channel.inviteToken : undefined,
  };
}

/** Of a channel whose member one is not any more. */
export function formerMembership(channel: {
  readonly channelId: string;
  readonly name: string;
}): Members {
  return { "channel-id": channel.channelId, name: channel.name, administrator: false };
}

/** §8.2, to whom was invited. */
export function invitationMessage(invitation: Invitation): string {
  return serverMessage("invitation", {
    ...invitationMembers(invitation),
    administrator: false,
    attributes: raw(invitation.attributes),
  });
}

/** Of the list of invitations. */
export function invitationMembers({ channelId, name, from, note, timeMs }: Invitation): Members {
  return { "channel-id": channelId, name, from, note, timestamp: timestamp(timeMs) };
}

/** §8.6. `backlog`: it comes from storage. Written out, since it is made of every message that is sent. */
export function messageFrame(
  message: CurrentMessage,
  { backlog = false }: { readonly backlog?: boolean } = {},
): string {
  const { messageId, channelId, to, from, sequence, timeMs, contentType, content } = message;
  const { attributes, editedMs } = message;
  const begin =
    channelId === undefined
      ? `{"type":"direct-message","message-id":"${messageId}","to":${JSON.stringify(to)}`
      : `{"type":"channel-message","message-id":"${messageId}","channel-id":"${channelId}"`;
  const edited = editedMs === undefined ? "" : `,"edited":"${timestamp(editedMs)}"`;
  return (
    `${begin},"from":${JSON.stringify(from)},"sequence":${sequence},"timestamp":"${timestamp(timeMs)}"` +
    `,"content-type":${JSON.stringify(contentType)},"content":${JSON.stringify(content)}` +
    `,"attributes":${attributes}${edited}${backlog ? ',"backlog":true' : ""}}`
  );
}

/** §8.8, an entry of a history. */
export function historyEntry(message: CurrentMessage, caller: string): Members {
  const { messageId, from, status } = message;
  return {
    "message-id": messageId,
    from,
    ...stored(message),
    status: from === caller ? status : undefined,
  };
}

function stored(message: CurrentMessage): Members {
  return {
    sequence: message.sequence,
    timestamp: timestamp(message.timeMs),
    "content-type": message.contentType,
    content: message.content,
    attributes: raw(message.attributes),
    // Beyond §8.8: tells edited and deleted messages of a history apart.
    edited: message.editedMs === undefined ? undefined : timestamp(message.editedMs),
    "deleted-by": message.deletedBy,
  };
}

/** §8.3, all but `stored`. */
export function reportMessage({ messageId, status, by, timeMs }: Report): string {
  return serverMessage("delivery", {
    "message-id": messageId,
    status,
    by,
    timestamp: timestamp(timeMs),
  });
}
