/** The outcome of a client message (messaging.md §6.2). A handler refuses by throwing. */
import type { ClientMessage, MessageType } from "../client-messages.ts";
import type { Members } from "../server-messages.ts";
import type { MessagingClient } from "../client.ts";

export interface Answer {
  /** The required response; it precedes the ack. */
  readonly response?: { readonly type: string; readonly members: Members };
  /** Tells others, behind the ack. */
  readonly afterwards?: () => Promise<unknown>;
}

export type Handler<Type extends MessageType> = (
  session: MessagingClient,
  message: ClientMessage<Type>,
) => Answer | Promise<Answer>;

export type Handlers<Type extends MessageType> = { readonly [Each in Type]: Handler<Each> };

export function respond(type: string, members: Members): Answer {
  return { response: { type, members } };
}

/** There is nothing to say but the ack. */
export const DONE: Answer = {};
