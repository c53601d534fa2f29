/**
 * Messages as they are now, wherever else than in this dialect their publications are read: engines keep what was published, text that was
 * deleted or edited included.
 */
import type { Records } from "../../../core/engine.ts";
import type { Revise } from "../../../core/hub.ts";
import type { Channel, Payload, Publication } from "../../../core/types.ts";
import { messageChannel, type CurrentMessage, type Message } from "./contract.ts";
import { payloadOf, readMessage } from "./message-data.ts";
import { currentMessage, overlaysOf } from "./overlays.ts";
import { readShown, shownPayload } from "./shown.ts";

/** How a message lies in a publication. */
interface Form {
  /** Undefined: the publication is no message. */
  read(publication: Publication): Message | undefined;
  write(message: CurrentMessage): Payload;
}

type List = Pick<Records, "list">;

/** Of the copies that other dialects are shown. */
export function reviseShown(records: List): Revise {
  const form: Form = { read: readShown, write: shownPayload };
  return (name, publications) => revise(records, messageChannel(name), form, publications);
}

/** Of a space of this dialect's own. */
export function reviseOwn(records: List, space: string): Revise {
  return (name, publications) => {
    const channel = { space, name };
    const form: Form = {
      read: (publication) => readMessage(channel, publication),
      write: (message) => payloadOf({ ...message, channel }, { timeMs: message.timeMs }),
    };
    return revise(records, channel, form, publications);
  };
}

async function revise(
  records: List,
  channel: Channel,
  form: Form,
  publications: readonly Publication[],
): Promise<readonly Publication[]> {
  const messages = publications.map((publication) => form.read(publication));
  const ascending = messages
    .flatMap((message) => message ?? [])
    .toSorted((one, other) => one.sequence - other.sequence);
  const overlays = await overlaysOf(records, channel, ascending);
  return publications.map((publication, at) => {
    const message = messages[at];
    const overlay = message && overlays.get(message.sequence);
    if (message === undefined || overlay === undefined) return publication;
    return { ...publication, data: form.write(currentMessage(message, overlay)) };
  });
}
