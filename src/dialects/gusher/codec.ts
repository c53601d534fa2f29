/** The wire (§5.1 to §5.8, Appendix B): what clients send, and every frame that they are sent, its members in the original's order. */
import { HubError } from "../../core/errors.ts";
import type { Encoder } from "../../core/hub.ts";
import { jsonView, objectEnd, type JsonView } from "../../core/json-text.ts";
import { jsonOfPayload } from "../../core/payload.ts";
import type { Tags } from "../../core/types.ts";

/** The event of a publication that names none (DESIGN.md §3). */
const DEFAULT_EVENT = "message";

export type Command =
  | { readonly event: "gusher.subscribe" | "gusher.unsubscribe"; readonly channel: string }
  | { readonly event: "gusher.multi_subscribe"; readonly channels: RequestedChannels }
  | { readonly event: "gusher.querychannel" }
  | { readonly event: "gusher.ping"; readonly data: JsonView }
  | {
      readonly event: "gusher.remote";
      readonly remote: string;
      /** The client's correlation id, no user's. */
      readonly uid: string;
      /** Compact JSON. */
      readonly payload: string;
      readonly debug: boolean;
    };

export interface RequestedChannels {
  /** In the order of the request, duplicates kept. */
  readonly names: readonly string[];
  /** One is not a string: it stands in `names` as its JSON text, and the list cannot be granted. */
  readonly malformed: boolean;
}

/** Bad input, which has no answer but the end of the connection (§5.1). The message is for the log and repeats nothing of the frame. */
export class MalformedFrame extends Error {}

/** One text frame. Throws MalformedFrame: not JSON, an unknown event, or a required member that is missing or of another type. */
export function decodeCommand(text: string): Command {
  const frame = firstObject(text);
  const event = frame.member("event");
  const data = frame.member("data");
  if (event?.kind !== "string" || data === undefined) {
    throw new MalformedFrame("The frame must have an event and data");
  }
  switch (event.value) {
    case "gusher.subscribe":
      return { event: "gusher.subscribe", channel: stringIn(data, "channel") };
    case "gusher.unsubscribe":
      return { event: "gusher.unsubscribe", channel: stringIn(data, "channel") };
    case "gusher.multi_subscribe":
      return { event: "gusher.multi_subscribe", channels: channelsIn(data) };
    case "gusher.querychannel":
      return { event: "gusher.querychannel" };
    case "gusher.ping":
      return { event: "gusher.ping", data };
    case "gusher.remote": {
      const payload = data.member("payload");
      if (payload === undefined) throw new MalformedFrame("The data must have a payload");
      return {
        event: "gusher.remote",
        remote: stringIn(data, "remote"),
        uid: stringIn(data, "uid"),
        payload: payload.raw,
        debug: frame.member("debug")?.value === true,
      };
    }
    default:
      throw new MalformedFrame("The event is not known");
  }
}

/** D5: gusher-js with `binary: true` sends the JSON text as UTF-16 code units. Undefined: not a command, and to be ignored. */
export function decodeBinaryCommand(bytes: Uint8Array): Command | undefined {
  try {
    return decodeCommand(utf16.decode(bytes));
  } catch (error) {
    if (error instanceof MalformedFrame) return undefined;
    throw error;
  }
}

export type ReplyEvent = `gusher.${
  | `${"subscribe" | "unsubscribe" | "multi_subscribe" | "remote"}_${"succeeded" | "error"}`
  | "querychannel_succeeded"
  | "pong_succeeded"}`;

/** `data` is JSON text; `time`, in seconds, stands in answers to pings only. */
export function encodeReply(
  event: ReplyEvent | "gusher.reloadchannel" | "gusher.addchannel",
  { socketId, data, time }: { socketId: string; data: string; time?: number },
): string {
  const end = time === undefined ? "}" : `,"time":${time}}`;
  return `{"event":"${event}","socket_id":${JSON.stringify(socketId)},"data":${data}${end}`;
}

/** §5.8: of the whole frame nothing but the value itself, for a user's or socket's push. */
export const encoder: Encoder = {
  name: "gusher",
  encode(push) {
    switch (push.type) {
      case "publication": {
        const { data, tags } = push.publication;
        const json = jsonOfPayload(data);
        if (json === undefined) return { disconnect: "uncarriable" };
        return encodeChannelPush(push.channel.name, tags, json);
      }
      case "direct":
        // No position promises it, so a payload that this wire cannot carry costs nobody the connection.
        return jsonOfPayload(push.data);
      case "join":
      case "leave":
      case "note":
        return undefined;
    }
  },
};

function encodeChannelPush(channel: string, tags: Tags | undefined, data: string): string {
  const event = tags?.["event"] ?? DEFAULT_EVENT;
  return `{"channel":${JSON.stringify(channel)},"event":${JSON.stringify(event)},"data":${data}}`;
}

/** What is not UTF-16 becomes characters that are not JSON outside of strings. */
const utf16 = new TextDecoder("utf-16le", { ignoreBOM: true });

/** §5.1: white space around the object and anything behind it are tolerated. */
function firstObject(text: string): JsonView {
  try {
    return jsonView(text, FRAME);
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
  }
  const end = objectEnd(text, text.search(/\S/));
  if (end === undefined || end === text.length) throw notJson();
  try {
    return jsonView(text.slice(0, end), FRAME);
  } catch (error) {
    if (error instanceof HubError) throw notJson(error);
    throw error;
  }
}

/** A remote's payload is for its worker to judge (§8). */
const FRAME = { anyNumbers: true };

function notJson(cause?: HubError): MalformedFrame {
  return new MalformedFrame("The frame must be a JSON object", { cause });
}

function stringIn(data: JsonView, name: string): string {
  const value = data.member(name)?.value;
  if (typeof value !== "string") throw new MalformedFrame(`"${name}" must be a string`);
  return value;
}

/** §5.4: what is not a list counts as an empty one, whose answer is an error rather than the end. */
function channelsIn(data: JsonView): RequestedChannels {
  const items = data.member("multi_channel")?.items() ?? [];
  return {
    names: items.map((item) => (item.kind === "string" ? String(item.value) : item.raw)),
    malformed: items.some(({ kind }) => kind !== "string"),
  };
}
