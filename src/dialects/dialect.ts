/** What a dialect gives to the server: its HTTP routes on both listeners and its socket routes. */
import type { Hono } from "hono";
import type { SocketRoute } from "../transports/socket.ts";

/** One dialect's part of the OpenAPI document. */
export interface OpenApiPart {
  readonly tag: string;
  readonly paths: Readonly<Record<string, unknown>>;
}

export interface Dialect {
  readonly name: string;
  /** Mounted on the `clients` listener, under the dialect's prefix. Its own 404 and 405 are not used: unmatched paths fall through. */
  readonly clients?: Hono;
  /** Mounted on the `api` listener, likewise. */
  readonly api?: Hono;
  readonly sockets: readonly SocketRoute[];
  readonly openapi?: OpenApiPart;
}
