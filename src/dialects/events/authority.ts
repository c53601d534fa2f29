/** Who may connect, subscribe and refresh with the tokens issued here (event-streaming.md §9.3 to §9.5). */
import { z } from "zod";
import { claimsText, createTellers } from "../../auth/claims-text.ts";
import { TokenError, type Claims } from "../../auth/key-set.ts";
import type { Authority, ConnectGrant, Standing, TokenOfConnection } from "../../core/authority.ts";
import { DisconnectError, HubError, type Disconnect } from "../../core/errors.ts";
import { isKnownChannel } from "./channels.ts";
import type { EventsContext } from "./context.ts";
import { labelsOf } from "./revocations.ts";

/** Owner of the catalogue's channels. */
const DIALECT = "events";

/** §6.2: a code of the range after which client libraries stay away. */
export const ORGANISATION_DEPROVISIONED: Disconnect = {
  disconnect: "ended",
  wire: { code: 4501, reason: "org deprovisioned" },
};

export interface AuthorityOptions extends Pick<
  EventsContext,
  "catalogue" | "organisations" | "revocations" | "settings" | "onEvent"
> {
  /** Of tokens issued here: signature, issuer, audience and times without leeway. Throws TokenError. */
  readonly verifyClient: (token: string) => Promise<Claims>;
}

const commonClaims = {
  sub: z.string(),
  iat: z.number(),
  exp: z.number(),
  jti: z.string().optional(),
  meta: z.looseObject({
    org_id: z.string(),
    gen: z.number(),
    iat_ms: z.number().optional(),
  }),
};
const connectionClaims = z.looseObject({
  ...commonClaims,
  channel: z.literal("").optional(),
  subs: z.record(z.string(), z.unknown()).optional(),
});
const subscriptionClaims = z.looseObject({
  ...commonClaims,
  channel: z.string().min(1),
  client: z.string().min(1).optional(),
});
type TokenClaims = z.output<typeof connectionClaims> | z.output<typeof subscriptionClaims>;

export function createEventsAuthority(options: AuthorityOptions): Authority {
  const { verifyClient, catalogue, settings, onEvent } = options;
  const tellerOf = createTellers();

  async function connect({ token }: { readonly token: string }): Promise<ConnectGrant> {
    const claims = parse(connectionClaims, await verifyClient(token));
    const { sub: userId, exp, subs = {} } = claims;
    const known = Object.keys(subs).filter((name) => {
      const found = isKnownChannel(name, catalogue);
      if (!found)
        onEvent("Channel left out", {
          word: "unknown_channel",
          channel: name,
          detail: "The namespace no longer exists",
        });
      return found;
    });
    return {
      userId,
      tellClaims: tellerOf(claims),
      expiresAtMs: exp * 1000,
      subscriptions: new Map(known.map((name) => [name, { grantedBy: DIALECT }])),
      standing: standingOf(claims),
      ...(settings.user_connection_limit === 0
        ? {}
        : { userConnectionsMax: settings.user_connection_limit }),
      confirm: () => confirm(claims),
    };
  }

  function standingOf(claims: TokenClaims): Standing {
    const { sub: userId, jti, meta } = claims;
    return {
      authority,
      labels: labelsOf({ organisationId: meta.org_id, userId, jti }),
      issuedAtMs: issuedAtMs(claims),
      detail: meta.org_id,
    };
  }

  /** Steps 5 and 6 of §9.3. */
  async function confirm(claims: TokenClaims): Promise<void> {
    await requireUnrevoked(claims);
    if (!(await isCurrent(claims))) throw new DisconnectError(ORGANISATION_DEPROVISIONED);
  }

  async function requireUnrevoked(claims: TokenClaims): Promise<void> {
    const { sub: userId, jti, meta } = claims;
    const markMs = await options.revocations.markOf({ organisationId: meta.org_id, userId, jti });
    if (latestIssueMs(claims) <= markMs) throw invalid("Token was revoked", claims);
    // Its second alone does not tell on which side of the mark it was issued: the client is to ask again.
    if (issuedAtMs(claims) <= markMs)
      throw new HubError("token_expired", "Whether the token is revoked cannot be checked now", {
        detail: `Tokens were revoked in the second of the claim "iat"; ${claimsText(claims)}`,
      });
  }

  async function isCurrent({ meta }: TokenClaims): Promise<boolean> {
    const organisation = await options.organisations.find(meta.org_id);
    return organisation?.status === "active" && organisation.generation === meta.gen;
  }

  const authority: Authority = {
    connect,

    async refresh({ token, connection }) {
      const grant = await connect({ token });
      if (grant.standing?.detail !== organisationOf(connection)) {
        const detail = `${OTHER_ORGANISATION}; ${grant.tellClaims?.(grant.userId)}`;
        throw new HubError("invalid_token", OTHER_ORGANISATION, { detail });
      }
      return grant;
    },

    async subscribe({ token, connection }) {
      const claims = parse(subscriptionClaims, await verifyClient(token));
      const { channel, sub: userId, client, exp, meta } = claims;
      return {
        ...{ channel, userId, expiresAtMs: exp * 1000, grantedBy: DIALECT },
        tellClaims: tellerOf(claims),
        ...(client === undefined ? {} : { connectionId: client }),
        async confirm() {
          if (meta.org_id !== organisationOf(connection)) throw invalid(OTHER_ORGANISATION, claims);
          await requireUnrevoked(claims);
          if (!(await isCurrent(claims)))
            throw invalid("The token is older than the last provisioning", claims);
        },
      };
    },
  };
  return authority;
}

/** Undefined: another authority, or none, let the connection in. */
function organisationOf({ standing }: TokenOfConnection["connection"]): unknown {
  return standing?.detail;
}

function issuedAtMs({ iat, meta }: TokenClaims): number {
  return meta.iat_ms ?? iat * 1000;
}

/** The end of its second where a token says no more. */
function latestIssueMs({ iat, meta }: TokenClaims): number {
  return meta.iat_ms ?? iat * 1000 + 999;
}

function parse<Schema extends z.ZodType>(schema: Schema, claims: Claims): z.output<Schema> {
  const { success, data, error } = schema.safeParse(claims);
  if (success) return data;
  const claim = error.issues[0]?.path.join(".") ?? "";
  throw invalid(`The token's claim "${claim}" is missing or not of its type`, claims);
}

const OTHER_ORGANISATION = 'The token\'s claim "meta.org_id" names another organisation';

function invalid(message: string, claims: Claims): TokenError {
  return new TokenError("claims", message, { claims });
}
