/** Which authority decides on a token: one may be registered for an issuer and audience, any other token is the fallback's. */
import type { Authority, TokenOfConnection } from "../core/authority.ts";
import { namesAudience, TOKEN_BYTES_MAX } from "./key-set.ts";

export interface RegisteredAuthority {
  readonly issuer: string;
  readonly audience: string;
  readonly authority: Authority;
}

/** What a token says of itself is only read here; whoever it is handed to verifies it. */
export function createAuthorities(
  fallback: Authority,
  registered: readonly RegisteredAuthority[],
): Authority {
  if (registered.length === 0) return fallback;
  const of = (token: string): Authority => {
    const { iss, aud } = claimsOf(token);
    const found = registered.find(
      ({ issuer, audience }) => iss === issuer && namesAudience(aud, audience),
    );
    return found?.authority ?? fallback;
  };
  const later = ({ token, connection }: TokenOfConnection): Authority =>
    connection.standing?.authority ?? of(token);
  return {
    connect: (request) => of(request.token).connect(request),
    refresh: (request) => later(request).refresh(request),
    subscribe: (request) => later(request).subscribe(request),
  };
}

function claimsOf(token: string): { readonly iss?: unknown; readonly aud?: unknown } {
  if (token.length > TOKEN_BYTES_MAX) return {};
  try {
    const [, payload = ""] = token.split(".", 2);
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString());
    return typeof claims === "object" && claims !== null ? claims : {};
  } catch {
    return {};
  }
}
