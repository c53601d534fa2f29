/** Pushes of other dialects to a channel of this one (DESIGN.md §3): messages without a sender, stored like any other. */
import { HubError } from "../../../core/errors.ts";
import type { Claim } from "../../../core/hub.ts";
import { jsonOf } from "../../../core/json-text.ts";
import { jsonOfPayload } from "../../../core/payload.ts";
import type { Payload, Tags } from "../../../core/types.ts";
import { Refusal } from "../errors.ts";
import type { ChannelRecords } from "./channel-records.ts";
import type { NewMessage } from "./contract.ts";
import { NO_ATTRIBUTES } from "./attributes.ts";
import type { Post } from "./messages.ts";

/** The text of a string, or JSON. Undefined: bytes that are not JSON, which no message can have. */
export function messageOfPush(data: Payload, tags: Tags = {}): NewMessage | undefined {
  const json = jsonOfPayload(data);
  if (json === undefined) return undefined;
  const { event } = tags;
  const attributes = event === undefined ? NO_ATTRIBUTES : jsonOf({ event });
  if (!json.startsWith('"')) return { content: json, contentType: "application/json", attributes };
  return { content: JSON.parse(json) as string, contentType: "text/plain", attributes };
}

export function createPushes(channelRecords: ChannelRecords, post: Post): Claim {
  return async (name, { data, tags, publisher }, { idempotencyKey }) => {
    const channel = await channelRecords.channel(name);
    if (channel === undefined) return undefined;
    // A server's call has its own rules. Another dialect's client is not a subscriber: only members write to a channel that is not open.
    if (publisher !== undefined && channel.value.access !== "open") {
      throw new HubError("not_available", "The channel is open to its members alone");
    }
    const message = messageOfPush(data, tags);
    if (message === undefined) throw new HubError("bad_request", "The channel takes JSON only");
    try {
      const stored = await post(channel, message, { from: "", tags, idempotencyKey });
      return { position: { epoch: stored.epoch ?? "", offset: stored.message.sequence } };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      throw new HubError("limit_exceeded", error.message, { cause: error });
    }
  };
}
