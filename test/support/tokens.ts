/** Tokens for tests that connect with real clients. */

import { createHmac } from "node:crypto";

/** The HS256 secret of development mode, for every use. */
export const DEV_TOKEN_SECRET = "dev-token-secret-do-not-use-in-production";

/** An HS256 token with exactly these claims: no `exp` or `iat` is added. `header` adds to or replaces `alg` and `typ`. */
export function hs256(
  claims: Readonly<Record<string, unknown>>,
  secret: string | Uint8Array = DEV_TOKEN_SECRET,
  header: Readonly<Record<string, unknown>> = {},
): string {
  return hs256OfText(JSON.stringify(claims), secret, header);
}

/** The same of claims that stand as they are written. */
export function hs256OfText(
  claims: string,
  secret: string | Uint8Array = DEV_TOKEN_SECRET,
  header: Readonly<Record<string, unknown>> = {},
): string {
  const encode = (text: string) => Buffer.from(text).toString("base64url");
  const head = JSON.stringify({ alg: "HS256", typ: "JWT", ...header });
  const signed = `${encode(head)}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", secret).update(signed).digest("base64url")}`;
}
