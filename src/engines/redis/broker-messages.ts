/**
 * Channel events as text. On the bus: a head line, `kind sender sequence confirmed`, with `epoch offset` behind it where an offset was
 * taken or is told, then the body. A publication's body, which is also what a stream keeps: `timeMs`, with more as JSON behind it
 * where there is more, then on a line of its own the data. JSON text has no line ends of its own outside of escapes.
 */
import type { Announcement, ChannelEvent } from "../../core/engine.ts";
import { storedJson } from "../../core/json-text.ts";
import {
  clientFrom,
  clientText,
  fromPortableClient,
  toPortableClient,
} from "../../core/payload.ts";
import type { NewPublication, Publication, StreamPosition, Tags } from "../../core/types.ts";

/** Where a message stands among those of one sender to one topic. */
export interface Sequence {
  /** Names a node and a run of numbers on it. */
  readonly sender: string;
  /** Counts from 1. */
  readonly number: number;
  /** The highest number that the sender knew to be on the bus when it sent this one: whoever has not seen it has missed something. */
  readonly confirmed: number;
}

export interface BusMessage {
  readonly sequence: Sequence;
  readonly event: ChannelEvent;
}

const KINDS = { publication: "p", join: "j", leave: "l", note: "n" } as const;

export type MessageType = keyof typeof KINDS;

/** Where a publication took an offset, or an announcement has to say where the stream stood, the script adds it. */
export function headOf(type: MessageType, sequence: Sequence): string {
  const { sender, number, confirmed } = sequence;
  return `${KINDS[type]} ${sender} ${number} ${confirmed}`;
}

export function announcementBody(announcement: Announcement): string {
  if (announcement.type !== "note") return clientText(announcement.client);
  const { dialect, json } = announcement.note;
  return `${dialect}\n${json}`;
}

export function parseMessage(text: string): BusMessage {
  const end = text.indexOf("\n");
  const [kind, sender = "", number, confirmed, epoch, offset] = text.slice(0, end).split(" ");
  const sequence = { sender, number: Number(number), confirmed: Number(confirmed) };
  const body = text.slice(end + 1);
  const position = epoch === undefined ? undefined : { epoch, offset: Number(offset) };
  if (kind === KINDS.publication) {
    const publication = publicationFrom(body, position);
    return { sequence, event: { type: "publication", publication } };
  }
  const after = position === undefined ? {} : { after: position };
  return { sequence, event: { ...announcementFrom(kind, body), ...after } };
}

function announcementFrom(kind: string | undefined, body: string): Announcement {
  if (kind !== KINDS.note) {
    return { type: kind === KINDS.join ? "join" : "leave", client: clientFrom(body) };
  }
  const end = body.indexOf("\n");
  return {
    type: "note",
    note: { dialect: body.slice(0, end), json: storedJson(body.slice(end + 1)) },
  };
}

interface More {
  readonly tags?: Tags;
  readonly publisher?: ReturnType<typeof toPortableClient>;
  readonly version?: number;
  readonly except?: string;
  /** The data is bytes, in base64. */
  readonly bytes?: true;
}

export function publicationBody(publication: NewPublication, timeMs: number): string {
  const { data, tags, publisher, version, exceptConnectionId } = publication;
  const plain = (tags ?? publisher ?? version ?? exceptConnectionId) === undefined;
  if (plain && "json" in data) return `${timeMs}\n${data.json}`;
  const more: More = {
    ...(tags === undefined ? {} : { tags }),
    ...(publisher === undefined ? {} : { publisher: toPortableClient(publisher) }),
    ...(version === undefined ? {} : { version }),
    ...(exceptConnectionId === undefined ? {} : { except: exceptConnectionId }),
    ...("json" in data ? {} : { bytes: true }),
  };
  const text = "json" in data ? data.json : data.bytes.toBase64();
  return `${timeMs} ${JSON.stringify(more)}\n${text}`;
}

export function publicationFrom(body: string, position: StreamPosition | undefined): Publication {
  const end = body.indexOf("\n");
  const space = body.indexOf(" ");
  const text = body.slice(end + 1);
  const at = position === undefined ? {} : { position };
  if (space < 0 || space > end) {
    return { data: { json: storedJson(text) }, timeMs: Number(body.slice(0, end)), ...at };
  }
  const more = JSON.parse(body.slice(space + 1, end)) as More;
  return {
    data: more.bytes === true ? { bytes: Uint8Array.fromBase64(text) } : { json: storedJson(text) },
    ...(more.tags === undefined ? {} : { tags: more.tags }),
    ...(more.publisher === undefined ? {} : { publisher: fromPortableClient(more.publisher) }),
    ...(more.version === undefined ? {} : { version: more.version }),
    ...(more.except === undefined ? {} : { exceptConnectionId: more.except }),
    timeMs: Number(body.slice(0, space)),
    ...at,
  };
}
