/**
 * What the session layer asks of the durable state of conversations (messaging.md §5, §7.2 to §7.5, §9, §11, §12): channels, members,
 * invitations, messages, receipts, blocks. Each operation takes its caller's subscriber id first, decides the caller's rights itself
 * and throws `Refusal` (`../errors.ts`) where the protocol answers an error, HubError `unavailable` where the engine is away. What
 * resolved survives a kill. Nothing here tells anyone but the channel's listeners of a message: answers say whom to tell what.
 */
import type { Channels, Invitation, Invitations, Members } from "./channels-contract.ts";
import type { CurrentMessage, Messages, Receipts, Report } from "./messages-contract.ts";

export * from "./channels-contract.ts";
export * from "./messages-contract.ts";

export type BacklogItem =
  | { readonly invitation: Invitation }
  | { readonly message: CurrentMessage }
  | { readonly report: Report };

export interface Backlog {
  /**
   * §11.4, in its order, read as it is taken, so that a connection may take it as fast as it can: little of it is in memory. Nothing is
   * marked as told: `told`, `delivered`, `deliveredInChannels` and `reportsTold` do that.
   */
  read(subscriber: string): AsyncIterable<BacklogItem>;
}

export interface Blocks {
  /** `not-found`, `limit-reached`. */
  block(caller: string, subscriber: string): Promise<void>;
  unblock(caller: string, subscriber: string): Promise<void>;
  /** By id. */
  list(caller: string): Promise<readonly string[]>;
  /** Who of them has blocked `subscriber`. */
  blockersOf(subscriber: string, among: readonly string[]): Promise<ReadonlySet<string>>;
}

export interface Chat {
  readonly channels: Channels;
  readonly members: Members;
  readonly invitations: Invitations;
  readonly messages: Messages;
  readonly receipts: Receipts;
  readonly backlog: Backlog;
  readonly blocks: Blocks;
  /** Ends the removal of channels that a kill interrupted. To be called at the start; it may run beside everything else. */
  start(): Promise<void>;
}
