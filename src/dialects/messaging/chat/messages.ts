/** Messages are sent, edited and deleted (messaging.md §7.4). */
import { CHANNELS, type Tags } from "../../../core/types.ts";
import { updateRecord } from "../../../core/update-record.ts";
import { Refusal } from "../errors.ts";
import { NO_ATTRIBUTES, requireSmall } from "./attributes.ts";
import type { LoadedChannel } from "./channel-records.ts";
import type { ChatContext } from "./context.ts";
import {
  messageChannel,
  type Audience,
  type Blocks,
  type Edited,
  type Message,
  type MessageContent,
  type Messages,
  type NewMessage,
  type Sent,
} from "./contract.ts";
import type { DirectRecords } from "./direct-records.ts";
import type { FoundMessage, History } from "./history.ts";
import { directChannel, isDirect } from "./ids.ts";
import { overlayKey } from "./keys.ts";
import { currentMessage, overlayOf, overlayTtlMs, type Overlay } from "./overlays.ts";
import { createPublish } from "./sending.ts";
import { shownPayload, shownTtlMs } from "./shown.ts";

const TEXT = "text/plain";

export interface MessageParts {
  readonly direct: DirectRecords;
  readonly history: History;
  readonly blocks: Blocks;
}

export interface SentBy {
  readonly from: string;
  /** Of a push. */
  readonly tags?: Tags | undefined;
  readonly idempotencyKey?: string | undefined;
}

/** Its sender may. */
export type Post = (
  channel: LoadedChannel,
  message: NewMessage,
  by: SentBy,
) => Promise<Sent & { readonly epoch?: string }>;

export function createMessages(
  context: ChatContext,
  { direct, history, blocks }: MessageParts,
): Pick<Messages, "sendToChannel" | "sendDirect" | "edit" | "delete"> & {
  readonly post: Post;
} {
  const { hub, records, runtime, settings, subscribers, channelRecords, onError } = context;
  const publish = createPublish(context);

  /** Throws `Refusal`. */
  function contentOf(message: NewMessage): MessageContent {
    const { content, contentType = TEXT, attributes = NO_ATTRIBUTES } = message;
    const { content_size_limit: bytes } = settings;
    if (content.length * 3 > bytes && Buffer.byteLength(content) > bytes) {
      const reason = `The content has more than ${bytes} bytes`;
      throw new Refusal("too-large", reason, { field: "content" });
    }
    requireSmall(attributes, settings);
    return { content, contentType, attributes };
  }

  const post: Post = async ({ id, value }, message, { from, tags, idempotencyKey }) => {
    const { dedupeKey, connectionId } = message;
    const draft = { channel: messageChannel(id), from, connectionId, ...contentOf(message) };
    const { settle, ...sent } = await publish(draft, { dedupeKey, idempotencyKey });
    // The message is stored and on its way: what fails from here on changes no answer, and a repetition would do it again.
    try {
      if (value.access === "open" && !sent.repeated) await show(sent.message, tags);
      if (settle.length > 0) await records.change(settle);
    } catch (error) {
      onError(error);
    }
    return sent;
  };

  /** To the other dialects' subscribers of an open channel. */
  async function show(message: Message, tags: Tags | undefined): Promise<void> {
    const { channelId: name = "", sequence } = message;
    await hub.publish(
      { space: CHANNELS, name },
      { data: shownPayload(message), ...(tags === undefined ? {} : { tags }) },
      { pastClaims: true, idempotencyKey: `messaging/${sequence}` },
    );
  }

  async function require(caller: string, messageId: string): Promise<FoundMessage> {
    const found = await history.find(caller, messageId);
    if (found !== undefined && found !== "unkept") return found;
    throw noMessage();
  }

  /** Puts the overlay that `change` makes of the present one. A deleted message does not change any more. */
  async function overlay(
    { channel, message }: FoundMessage,
    change: (overlay: Overlay) => Overlay,
  ): Promise<Edited> {
    return updateRecord(records, overlayKey(channel, message.sequence), (record) => {
      const present = overlayOf(record);
      if (present.deletedBy !== undefined) throw noMessage();
      const next = change(present);
      return {
        put: JSON.stringify(next),
        ttlMs: Math.max(
          overlayTtlMs(message, settings, runtime.clock.epochMs()),
          shownTtlMs(hub.namespaces, channel),
        ),
        result: { message: currentMessage(message, next), ...audienceOf(message) },
      };
    });
  }

  return {
    post,

    async sendToChannel(caller, channelId, message) {
      const { channel } = await channelRecords.requireMember(caller, channelId);
      return post(channel, message, { from: caller });
    },

    async sendDirect(caller, to, message) {
      const content = contentOf(message);
      if ((await subscribers.find(to))?.active !== true) {
        throw new Refusal("not-found", "There is no such subscriber", { field: "to" });
      }
      if (to !== caller && (await blocks.list(to)).includes(caller)) {
        throw new Refusal("blocked", "The recipient has blocked the sender");
      }
      const channel = directChannel(caller, to);
      const { dedupeKey, connectionId } = message;
      const draft = { channel, from: caller, to, connectionId, ...content };
      const { settle, ...sent } = await publish(draft, { dedupeKey });
      // Stored once it is in the recipient's inbox as well: without, nothing would bring it to a recipient that is offline.
      // Unanswered, it comes with the conversation's next one, or with its own repetition.
      if (!sent.repeated) {
        await records.change([...direct.index(sent.message, channel), ...settle]);
      }
      return sent;
    },

    async edit(caller, messageId, message) {
      const found = await require(caller, messageId);
      if (found.message.from !== caller) throw notTheirs(found, "edit");
      const { content, contentType, attributes } = contentOf(message);
      const timeMs = runtime.clock.epochMs();
      const edit = { content, contentType, attributes, timeMs };
      return overlay(found, (present) => ({ ...present, edit }));
    },

    async delete(caller, messageId) {
      const found = await require(caller, messageId);
      const may = found.message.from === caller || found.administrator;
      if (!may) throw notTheirs(found, "delete");
      // Its edited text in the overlay goes with it; what the conversation and other dialects' histories hold of it is read no more.
      return overlay(found, ({ status }) => ({
        deletedBy: caller,
        ...(status === undefined ? {} : { status }),
      }));
    },
  };
}

function audienceOf({ channelId, from, to = "" }: Message): Audience {
  return channelId === undefined ? { subscribers: [...new Set([from, to])] } : { channelId };
}

function noMessage(): Refusal {
  return new Refusal("not-found", "There is no such message", { field: "message-id" });
}

/** §9: a member without the right; in a direct conversation there are no administrators. */
function notTheirs({ channel }: FoundMessage, doing: string): Refusal {
  const error = isDirect(channel) ? "invalid-field" : "not-administrator";
  return new Refusal(error, `Only its sender may ${doing} the message`, { field: "message-id" });
}
