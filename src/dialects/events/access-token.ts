/** Who calls (event-streaming.md §4.1, §4.2): a user by access token, or a server by API key. */
import type { EventsContext } from "./context.ts";
import { EventsError } from "./errors.ts";

interface CallerOf {
  /** The app that the credential belongs to. */
  readonly context: EventsContext;
  /** `token:<sub>` or `key:<id>`: names the caller to limits, idempotency and logs. */
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
}

export interface AccessCaller extends CallerOf {
  readonly kind: "access";
  /** `usr_…`. */
  readonly userId: string;
  /** `org_…`; undefined: the token names none. */
  readonly organisationId: string | undefined;
  readonly expiresAtMs: number;
  /** The OAuth client, if the token says. */
  readonly clientId: string | undefined;
}

export interface ApiKeyCaller extends CallerOf {
  readonly kind: "api_key";
  /** Undefined: it acts for every organisation, and each call names one. */
  readonly organisationId: string | undefined;
}

export type Caller = AccessCaller | ApiKeyCaller;

/** An API key's `*` stands for every scope; a token's scopes are compared exactly. */
export function hasScope(caller: Caller, anyOf: readonly string[]): boolean {
  if (caller.kind === "api_key" && caller.scopes.has("*")) return true;
  return anyOf.some((scope) => caller.scopes.has(scope));
}

/** Throws `insufficient_scope` naming `anyOf`, of which the first is the one to ask for. */
export function requireScope(
  caller: Caller,
  anyOf: readonly string[],
  details: Readonly<Record<string, unknown>> = {},
  message = "The credential does not permit this.",
): void {
  if (hasScope(caller, anyOf)) return;
  throw new EventsError("insufficient_scope", message, {
    details: { ...details, required_any: anyOf },
    headers: {
      "WWW-Authenticate": `Bearer error="insufficient_scope", scope="${anyOf[0] ?? ""}"`,
    },
  });
}

/**
 * The organisation that a call is for. `named` is what the request says, which only an API key for every organisation needs.
 * Throws `organisation_required`, `invalid_request`, and `channel_forbidden` when it names another than the caller's.
 */
export function organisationOf(caller: Caller, named: string | undefined): string {
  if (caller.organisationId !== undefined) {
    if (named === undefined || named === caller.organisationId) return caller.organisationId;
    throw new EventsError("organisation_required", "The credential is for another organisation.");
  }
  if (caller.kind === "access") {
    throw new EventsError("organisation_required", "The access token names no organisation.");
  }
  if (named === undefined) {
    throw new EventsError("invalid_request", "This key needs an organisation_id.");
  }
  if (!ORGANISATION_ID.test(named)) {
    throw new EventsError("invalid_request", "The organisation_id is none.");
  }
  return named;
}

export const ORGANISATION_ID = /^org_[0-9A-Za-z]{1,64}$/;
export const USER_ID = /^usr_[0-9A-Za-z]{1,64}$/;
