/** A session as its commands see it. */
import type { ConnectGrant, Standing } from "../../core/authority.ts";
import type { Deadline } from "../../core/deadline.ts";
import type { Disconnect } from "../../core/errors.ts";
import type { Connection } from "../../core/hub.ts";
import type { ClientInfo, Payload } from "../../core/types.ts";
import type { LimitName, OnEvent } from "../dialect.ts";
import type { CloseName, Refusal } from "./errors.ts";
import type { Result, WirePush } from "./protocol.ts";
import type { StreamingContext } from "./context.ts";
import type { SubscribingSession } from "./subscribe.ts";

export interface StreamingClient extends SubscribingSession {
  readonly context: StreamingContext;
  readonly connected: boolean;
  /** Its place in the hub, once it has one. */
  readonly connection: Connection | undefined;
  readonly client: ClientInfo;
  info?: Payload;
  reply(id: number, result: Result): void;
  /** Never before the connect answer. */
  push(push: WirePush): void;
  /** From now on the connection stands under this grant's labels; undefined: of an authority that has none. */
  standOn(standing: Standing | undefined): void;
  /** The end of the credentials; undefined: never. */
  readonly expires: Deadline | undefined;
  /** Epoch milliseconds; undefined: they do not end. */
  expireAt(epochMs: number | undefined): void;
  /** To be called when a subscription's end has changed. */
  reschedule(): void;
  limitHit(limit: LimitName): void;
  readonly tell: OnEvent;
  report(error: unknown, doing: string): void;
  aside(doing: string, work: Promise<unknown> | undefined): void;
  disconnect(reason: Disconnect): void;
  /** `detail` is for the log. */
  closeAs(close: CloseName, detail?: string): void;
}

/** As the connect command sees it. */
export interface ConnectingClient extends StreamingClient {
  /** Neither closed nor answered. */
  readonly connecting: boolean;
  /** Pings are the transport's own. */
  readonly framePings: boolean;
  identify(grant: ConnectGrant): void;
  /** From here on the hub reaches it, under the grant's labels. */
  enter(standing: Standing | undefined): void;
  accept(id: number, result: Result): void;
  refuse(id: number, error: Refusal): void;
}
