/** The tokens that clients connect and subscribe with (event-streaming.md §9.1, §9.2): what they say, and how long they live. */
import { ksuid } from "../../core/ksuid.ts";
import { invalidToken } from "./access-token.ts";
import type { EventsContext } from "./context.ts";
import type { Organisation } from "./organisations.ts";

/** With less than this left of the access token a client token would be over before it is used (§5.1). */
export const CLIENT_TOKEN_LEFT_MS_MIN = 10_000;

/** Whose token it is. */
export interface TokenHolder {
  readonly userId: string;
  readonly organisation: Organisation;
  /** The end of the authority that it is made from; undefined: it has none. */
  readonly expiresAtMs: number | undefined;
  readonly clientId: string | undefined;
}

export interface IssuedToken {
  readonly token: string;
  readonly expiresAtMs: number;
}

/** Throws `invalid_token` when the access token is almost over. */
export function issueConnectionToken(
  context: EventsContext,
  holder: TokenHolder,
  channels: readonly string[],
): Promise<IssuedToken> {
  return issue(context, holder, { subs: Object.fromEntries(channels.map((name) => [name, {}])) });
}

/** `client`: the one connection that it is for, as older libraries ask. */
export function issueSubscriptionToken(
  context: EventsContext,
  holder: TokenHolder,
  { channel, client }: { readonly channel: string; readonly client: string | undefined },
): Promise<IssuedToken> {
  return issue(context, holder, { channel, ...(client === undefined ? {} : { client }) });
}

async function issue(
  { settings, signer, runtime }: EventsContext,
  { userId, organisation, expiresAtMs = Infinity, clientId }: TokenHolder,
  claims: Readonly<Record<string, unknown>>,
): Promise<IssuedToken> {
  const nowMs = runtime.clock.epochMs();
  if (expiresAtMs - nowMs < CLIENT_TOKEN_LEFT_MS_MIN)
    throw invalidToken("expired", "The access token ends so soon that none is issued for it");
  const exp = Math.floor(Math.min(nowMs + settings.token_ttl, expiresAtMs) / 1000);
  const token = await signer.sign({
    iss: settings.issuer,
    aud: settings.audience,
    sub: userId,
    iat: Math.floor(nowMs / 1000),
    exp,
    jti: ksuid(runtime),
    meta: {
      org_id: organisation.id,
      gen: organisation.generation,
      iat_ms: nowMs,
      ...(clientId === undefined ? {} : { client_id: clientId }),
    },
    ...claims,
  });
  return { token, expiresAtMs: exp * 1000 };
}
