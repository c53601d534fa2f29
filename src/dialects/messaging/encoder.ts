/**
 * What happens in a channel besides its messages, as it travels through the channel itself: so it has one order with the messages on
 * every node (messaging.md §11.3). Each session adds its own members (`events.ts`).
 */
import type { Encoder } from "../../core/hub.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { Channel, Frame, Note, Payload, Tags } from "../../core/types.ts";
import type { ChannelView, ReadMessage } from "./chat/contract.ts";
import { unkeptMessageId } from "./chat/ids.ts";
import { messageOfPush } from "./chat/pushes.ts";
import { messageFrame, raw, serverMessage, timestamp } from "./server-messages.ts";

export const DIALECT = "messaging";

/** Of the changes of a subscriber's availability, for those who watch it. */
export const watchChannel = (subscriber: string): Channel => ({
  space: "messaging-watch",
  name: subscriber,
});

/** As much of a channel as a note about a former member tells. */
export type FormerChannel = Pick<ChannelView, "channelId" | "name" | "revision">;

/** News for a channel's sessions. `message`: the server message for all but the subject's connections. */
export type ChannelNote =
  | { readonly kind: "others"; readonly subject: string; readonly message: string }
  /** For all but one connection. */
  | { readonly kind: "all"; readonly exceptConnection: string; readonly message: string }
  /** The subject is not a member any more. With `by` it was removed; otherwise it left by `exceptConnection`, which has its answer. */
  | {
      readonly kind: "left";
      readonly subject: string;
      readonly message: string;
      readonly channel: FormerChannel;
      readonly by?: string | undefined;
      readonly reason?: string | undefined;
      readonly exceptConnection?: string | undefined;
    }
  /** The subject is an administrator now, or is not any more. */
  | {
      readonly kind: "role";
      readonly subject: string;
      readonly administrator: boolean;
      readonly message: string;
      readonly channel: ChannelView;
    }
  | { readonly kind: "updated"; readonly channel: ChannelView; readonly exceptConnection: string }
  | {
      readonly kind: "deleted";
      readonly channel: FormerChannel;
      readonly by: string;
      readonly exceptConnection: string;
    }
  /** A watched subscriber as others see it. */
  | { readonly kind: "watched"; readonly subject: string; readonly message: string };

export interface MessagingEncoder extends Encoder {
  /** Parsed once for all sessions of the node that are handed it. */
  noteOf(note: Note): ChannelNote;
}

export interface EncoderOptions {
  readonly app: string;
  readonly readMessage: ReadMessage;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

/** Messages go out natively, as they are stored; notes and pushes to a subscriber by each session. */
export function createEncoder({ app, readMessage, runtime }: EncoderOptions): MessagingEncoder {
  const parsed = new WeakMap<Note, ChannelNote>();

  function noteOf(note: Note): ChannelNote {
    let read = parsed.get(note);
    if (read === undefined) parsed.set(note, (read = JSON.parse(note.json) as ChannelNote));
    return read;
  }

  /** DESIGN.md §3: another dialect's push to a user. It is not stored, and each session adds to whom it goes. */
  function direct(data: Payload, tags: Tags | undefined): string | undefined {
    const pushed = messageOfPush(data, tags);
    return (
      pushed &&
      serverMessage("direct-message", {
        "message-id": unkeptMessageId(runtime),
        from: "",
        sequence: 0,
        timestamp: timestamp(runtime.clock.epochMs()),
        "content-type": pushed.contentType,
        content: pushed.content,
        attributes: pushed.attributes && raw(pushed.attributes),
      })
    );
  }

  return {
    name: `messaging:${app}`,
    noteOf,
    encode(push) {
      if (push.type === "publication") {
        const message = readMessage(push.channel, push.publication);
        return message && messageFrame(message);
      }
      if (push.type === "direct") return direct(push.data, push.tags);
      if (push.type !== "note" || push.note.dialect !== DIALECT) return undefined;
      const note = noteOf(push.note);
      return "message" in note ? note.message : "";
    },
    completes: ({ type }) => type === "note",
  };
}

/** A push to a subscriber, which was encoded once for all. */
export function addressed(frame: Frame, to: string): string {
  return `${String(frame).slice(0, -1)},"to":${JSON.stringify(to)}}`;
}
