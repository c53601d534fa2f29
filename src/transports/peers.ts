/**
 * Processes of one machine that share a port. A request that continues a session may land on any of them: the session's id says whose
 * it is, and the request is passed on to that one, over a Unix socket that only this server's processes can open.
 */
import { rmSync } from "node:fs";
import { join } from "node:path";
import type { StreamedRequest } from "./answer-stream.ts";

/** Which of how many this process is, and where their sockets are. */
export interface Peers {
  /** From 1. */
  readonly number: number;
  readonly count: number;
  /** A directory that nobody else may enter. */
  readonly directory: string;
}

export interface PassedRequest extends StreamedRequest {
  readonly request: Request;
  /** The client's. */
  readonly address: string;
  readonly body: Uint8Array | undefined;
}

/** Believed of peers alone. */
const ADDRESS_HEADER = "x-carillon-client-address";
/** Of one connection each, so none of the passed request's. */
const OWN_HEADERS = ["connection", "content-length", "expect", "keep-alive", "te", "trailer"];
const ALSO_OWN = ["transfer-encoding", "upgrade"];
const IDLE_SECONDS = 30;

/** The same in every process. */
export function ownerOf(session: string, { count }: Peers): number {
  // FNV-1a: spreads ids of whatever shape.
  let hash = 0x811c9dc5;
  for (let at = 0; at < session.length; at += 1) {
    hash = Math.imul(hash ^ session.charCodeAt(at), 0x01000193);
  }
  return ((hash >>> 0) % count) + 1;
}

/** Where a process listens for its peers; what an earlier one left there is removed. */
export function ownSocket({ directory, number }: Peers): string {
  const path = socketOf(directory, number);
  rmSync(path, { force: true });
  return path;
}

export function passedAddress({ headers }: Request): string {
  return headers.get(ADDRESS_HEADER) ?? "";
}

/** The owner's answer as it comes. Rejects when the owner is not there. */
export async function passOn(
  { request, address, body, onLeave, endWithin }: PassedRequest,
  owner: number,
  { directory }: Peers,
): Promise<Response> {
  const headers = new Headers(request.headers);
  for (const name of [...OWN_HEADERS, ...ALSO_OWN]) headers.delete(name);
  headers.set(ADDRESS_HEADER, address);
  const leaving = new AbortController();
  endWithin(0);
  onLeave(() => leaving.abort());
  // A socket's path takes precedence over whatever the environment says of proxies.
  const response = await fetch(request.url.replace(/^https:/, "http:"), {
    ...{ method: request.method, headers, redirect: "manual", signal: leaving.signal },
    ...{ unix: socketOf(directory, owner), decompress: false, timeout: false },
    // One that the owner closes when it is idle is not to be met with a request.
    keepalive: false,
    ...(body === undefined ? undefined : { body }),
  });
  endWithin(response.headers.has("content-length") ? IDLE_SECONDS : 0);
  if (response.headers.has("content-length") || response.body === null) return response;
  // When a stream ends is not seen here, and its connection's bound was lifted.
  const answered = new Headers(response.headers);
  answered.set("Connection", "close");
  return new Response(response.body, { status: response.status, headers: answered });
}

function socketOf(directory: string, number: number): string {
  return join(directory, `${number}.sock`);
}
