/** What handlers and events need of the session that they serve. */
import type { GroupMember } from "../../core/fanout.ts";
import type { Connection } from "../../core/hub.ts";
import type { Frame } from "../../core/types.ts";
import type { Socket } from "../../transports/socket.ts";
import type { Disconnect } from "../../core/errors.ts";
import type { LimitName } from "../dialect.ts";
import type { Bearer } from "./auth/contract.ts";
import type { MessagingContext } from "./context.ts";
import type { MessagingEncoder } from "./encoder.ts";
import type { Owed } from "./owed.ts";
import type { OpenConnection } from "./presence.ts";
import type { SessionState } from "./session-state.ts";

export interface MessagingClient {
  readonly context: MessagingContext;
  readonly socket: Socket;
  readonly member: GroupMember;
  readonly connectionId: string;
  /** The subscriber's id. */
  readonly userId: string;
  readonly bearer: Bearer;
  /** Epoch milliseconds. */
  readonly openedMs: number;
  readonly connection: Connection;
  readonly encoder: MessagingEncoder;
  readonly state: SessionState;
  /** As presence knows it. */
  readonly open: OpenConnection;
  readonly over: boolean;
  /** Closes unless the token holds. */
  requireToken(): Promise<boolean>;
  /** Something unsolicited, behind whatever is being answered; of a group, unless that is left meanwhile. */
  push(frame: Frame, group?: string): void;
  /** The same; whether it goes to the peer now rather than waiting for one that is behind or away (§11.2). */
  write(frame: Frame): boolean;
  /** Once all that was sent is written. */
  owe(add: (owed: Owed) => void): void;
  /** One after the other. */
  inTurn<Result>(work: () => Promise<Result>): Promise<Result>;
  /** Follows the sending of a channel message: a removal waits for it, so that earlier messages come before it. */
  sending<Result>(send: Promise<Result>): Promise<Result>;
  /** Settles, never with a rejection, when messages under way to channels are sent. */
  readonly sent: Promise<unknown> | undefined;
  /** The last sequence of a channel that this connection has. */
  positionIn(channelId: string): number;
  disconnect(reason: Disconnect): void;
  limitHit(limit: LimitName): void;
  aside(doing: string, work: Promise<unknown> | undefined): void;
}
