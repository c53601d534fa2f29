/** Whose a request is, by messaging.md §4.2's table, before anything of it is done. */
import { HubError } from "../../../core/errors.ts";
import type { OnEvent } from "../../dialect.ts";
import type { Word } from "../../every-word.ts";
import type { Explaining } from "../../explaining.ts";
import { BearerFault, type Bearers } from "./bearers.ts";
import type { Bearer, Gate, Presented } from "./contract.ts";
import { AuthError, authErrorOf, errorAnswer } from "./errors.ts";

export interface GateOptions extends Explaining {
  readonly app: string;
  readonly bearers: Bearers;
  /** Of the app's pages; a request without an `Origin` is not asked about. */
  readonly allowsOrigin: (origin: string) => boolean;
  readonly onEvent: OnEvent;
  readonly onError: (error: unknown, about: Readonly<Record<string, string>>) => void;
  /** A connection was refused, by its word. */
  readonly onRefused: (word: Word) => void;
}

export function createGate(options: GateOptions): Gate {
  const { app, bearers, allowsOrigin, onEvent, onError, onRefused } = options;

  function corsHeaders({ headers }: Pick<Presented, "headers">): Record<string, string> {
    const origin = headers.get("origin");
    if (origin === null) return { "Access-Control-Allow-Origin": "*", Vary: "Origin" };
    if (!allowsOrigin(origin)) return { Vary: "Origin" };
    return {
      "Access-Control-Allow-Origin": origin,
      "Access-Control-Allow-Credentials": "true",
      Vary: "Origin",
    };
  }

  /** Throws AuthError `forbidden` for a page that is neither the app's nor this server's own. */
  function requireOrigin({ headers, url }: Presented): void {
    const origin = headers.get("origin");
    if (origin === null || allowsOrigin(origin)) return;
    // SockJS's iframe page is served from here.
    if (URL.parse(origin)?.host === url.host) return;
    onEvent("Origin refused", { app, origin });
    throw new AuthError("forbidden", "The page's origin is not in the app's allowed_origins");
  }

  async function bearerOf(request: Presented): Promise<Bearer | undefined> {
    requireOrigin(request);
    const token = tokenOf(request);
    if (token === undefined) return undefined;
    const bearer = await bearers.find(token);
    if (!(bearer instanceof BearerFault)) return bearer;
    const { code, detail } = bearer;
    throw new AuthError(code, FAULTS[code], { detail });
  }

  async function required(request: Presented): Promise<Bearer> {
    const bearer = await bearerOf(request);
    if (bearer === undefined) throw new AuthError("unauthorized", "No token was sent");
    return bearer;
  }

  /** The answer of `decide`, or the answer to its error. */
  async function decided<Result>(
    request: Presented,
    decide: () => Promise<Result>,
    onAnswer?: (word: Word) => void,
  ): Promise<Result | Response> {
    try {
      return await decide();
    } catch (thrown) {
      const error = authErrorOf(thrown);
      if (error === undefined) throw thrown;
      if (thrown instanceof HubError) onError(thrown, { connection: "", doing: "reading a token" });
      const answer = errorAnswer(error, options, corsHeaders(request));
      const { address = "" } = request;
      onEvent("Connect refused", {
        ...{ word: error.code, app, address, status: answer.status, detail: error.detail },
      });
      onAnswer?.(error.code);
      return answer;
    }
  }

  return {
    allowsOrigin,
    corsHeaders,
    holds: (bearer) => bearers.holds(bearer),
    admit: (request) => decided(request, () => required(request), onRefused),
    admitAs: (request, subscriber) =>
      decided(request, async () => {
        if ((await required(request)).subscriber === subscriber) return undefined;
        throw new AuthError("insufficient_scope", "The session belongs to another subscriber");
      }),
    admitInfo: (request) =>
      decided(request, async () => {
        await bearerOf(request);
        return undefined;
      }),
  };
}

const FAULTS = {
  invalid_token: "The access token is expired, revoked or unknown",
  insufficient_scope: "The access token is not a subscriber's",
} as const;

/** RFC 6750 §2.1: the scheme in any case. */
const BEARER = /^bearer(?![-\w])/i;
const AUTHORIZATION = /^bearer +(\S+) *$/i;

/** Undefined: no token was sent. Throws AuthError `invalid_request` for two, and for a header without one. */
function tokenOf({ headers, url }: Presented): string | undefined {
  const header = headers.get("authorization") ?? "";
  const inHeader = BEARER.test(header);
  const inQuery = url.searchParams.getAll("access_token");
  if (inQuery.length > (inHeader ? 0 : 1)) {
    throw new AuthError("invalid_request", "More than one access token was sent");
  }
  if (!inHeader) return inQuery[0];
  const [, token] = AUTHORIZATION.exec(header) ?? [];
  if (token !== undefined) return token;
  throw new AuthError("invalid_request", "The Authorization header does not hold one token");
}
