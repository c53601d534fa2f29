/** Signals to a subscriber's sessions on every node (messaging.md §8, §11). Plain data; a repetition changes nothing. */
import type { Message, Report } from "./chat/contract.ts";
import type { FormerChannel } from "./encoder.ts";

/** `exceptConnection` has caused it, and has its answer. */
export type MessagingSignal = { readonly exceptConnection?: string | undefined } & (
  | { readonly kind: "push"; readonly message: string }
  /** News of one of its messages: delivery, edit, deletion. */
  | { readonly kind: "report"; readonly report: Report }
  /** The subscriber is a member of the channel now. */
  | { readonly kind: "joined"; readonly channelId: string }
  /** It is not a member any more. */
  | ({ readonly kind: "left"; readonly channel: FormerChannel } & Removed)
  /** A direct message, or one of its own to `other`. */
  | { readonly kind: "direct"; readonly other: string; readonly message: Message }
  | { readonly kind: "read"; readonly channelId: string; readonly sequence: number }
  /** Whether `by` blocks it. */
  | { readonly kind: "blocked"; readonly by: string; readonly blocked: boolean }
);

/** By whom and why; absent: it left. */
export interface Removed {
  readonly by?: string | undefined;
  readonly reason?: string | undefined;
}
