/** A message of an open channel as the other dialects are shown it. */
import { compactJson } from "../../../core/json-text.ts";
import { optionsOf, type Namespaces } from "../../../core/namespaces.ts";
import type { Channel, Payload, Publication } from "../../../core/types.ts";
import { NO_ATTRIBUTES } from "./attributes.ts";
import type { CurrentMessage, Message } from "./contract.ts";

export function shownPayload(message: CurrentMessage): Payload {
  const { messageId, from, sequence, timeMs, contentType, content, editedMs } = message;
  const shown = {
    ...{ "message-id": messageId, from, sequence, timestamp: isoTime(timeMs) },
    ...{ "content-type": contentType, content },
    edited: editedMs === undefined ? undefined : isoTime(editedMs),
    "deleted-by": message.deletedBy,
  };
  const members = JSON.stringify(shown).slice(0, -1);
  return { json: compactJson(`${members},"attributes":${message.attributes}}`) };
}

/** How long other dialects' histories may hold a message from now on, milliseconds: what became of it is to be known as long. */
export function shownTtlMs(namespaces: Namespaces, { name }: Channel): number {
  return optionsOf(namespaces, name)?.history?.ttlMs ?? 0;
}

/** Its attributes left out, which no edited or deleted one keeps. Undefined: somebody else published it, to a name that is no channel of ours. */
export function readShown({ data }: Publication): Message | undefined {
  if (!("json" in data && data.json.startsWith('{"message-id":'))) return undefined;
  const shown = JSON.parse(data.json) as Readonly<Record<string, string>>;
  const { from = "", content = "", sequence, timestamp = "" } = shown;
  if (!Number.isSafeInteger(sequence)) return undefined;
  return {
    ...{ messageId: shown["message-id"] ?? "", from, content, sequence: Number(sequence) },
    ...{ timeMs: Date.parse(timestamp), contentType: shown["content-type"] ?? "" },
    attributes: NO_ATTRIBUTES,
  };
}

const isoTime = (epochMs: number): string => new Date(epochMs).toISOString();
