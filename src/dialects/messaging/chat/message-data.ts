/**
 * A message as it is published: one JSON object, whose offset is the message's sequence number. Attributes lie in it as text, so that
 * their numbers stay as they came. Its time is in it as well, since the message's id has it and a publish does not tell the engine's.
 */
import { jsonOf, storedJson } from "../../../core/json-text.ts";
import type { Channel, Payload, Publication } from "../../../core/types.ts";
import type { Message, MessageContent } from "./contract.ts";
import { isDirect, messageIdOf } from "./ids.ts";

/** A message before it has its sequence number. */
export interface Draft extends MessageContent {
  readonly channel: Channel;
  readonly from: string;
  /** Of a direct one. */
  readonly to?: string;
  readonly connectionId?: string | undefined;
}

interface Data {
  readonly from: string;
  readonly to?: string;
  readonly time: number;
  readonly content: string;
  readonly "content-type": string;
  readonly attributes: string;
  /** What finds it again when it is sent a second time. */
  readonly dedupe?: string;
}

export function payloadOf(
  { from, to, content, contentType, attributes }: Draft,
  { timeMs, dedupe }: { readonly timeMs: number; readonly dedupe?: string | undefined },
): Payload {
  const data = { from, to, time: timeMs, content, "content-type": contentType, attributes, dedupe };
  return { json: jsonOf(data) };
}

/** Undefined: the publication is not a message. */
export function readMessage(channel: Channel, publication: Publication): Message | undefined {
  const sequence = publication.position?.offset;
  const data = dataOf(publication);
  if (sequence === undefined || data === undefined) return undefined;
  const { from, to, time, content, "content-type": contentType, attributes } = data;
  const { exceptConnectionId: connectionId } = publication;
  const kept = { content, contentType, attributes: storedJson(attributes) };
  const draft = { channel, from, ...kept, connectionId };
  return messageOf(to === undefined ? draft : { ...draft, to }, sequence, time);
}

export function messageOf(draft: Draft, sequence: number, timeMs: number): Message {
  const { channel, ...content } = draft;
  const messageId = messageIdOf({ channel, sequence, timeMs });
  const where = isDirect(channel) ? {} : { channelId: channel.name };
  return { messageId, ...content, sequence, timeMs, ...where };
}

export function dedupeOf(publication: Publication): string | undefined {
  return dataOf(publication)?.dedupe;
}

function dataOf({ data }: Publication): Data | undefined {
  return "json" in data ? (JSON.parse(data.json) as Data) : undefined;
}
