/** Who calls (event-streaming.md §4.1, §4.2): a user by access token, or a server by API key. */
import { z } from "zod";
import type { CallHead } from "../../auth/api-callers.ts";
import { claimsText } from "../../auth/claims-text.ts";
import { TokenError, type Claims, type TokenFault } from "../../auth/key-set.ts";
import type { EventsContext } from "./context.ts";
import { EventsError } from "./errors.ts";

interface CallerOf {
  /** The app that the credential belongs to. */
  readonly context: EventsContext;
  /** `usr_…` or `key:<id>`: names the caller to limits, idempotency and logs. */
  readonly id: string;
  readonly scopes: ReadonlySet<string>;
  /** Its names, for messages about what it does not open. */
  readonly credential: () => string;
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
    detail: withoutScope(caller, anyOf),
  });
}

/** Why a credential does not permit what needs one of these scopes; `what`: the channel, where it is one. */
export function withoutScope(
  { credential }: Pick<Caller, "credential">,
  anyOf: readonly string[],
  what = "this",
): string {
  const needed = anyOf.map((scope) => `"${scope}"`).join(" or ");
  return `The credential lacks the scope ${needed}, which ${what} needs (a token says it in the claim "scope" or "scp"); ${credential()}`;
}

/**
 * The organisation that a call is for. `named` is what the request says, which only an API key for every organisation needs.
 * Throws `organisation_required`, `invalid_request`, and `channel_forbidden` when it names another than the caller's.
 */
export function organisationOf(caller: Caller, named: string | undefined): string {
  if (caller.organisationId !== undefined) {
    if (named === undefined || named === caller.organisationId) return caller.organisationId;
    throw new EventsError("organisation_required", "The credential is for another organisation.", {
      detail: `The credential is for another organisation than the call names; ${caller.credential()}`,
    });
  }
  if (caller.kind === "access") {
    const { organisation_claim: claim } = caller.context.settings;
    throw new EventsError("organisation_required", "The access token names no organisation.", {
      detail: `The token's claim "${claim}" is missing or not an organisation's id, "org_…"; ${caller.credential()}`,
    });
  }
  if (named === undefined) {
    throw new EventsError("invalid_request", "This key needs an organisation_id.");
  }
  if (!ORGANISATION_ID.test(named)) {
    throw new EventsError(
      "invalid_request",
      '"organisation_id" is not an organisation id: expected "org_…".',
    );
  }
  return named;
}

export const ORGANISATION_ID = /^org_[0-9A-Za-z]{1,64}$/;
export const USER_ID = /^usr_[0-9A-Za-z]{1,64}$/;

/** A configured key, by what a request carries. */
export type FindApiKey = (key: string) =>
  | {
      readonly id: string;
      readonly app: string;
      readonly scopes: readonly string[];
      /** `*`: every one. */
      readonly organisation: string;
    }
  | undefined;

export interface Authentication {
  /** By app id. */
  readonly contexts: ReadonlyMap<string, EventsContext>;
  readonly findApiKey: FindApiKey;
}

/** Throws `authentication_required`, `invalid_token`, and HubError `unavailable` when a key set is out of reach. */
export async function authenticate(
  { headers }: Pick<CallHead, "headers">,
  { contexts, findApiKey }: Authentication,
): Promise<Caller> {
  const [, bearer] = /^Bearer +(\S+) *$/i.exec(headers.get("authorization") ?? "") ?? [];
  const credential = headers.get("x-api-key")?.trim() || bearer;
  if (credential === undefined) {
    throw new EventsError("authentication_required", "An access token is missing.", {
      headers: { "WWW-Authenticate": 'Bearer realm="events"' },
    });
  }
  const key = findApiKey(credential);
  if (key !== undefined) {
    const context = contexts.get(key.app);
    if (context === undefined) {
      throw invalidToken(
        "key",
        "The API key's app has no key that signs, and so no events service",
      );
    }
    return {
      ...{ kind: "api_key", context, id: `key:${key.id}`, scopes: new Set(key.scopes) },
      credential: () =>
        `the API key "${key.id}" has the scopes ${key.scopes.join(", ") || "(none)"}`,
      organisationId: key.organisation === "*" ? undefined : key.organisation,
    };
  }
  if (credential !== bearer) throw invalidToken("key", "The API key is not known here");
  return callerOf(await verify(bearer, contexts));
}

/** By the keys of whichever app they verify it. */
async function verify(token: string, contexts: Authentication["contexts"]) {
  let refused: { readonly fault: TokenFault; readonly detail: string } = {
    ...{ fault: "key", detail: "No app here issues or takes tokens of events" },
  };
  for (const context of contexts.values()) {
    try {
      return { context, claims: await context.verifyAccess(token) };
    } catch (error) {
      if (!(error instanceof TokenError)) throw error;
      refused = error;
    }
  }
  throw invalidToken(refused.fault, refused.detail);
}

const text = z.string().optional();
const accessClaims = z.looseObject({
  sub: z.string(),
  exp: z.number(),
  scope: text,
  scp: z.array(z.string()).optional(),
  client_id: text,
});
const ORGANISATION_CLAIMS = ["organisation_id", "org"];

function callerOf({
  context,
  claims,
}: {
  readonly context: EventsContext;
  readonly claims: Claims;
}): AccessCaller {
  const { success, data, error } = accessClaims.safeParse(claims);
  const credential = () => claimsText(claims);
  if (!success) {
    const claim = error.issues[0]?.path.join(".") ?? "";
    const detail = `The token's claim "${claim}" is missing or not of its type; ${credential()}`;
    throw invalidToken("claims", detail);
  }
  if (!USER_ID.test(data.sub)) {
    const detail = `The token's claim "sub" is not a user's id, "usr_…"; ${credential()}`;
    throw invalidToken("subject", detail);
  }
  const named = [context.settings.organisation_claim, ...ORGANISATION_CLAIMS]
    .map((name) => claims[name])
    .find((claim) => claim !== undefined);
  return {
    kind: "access",
    context,
    id: data.sub,
    credential,
    scopes: new Set(data.scope?.split(" ").filter(Boolean) ?? data.scp ?? []),
    userId: data.sub,
    organisationId: typeof named === "string" && ORGANISATION_ID.test(named) ? named : undefined,
    expiresAtMs: data.exp * 1000,
    clientId: data.client_id,
  };
}

/** `reason` is for the developer of the caller; it never holds any of the token. `detail`: which claim it is, and which there are. */
export function invalidToken(reason: TokenFault | "subject", detail: string): EventsError {
  return new EventsError("invalid_token", `The access token is not valid: ${reason}.`, {
    details: { reason },
    headers: {
      "WWW-Authenticate": `Bearer error="invalid_token", error_description="${reason}"`,
    },
    detail,
  });
}
