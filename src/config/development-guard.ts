/** Keeps development mode and its well-known credentials on loopback addresses. */
import { createHash } from "node:crypto";
import { isLoopback } from "../core/networks.ts";
import type { Problem } from "./problem.ts";
import type { ParsedBase } from "./schema.ts";

export const DEVELOPMENT_API_KEY = "dev-api-key";
export const DEVELOPMENT_TOKEN_SECRET = "dev-token-secret-do-not-use-in-production";
export const DEVELOPMENT_API_KEY_HASH = createHash("sha256")
  .update(DEVELOPMENT_API_KEY)
  .digest("hex");

/** Everybody can read these credentials in the documentation, so only this machine may be asked with them. */
export function developmentProblems(config: ParsedBase): Problem[] {
  if (!config.development && !holdsDevelopmentCredentials(config)) return [];
  return (["clients", "api"] as const)
    .filter((listener) => !isLoopback(config[listener].host))
    .map((listener) => ({
      path: [listener, "host"],
      message: "Development credentials are refused on a non-loopback address",
    }));
}

function holdsDevelopmentCredentials(config: ParsedBase): boolean {
  return [...config.api_keys, ...config.signing_keys].some(usesDevelopmentCredential);
}

/** Of an API key or a signing key. */
export function usesDevelopmentCredential(key: {
  readonly hash?: string;
  readonly hmac_secret?: string | undefined;
}): boolean {
  const { hash, hmac_secret: secret } = key;
  return (
    hash === DEVELOPMENT_API_KEY_HASH ||
    secret === DEVELOPMENT_TOKEN_SECRET ||
    secret === DEVELOPMENT_API_KEY
  );
}
