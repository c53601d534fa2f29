/**
 * What the rest of the dialect asks of its authentication (messaging.md §4): whose a request is, whether that still holds, and who
 * there is. One of each per app, which is the domain.
 */
import type { Disconnect } from "../../../core/errors.ts";

/** A subscriber's id, which is its msisdn or a token's `sub`: it stands in keys of records and in paths. */
export const SUBSCRIBER_ID = /^[-A-Za-z0-9_.+@:|~=]{1,128}$/;

/** A connection that is told of it closes with 4401 (§4.3, §4.4). */
export const TOKEN_ENDED: Disconnect = {
  disconnect: "ended",
  wire: { code: 4401, reason: "Unauthorized" },
};

/** The credential that a connection was opened with. */
export interface Bearer {
  readonly subscriber: string;
  /** SHA-256 in hexadecimal of the token, or of a JWT's signed part. */
  readonly token: string;
  /** Epoch milliseconds, the first moment outside; Infinity: never. Its end is the session's to see. */
  readonly expiresMs: number;
  /** Of a token that another server looks after: `holds` is to be asked again each time that this has passed. Milliseconds. */
  readonly recheckMs?: number;
  /** When a JWT says that it was issued, epoch milliseconds; 0: it does not say. Absent: the token is not a JWT. */
  readonly issuedMs?: number;
}

/** The label that every connection of the token stands under: `hub.disconnect` with `TOKEN_ENDED` reaches them on every node. */
export const labelOf = ({ token }: Pick<Bearer, "token">): string => `token:${token}`;

/** As much of a request as is looked at: a `Request`'s and a `SocketRequest`'s. */
export interface Presented {
  readonly headers: Headers;
  readonly url: URL;
  /** The client's, for the log. */
  readonly address?: string;
}

/** A Response refuses, with all of its headers (§4.2). Nothing of it is to be changed. */
export interface Gate {
  /** By header or `access_token`: 401, 403, 400; 503 when it cannot be told now. Makes the subscriber that a JWT names first. */
  admit(request: Presented): Promise<Bearer | Response>;
  /** A later request of a session: with a valid token of this subscriber, or it is refused. */
  admitAs(request: Presented, subscriber: string): Promise<Response | undefined>;
  /** `/info`: a token may be absent, but must not be wrong. */
  admitInfo(request: Presented): Promise<Response | undefined>;
  /**
   * Reads it anew: to be asked once the connection stands under its label, for a token that ends meanwhile reaches those alone that
   * do. Throws HubError `unavailable` when the engine is away.
   */
  holds(bearer: Bearer): Promise<boolean>;
  /** The request is from a page of the app, from any page where the app has no list, or not from a browser. */
  allowsOrigin(origin: string): boolean;
  /** For an answer that is not a refusal: the headers by which a page of another origin sees it (§4.2). */
  corsHeaders(request: Pick<Presented, "headers">): Readonly<Record<string, string>>;
}

export interface Subscribers {
  /** Undefined: unknown in this domain. */
  find(id: string): Promise<{ readonly active: boolean } | undefined>;
}
