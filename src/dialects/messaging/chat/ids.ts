/**
 * Identifiers of conversations and messages (messaging.md §5). A message's id says where the message is, so that a reference to it finds
 * it without an index: the time and sequence number in front, so that the ids of a conversation sort as its messages do, then
 * the conversation. Knowing or making one gives no right: it counts once the message that it names has the same one.
 */
import { createHash } from "node:crypto";
import type { Runtime } from "../../../core/runtime.ts";
import type { Channel } from "../../../core/types.ts";
import { messageChannel } from "./contract.ts";

export const CHANNEL_PREFIX = "ch_";
const TOKEN_PREFIX = "tk_";
const CHANNEL_ID = /^ch_[-\w]{22}$/;
const MESSAGE_ID = /^([-\w]{8})([-\w]{6})([cdp])([-\w]{22})$/;
export const DIRECT_SPACE = "messaging-direct";
/** The letters of ids in the order of their bytes. */
const DIGITS = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
const TIME_DIGITS = 8;
const SEQUENCE_DIGITS = 6;
const PAIR_BYTES = 16;

type Chance = Pick<Runtime, "random">;

/** 122 random bits. */
export const newChannelId = ({ random }: Chance): string => CHANNEL_PREFIX + letters(random.uuid());
export const newInviteToken = ({ random }: Chance): string => TOKEN_PREFIX + letters(random.uuid());

export function isChannelId(id: string): boolean {
  return CHANNEL_ID.test(id);
}

/** Where the messages of two subscribers, or of one with itself, are published; nobody listens there. */
export function directChannel(one: string, other: string): Channel {
  const pair = JSON.stringify([one, other].sort());
  const hash = createHash("sha256").update(pair).digest().subarray(0, PAIR_BYTES);
  return { space: DIRECT_SPACE, name: hash.toString("base64url") };
}

export function isDirect({ space }: Channel): boolean {
  return space === DIRECT_SPACE;
}

/** A place in a conversation. */
export interface MessagePlace {
  readonly channel: Channel;
  readonly sequence: number;
}

export function messageIdOf({
  channel,
  sequence,
  timeMs,
}: MessagePlace & { readonly timeMs: number }) {
  const conversation = isDirect(channel)
    ? `d${channel.name}`
    : `c${channel.name.slice(CHANNEL_PREFIX.length)}`;
  return digits(timeMs, TIME_DIGITS) + digits(sequence, SEQUENCE_DIGITS) + conversation;
}

/** Of a message that is sent once and not kept: pushed to a user through another dialect. Receipts of it have no effect. */
export function unkeptMessageId({ clock, random }: Pick<Runtime, "clock" | "random">): string {
  return `${digits(clock.epochMs(), TIME_DIGITS)}${digits(0, SEQUENCE_DIGITS)}p${letters(random.uuid())}`;
}

/** Undefined: the text is not a message id. `unkept`: it is from `unkeptMessageId`. */
export function readMessageId(id: string): MessagePlace | "unkept" | undefined {
  const [, , sequence = "", kind, conversation = ""] = MESSAGE_ID.exec(id) ?? [];
  if (kind === undefined) return undefined;
  if (kind === "p") return "unkept";
  const channel =
    kind === "c"
      ? messageChannel(CHANNEL_PREFIX + conversation)
      : { space: DIRECT_SPACE, name: conversation };
  return { channel, sequence: numberOf(sequence) };
}

function letters(uuid: string): string {
  return Buffer.from(uuid.replaceAll("-", ""), "hex").toString("base64url");
}

function digits(number: number, count: number): string {
  let text = "";
  for (let rest = number; text.length < count; rest = Math.floor(rest / DIGITS.length)) {
    text = DIGITS.charAt(rest % DIGITS.length) + text;
  }
  return text;
}

function numberOf(text: string): number {
  let number = 0;
  for (const digit of text) number = number * DIGITS.length + DIGITS.indexOf(digit);
  return number;
}
