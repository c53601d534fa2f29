/** The model's operations as messages, and what comes of them. */
import type { ModelState, Operation } from "./chat-model.ts";
import type { StoredMessage } from "./messaging-ledger.ts";
import type { Witness } from "./messaging-witness.ts";
import type { Message } from "./messaging.ts";

export function messageOf(operation: Operation, content: string): Message {
  const id = { "channel-id": "channel" in operation ? operation.channel : undefined };
  switch (operation.type) {
    case "create":
    case "update": {
      const { token, open } = operation;
      const access = open === undefined ? undefined : open ? "open" : "invite";
      return { type: `${operation.type}-channel`, ...id, "invite-token": token, access };
    }
    case "join":
      return { type: "join-channel", ...id, "invite-token": operation.token };
    case "leave":
    case "delete":
      return { type: `${operation.type}-channel`, ...id };
    case "decline":
      return { type: "decline-invitation", ...id };
    case "send":
      return { type: "channel-message", ...id, content };
    case "role": {
      const { subscriber, administrator } = operation;
      return { type: "set-administrator", ...id, subscriber, administrator };
    }
    case "remove": {
      const { subscriber, ban } = operation;
      return { type: "remove-subscriber", ...id, subscriber, ban };
    }
    case "invite":
      return { type: "invite", ...id, subscribers: operation.subscribers };
    case "cancel":
      return { type: "cancel-invitation", ...id, subscriber: operation.subscriber };
  }
}

/** By its `delivery`. */
export function storedMessage(
  by: Witness,
  response: Message,
  about: Pick<StoredMessage, "channel" | "to" | "content">,
): StoredMessage {
  return {
    ...about,
    id: String(response["message-id"]),
    from: by.subscriber,
    sequence: Number(response["sequence"]),
    by,
    members: new Set(),
    strangers: new Set(),
    owed: new Set(),
  };
}

/** Of a member: whether it is an administrator. */
export function channelsOf(model: ModelState, subscriber: string): Map<string, boolean> {
  return new Map(
    Object.entries(model).flatMap(([channel, { members }]) =>
      members.flatMap(({ id, administrator }) =>
        id === subscriber ? [[channel, administrator] as const] : [],
      ),
    ),
  );
}
