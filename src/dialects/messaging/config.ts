/** The messaging dialect's settings: defaults of messaging.md §11 and §12, and who logs in where (§13). */
import { z } from "zod";
import { duration } from "../../config/durations.ts";
import { bodySizeLimit, flag, path, positive } from "../../config/kinds.ts";
import type { Parsed } from "../../config/part.ts";
import type { Problem } from "../../config/problem.ts";
import type { BaseConfig } from "../../config/schema.ts";
import { chatSettings } from "./chat/settings.ts";
import { sessionSettings } from "./session-settings.ts";

/** Hashings at once: each takes a core and 19 MiB. */
const HASHES_AT_ONCE_MAX = 64;

export const messagingSection = z.strictObject({
  enabled: flag(false, "Serve it."),
  path: path
    .default("/messaging")
    .describe("Where clients connect and the HTTP API lies, on both listeners."),
  token_ttl: duration({ minMs: 1000 })
    .prefault("1h")
    .describe("How long a login's token is valid, and one from a call that does not say."),
  logins_per_minute: positive(
    10,
    "Password logins per subscriber, minute and node, right or wrong.",
  ),
  failed_logins_per_minute: positive(
    30,
    "Wrong logins per address, minute and node before it has to wait.",
  ),
  password_hashes_at_once: z
    .int()
    .min(1)
    .max(HASHES_AT_ONCE_MAX)
    .default(2)
    .describe("Passwords hashed at once on a node; each takes a core and 19 MiB."),
  key_limit: positive(1000, "Valid keys per subscriber, logins' included."),
  body_size_limit: bodySizeLimit(131_072, "Bytes of a call's body on `api`."),
  ...chatSettings,
  ...sessionSettings,
  introspection_url: z
    .url({ protocol: /^https?$/, error: "must be an http or https address" })
    .optional()
    .describe("Server to ask about foreign tokens (RFC 7662), which are refused otherwise."),
  introspection_client_id: z.string().min(1).optional().describe("Sent to it as HTTP Basic."),
  introspection_client_secret: z.string().min(1).optional().describe("Sent to it as HTTP Basic."),
});

/** The configuration as far as this dialect looks at it. */
export type MessagingConfig = BaseConfig & {
  readonly messaging: z.output<typeof messagingSection>;
};

export function* messagingProblems({ messaging }: Parsed<MessagingConfig>): Iterable<Problem> {
  const { introspection_url: url, introspection_client_id: id } = messaging;
  const { introspection_client_secret: secret } = messaging;
  if ((id === undefined) !== (secret === undefined)) {
    const missing = id === undefined ? "introspection_client_id" : "introspection_client_secret";
    yield { path: ["messaging", missing], message: "is needed together with the other of the two" };
  }
  if (url === undefined && id !== undefined) {
    yield { path: ["messaging", "introspection_client_id"], message: 'needs "introspection_url"' };
  }
}

export function* messagingWarnings({ messaging }: MessagingConfig): Iterable<Problem> {
  const { introspection_url: url } = messaging;
  if (url === undefined || !url.startsWith("http:")) return;
  const message = "sends tokens without TLS: use https";
  yield { path: ["messaging", "introspection_url"], message };
}
