/** A publication as one row and back. Payloads keep their form: text for JSON, a blob for bytes. */
import { storedJson } from "../../core/json-text.ts";
import { clientFrom, clientText } from "../../core/payload.ts";
import type { Publication, StreamPosition } from "../../core/types.ts";

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
    data: typeof row.data === "string" ? { json: storedJson(row.data) } : { bytes: row.data },
    ...(row.tags === null ? {} : { tags: JSON.parse(row.tags) as Record<string, string> }),
    ...(row.publisher === null ? {} : { publisher: clientFrom(row.publisher) }),
    ...(row.except_connection === null ? {} : { exceptConnectionId: row.except_connection }),
    ...(row.version === null ? {} : { version: row.version }),
    timeMs: row.time_ms,
    position,
  };
}
