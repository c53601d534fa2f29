/** The handler of every client message (messaging.md §7). */
import type { ClientMessage, MessageType } from "../client-messages.ts";
import type { MessagingClient } from "../client.ts";
import type { Answer, Handler, Handlers } from "./answer.ts";
import { channelHandlers } from "./channels.ts";
import { contactHandlers } from "./contacts.ts";
import { memberHandlers } from "./members.ts";
import { messageHandlers } from "./messages.ts";

export const HANDLERS: Handlers<MessageType> = {
  ...channelHandlers,
  ...memberHandlers,
  ...messageHandlers,
  ...contactHandlers,
};

export function answer(session: MessagingClient, message: ClientMessage): Answer | Promise<Answer> {
  // The table has a handler for each type and its own fields.
  const handle = HANDLERS[message.type] as Handler<MessageType>;
  return handle(session, message);
}
