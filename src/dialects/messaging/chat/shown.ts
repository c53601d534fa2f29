/** A message of an open channel as the other dialects are shown it: when it is sent, and as it is now where it is read later. */
import type { Records } from "../../../core/engine.ts";
import type { Revise } from "../../../core/hub.ts";
import { compactJson } from "../../../core/json-text.ts";
import { optionsOf, type Namespaces } from "../../../core/namespaces.ts";
import type { Channel, Payload, Publication } from "../../../core/types.ts";
import { NO_ATTRIBUTES } from "./attributes.ts";
import { messageChannel, type CurrentMessage } from "./contract.ts";
import { currentMessage, overlaysOf } from "./overlays.ts";

type Shown = Omit<CurrentMessage, "channelId" | "to" | "connectionId" | "status">;

export function shownPayload(message: Shown): Payload {
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

/** What was edited or deleted since is shown so; all else as it was published. */
export function createRevise(records: Pick<Records, "list">): Revise {
  return async (name, publications) => {
    const messages = publications.map(messageOf);
    const ascending = messages
      .flatMap((message) => message ?? [])
      .toSorted((one, other) => one.sequence - other.sequence);
    const overlays = await overlaysOf(records, messageChannel(name), ascending);
    return publications.map((publication, at) => {
      const message = messages[at];
      const overlay = message && overlays.get(message.sequence);
      if (message === undefined || overlay === undefined) return publication;
      return { ...publication, data: shownPayload(currentMessage(message, overlay)) };
    });
  };
}

/** Its attributes left out, which no edited or deleted one keeps. Undefined: somebody else published it, to a name that is no channel of ours. */
function messageOf({ data }: Publication): Shown | undefined {
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
