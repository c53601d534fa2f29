/** Operations on channels, their members and invitations (messaging.md §7.2, §7.3). Rules of every operation are in `contract.ts`. */
import type { CompactJson } from "../../../core/json-text.ts";

export type Access = "invite" | "open";

/** A channel as everyone may see it who may know of it. */
export interface ChannelView {
  readonly channelId: string;
  readonly name: string;
  /** A JSON object as text, numbers as they came. */
  readonly attributes: CompactJson;
  readonly access: Access;
  /** How many members there are. */
  readonly subscribers: number;
  /** Only towards administrators is it to be shown. */
  readonly inviteToken: string;
  /**
   * Grows with every change of the channel, its members and their roles, on any node: of two events of one channel, the one with the
   * higher revision happened later, whatever order they arrive in.
   */
  readonly revision: number;
}

export interface Member {
  readonly subscriber: string;
  readonly administrator: boolean;
  readonly joinedMs: number;
  /** Messages up to it are not the member's to see. */
  readonly joinSequence: number;
  readonly readSequence: number;
  readonly deliveredSequence: number;
}

/** A member's own relation to a channel. */
export interface Membership extends ChannelView {
  readonly member: Member;
  readonly lastSequence: number;
}

export interface Invitation {
  readonly channelId: string;
  readonly subscriber: string;
  readonly from: string;
  readonly note?: string;
  readonly timeMs: number;
  /** The channel as it is now. */
  readonly name: string;
  readonly attributes: CompactJson;
}

export interface NewChannel {
  readonly name?: string | undefined;
  readonly inviteToken?: string | undefined;
  readonly attributes?: CompactJson | undefined;
  readonly access?: Access | undefined;
}

/** `attributes` are merged (G11); `inviteToken` `""` makes a fresh one. */
export type ChannelChanges = NewChannel;

export interface Page<Item> {
  readonly items: readonly Item[];
  readonly more: boolean;
}

export interface PageQuery {
  /** Exclusive. */
  readonly after?: string | undefined;
  /** Default 200. */
  readonly limit?: number | undefined;
}

export interface Joined {
  readonly membership: Membership;
  /** False: the caller was a member before, and nobody is to be told. */
  readonly changed: boolean;
}

export interface Left {
  /** As it was left. `subscribers` 0: it is gone. */
  readonly channel: ChannelView;
  /** The member that became administrator with it (§7.2): `subscriber-updated` and `membership` are due. */
  readonly successor?: Member;
}

export interface RoleChange {
  readonly channel: ChannelView;
  /** As it is now. */
  readonly member: Member;
  /** False: it was so before, and nobody is to be told. */
  readonly changed: boolean;
}

export interface Channels {
  /** `token-in-use`, `limit-reached`, `too-large`, `invalid-field`. */
  create(caller: string, channel: NewChannel): Promise<Membership>;
  /** By `channelId`, `inviteToken`, or both, which then have to match. `not-found`, `limit-reached`. */
  join(
    caller: string,
    by: { readonly channelId?: string | undefined; readonly inviteToken?: string | undefined },
  ): Promise<Joined>;
  leave(caller: string, channelId: string): Promise<Left>;
  update(caller: string, channelId: string, changes: ChannelChanges): Promise<Membership>;
  /** The channel as it was. Its listeners are the members to be told. */
  delete(caller: string, channelId: string): Promise<ChannelView>;
  /** The channels that the caller is a member of. */
  ids(caller: string): Promise<readonly string[]>;
  /** The caller's memberships, by channel-id: `channel_limit` of them at the most. */
  list(caller: string): Promise<readonly Membership[]>;
  /** One of them; undefined: the caller is not a member. */
  find(caller: string, channelId: string): Promise<Membership | undefined>;
  /** Open channels by channel-id; `member` where the caller is one. */
  discover(
    caller: string,
    query: PageQuery,
  ): Promise<Page<ChannelView & { readonly membership?: Membership }>>;
  /** The subscriber leaves every channel, without asking (cause `deactivated`). */
  leaveAll(subscriber: string): Promise<readonly Left[]>;
}

export interface Members {
  /** Members by subscriber id. The caller has to be one. */
  list(caller: string, channelId: string, query: PageQuery): Promise<Page<Member>>;
  /** `not-found`, `not-administrator`, `last-administrator`. */
  setAdministrator(
    caller: string,
    channelId: string,
    change: { readonly subscriber: string; readonly administrator: boolean },
  ): Promise<RoleChange>;
  /** Oneself: `invalid-field`. The answer is the channel without the member. */
  remove(
    caller: string,
    channelId: string,
    removal: { readonly subscriber: string; readonly ban?: boolean | undefined },
  ): Promise<ChannelView>;
}

export interface Invitations {
  /** All or none: those that are to be told, which leaves out members. `not-found` and `limit-reached` name the subscriber as `field`. */
  invite(
    caller: string,
    channelId: string,
    invited: { readonly subscribers: readonly string[]; readonly note?: string | undefined },
  ): Promise<readonly Invitation[]>;
  /** The inviter (`from`) is to be told. `not-found` without an invitation. */
  decline(caller: string, channelId: string): Promise<Invitation>;
  /** By an administrator or the inviter. The invitee is to be told. */
  cancel(caller: string, channelId: string, subscriber: string): Promise<Invitation>;
  /** The caller's, oldest first. */
  list(caller: string): Promise<readonly Invitation[]>;
  /** They were written to a connection of the invitee: no backlog has them any more. */
  told(
    invitations: readonly Pick<Invitation, "channelId" | "subscriber" | "timeMs">[],
  ): Promise<void>;
}
