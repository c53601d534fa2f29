/** A publication as one row and back. Payloads keep their form: text for JSON, a blob for bytes. */
import type { ClientInfo, Payload, Publication, StreamPosition } from "../../core/types.ts";

export interface PublicationRow {
  readonly offset: number;
  readonly time_ms: number;
  readonly data: string | Uint8Array;
  readonly tags: string | null;
  readonly publisher: string | null;
  readonly except_connection: string | null;
  readonly version: number | null;
}

export function rowOf(publication: Publication, offset: number): PublicationRow {
  const { data, tags, publisher, exceptConnectionId, version } = publication;
  return {
    offset,
    time_ms: publication.timeMs,
    data: "json" in data ? data.json : data.bytes,
    tags: tags === undefined ? null : JSON.stringify(tags),
    publisher: publisher === undefined ? null : clientText(publisher),
    except_connection: exceptConnectionId ?? null,
    version: version ?? null,
  };
}

export function publicationOf(row: PublicationRow, epoch: string): Publication {
  const position: StreamPosition = { epoch, offset: row.offset };
  return {
    data: typeof row.data === "string" ? { json: row.data } : { bytes: row.data },
    ...(row.tags === null ? {} : { tags: JSON.parse(row.tags) as Record<string, string> }),
    ...(row.publisher === null ? {} : { publisher: clientFrom(row.publisher) }),
    ...(row.except_connection === null ? {} : { exceptConnectionId: row.except_connection }),
    ...(row.version === null ? {} : { version: row.version }),
    timeMs: row.time_ms,
    position,
  };
}

type PayloadText = { readonly json: string } | { readonly base64: string };

interface ClientText {
  readonly connectionId: string;
  readonly userId: string;
  readonly info?: PayloadText;
  readonly channelInfo?: PayloadText;
}

function clientText({ connectionId, userId, info, channelInfo }: ClientInfo): string {
  const text: ClientText = {
    connectionId,
    userId,
    ...(info === undefined ? {} : { info: payloadText(info) }),
    ...(channelInfo === undefined ? {} : { channelInfo: payloadText(channelInfo) }),
  };
  return JSON.stringify(text);
}

function clientFrom(text: string): ClientInfo {
  const { connectionId, userId, info, channelInfo } = JSON.parse(text) as ClientText;
  return {
    connectionId,
    userId,
    ...(info === undefined ? {} : { info: payloadFrom(info) }),
    ...(channelInfo === undefined ? {} : { channelInfo: payloadFrom(channelInfo) }),
  };
}

function payloadText(payload: Payload): PayloadText {
  return "json" in payload ? payload : { base64: Buffer.from(payload.bytes).toString("base64") };
}

function payloadFrom(text: PayloadText): Payload {
  return "json" in text ? text : { bytes: new Uint8Array(Buffer.from(text.base64, "base64")) };
}
