/** The two token endpoints (event-streaming.md §5): what the caller may open, and the token that says so. */
import { hasScope, organisationOf, requireScope, USER_ID, type Caller } from "./access-token.ts";
import {
  flagParam,
  invalidRequest,
  isoTime,
  listParam,
  readParams,
  textParam,
  type Answer,
  type EventsCall,
} from "./call.ts";
import { automaticChannels, requireChannel, type Listener } from "./channels.ts";
import { issueConnectionToken, issueSubscriptionToken, type TokenHolder } from "./client-token.ts";
import { requireActive } from "./organisation-state.ts";

const MINUTE_MS = 60_000;
/** Bytes of `client`: connection ids are UUIDs. */
export const CLIENT_BYTES_MAX = 64;

/** What an API key needs to ask for a user's token (§4.2). */
const IMPERSONATE = ["events:impersonate"];
const WHO = { organisation_id: textParam, user_id: textParam };

/** §5.1. */
export async function connectionToken(call: EventsCall): Promise<Answer> {
  const params = readParams(call, { ...WHO, namespaces: listParam, verbose: flagParam });
  const { context } = call.caller;
  const listener = listenerOf(call.caller, params);
  limit(listener, context, "connection");
  const organisation = await requireActive(context, listener.organisationId);
  const narrowed = params.namespaces?.split(",");
  const channels = automaticChannels(listener, context.catalogue, narrowed);
  const holder = holderOf(call.caller, listener, organisation);
  const { token, expiresAtMs } = await issueConnectionToken(context, holder, channels);
  if (params.verbose !== "1") return { token };
  return { token, expires_at: isoTime(expiresAtMs), endpoint: context.endpoint(), channels };
}

/** §5.2. */
export async function subscriptionToken(call: EventsCall): Promise<Answer> {
  const params = readParams(call, { ...WHO, channel: textParam, client: textParam });
  const { context } = call.caller;
  const listener = listenerOf(call.caller, params);
  limit(listener, context, "subscription");
  const { channel, client } = params;
  if (channel === undefined) throw invalidRequest('"channel" is missing.');
  if (client !== undefined && (client === "" || Buffer.byteLength(client) > CLIENT_BYTES_MAX)) {
    throw invalidRequest('"client" is not the id of a connection.');
  }
  // Permission before provisioning: a 409 tells nobody what a 403 would not.
  requireChannel(channel, listener, context.catalogue);
  const organisation = await requireActive(context, listener.organisationId);
  const holder = holderOf(call.caller, listener, organisation);
  const { token } = await issueSubscriptionToken(context, holder, { channel, client });
  return { token };
}

/** The user that a token is for: the caller, or the one that a key names. */
function listenerOf(
  caller: Caller,
  named: { readonly organisation_id?: string; readonly user_id?: string },
): Listener {
  const organisationId = organisationOf(caller, named.organisation_id);
  return {
    organisationId,
    userId: userOf(caller, named.user_id),
    hasScope: (anyOf) => hasScope(caller, anyOf),
    credential: caller.credential,
  };
}

function userOf(caller: Caller, named: string | undefined): string {
  if (caller.kind === "access") {
    if (named === undefined || named === caller.userId) return caller.userId;
    throw invalidRequest('"user_id" is not the user of the access token.');
  }
  requireScope(caller, IMPERSONATE);
  if (named === undefined)
    throw invalidRequest('"user_id" is missing: an API key must say for which user.');
  if (!USER_ID.test(named)) throw invalidRequest('"user_id" is not a user id: expected "usr_…".');
  return named;
}

function limit(
  { organisationId, userId }: Listener,
  { rateLimits, settings }: Caller["context"],
  kind: "connection" | "subscription",
): void {
  const count =
    kind === "connection"
      ? settings.connection_tokens_per_minute
      : settings.subscription_tokens_per_minute;
  const rate = { count, perMs: MINUTE_MS, limit: `${kind}_tokens_per_minute` } as const;
  rateLimits.take(`${kind}_token/${organisationId}/${userId}`, rate);
}

function holderOf(
  caller: Caller,
  { userId }: Listener,
  organisation: TokenHolder["organisation"],
): TokenHolder {
  const isUser = caller.kind === "access";
  return {
    ...{ userId, organisation },
    expiresAtMs: isUser ? caller.expiresAtMs : undefined,
    clientId: isUser ? caller.clientId : undefined,
  };
}
