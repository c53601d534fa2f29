/**
 * How a refusal is explained. The explanation is made where the verdict is (`HubError.detail`, `TokenError`): it names the channel, the
 * claim that is missing or wrong, and the names and types of the token's claims. The log always has it. A client has it in development
 * mode alone, which is on loopback addresses only, wherever its protocol has room.
 */
import type { Word } from "./every-word.ts";

export interface Explaining {
  /** Clients are told what the log is: in development mode. */
  readonly explainsRefusals: boolean;
}

export type Explanation = { readonly word: Word; readonly detail: string };

/** Members beside a protocol's own, whose clients pass over what they do not know. */
export function explained(
  { explainsRefusals }: Explaining,
  { word, detail }: Explanation,
): Explanation | undefined {
  return explainsRefusals ? { word, detail } : undefined;
}

/** Of a plain answer a second line, behind the one that clients compare. */
export function besideText(context: Explaining, { word, detail }: Explanation): string {
  return context.explainsRefusals ? `${detail} [${word}]\n` : "";
}

/** A protocol's own text, with the explanation behind it. */
export function explainedText(
  { explainsRefusals }: Explaining,
  text: string,
  detail: string,
): string {
  return explainsRefusals && detail !== text ? `${text}: ${detail}` : text;
}

/** RFC 6455 §5.5: of a close frame's 125 bytes two are the code. */
export const REASON_BYTES_MAX = 123;

/** Likewise a close's reason, as far as it has room. */
export function explainedReason(context: Explaining, reason: string, detail: string): string {
  const whole = explainedText(context, reason, detail);
  return whole === reason ? reason : cut(whole, REASON_BYTES_MAX);
}

const MARK = "…";

function cut(text: string, bytesMax: number): string {
  if (Buffer.byteLength(text) <= bytesMax) return text;
  const bytes = new Uint8Array(bytesMax - Buffer.byteLength(MARK));
  const { read } = new TextEncoder().encodeInto(text, bytes);
  return `${text.slice(0, read)}${MARK}`;
}

/** A `WWW-Authenticate` header (RFC 6750 §3) whose `error_description` is, or goes on with, the explanation. */
export function explainedChallenge(context: Explaining, challenge: string, detail: string): string {
  if (!context.explainsRefusals) return challenge;
  // It has neither quotes nor letters beyond ASCII.
  const plain = detail.replaceAll('"', "'").replaceAll(/[^\x20-\x5b\x5d-\x7e]/g, "?");
  const [before, after] = challenge.split(/(?<=error_description="[^"]*)(?=")/);
  return after === undefined
    ? `${challenge}, error_description="${plain}"`
    : `${before}: ${plain}${after}`;
}
