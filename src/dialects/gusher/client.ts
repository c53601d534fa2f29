/** A session as its commands and the master's signals see it. */
import type { Disconnect } from "../../core/errors.ts";
import type { GroupMember } from "../../core/fanout.ts";
import type { Connection } from "../../core/hub.ts";
import type { Frame } from "../../core/types.ts";
import type { LimitName } from "../dialect.ts";
import type { SharedWord } from "../words.ts";
import type { ReplyEvent } from "./codec.ts";
import type { GusherClaims, GusherContext } from "./context.ts";

/** Why a command is refused. */
export interface RefusalAbout {
  readonly word: SharedWord;
  readonly detail: string;
  readonly channel?: string;
}

export interface GusherClient {
  readonly context: GusherContext;
  readonly connectionId: string;
  readonly userId: string;
  readonly remotes: GusherClaims["remotes"];
  grants: readonly string[];
  readonly connection: Connection;
  readonly member: GroupMember;
  /** `data` is JSON text. */
  reply(event: ReplyEvent, data: string, options?: { readonly time?: number }): void;
  /** A command answered with its error. Why is for the log, and in development mode beside the error's data. */
  refuse(
    event: Extract<ReplyEvent, `${string}_error`>,
    data: Readonly<Record<string, unknown>>,
    about: RefusalAbout,
  ): void;
  /** Unasked: it keeps its place behind what waits for an answer. */
  send(frame: Frame): void;
  limitHit(limit: LimitName): void;
  report(error: unknown, doing: string): void;
  disconnect(reason: Disconnect): void;
}
