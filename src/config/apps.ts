/** Apps and the credentials that belong to them. */
import { z } from "zod";
import { path } from "./kinds.ts";

/** First path segments of the server's own, beside those of the dialects; and of protocols that are planned. */
const OWN_SEGMENTS = [
  ...["connection", "emulation", "signaling"],
  ...["health", "ready", "metrics", "admin", "playground", "openapi.json"],
];

/** Scopes of API keys that are the server's own, beside those of the dialects. */
export const OWN_SCOPES = ["admin"];

/** Lower case. */
export function reservedSegments(
  parts: readonly { readonly reservedSegments: readonly string[] }[],
): ReadonlySet<string> {
  return new Set([...OWN_SEGMENTS, ...parts.flatMap((part) => part.reservedSegments)]);
}

export const HMAC_ALGORITHMS = ["HS256", "HS384", "HS512"] as const;
const KEY_PAIR_ALGORITHMS = [
  ...(["RS256", "RS384", "RS512"] as const),
  ...(["ES256", "ES384", "ES512"] as const),
  "EdDSA",
] as const;
const ALGORITHMS = [...HMAC_ALGORITHMS, ...KEY_PAIR_ALGORITHMS] as const;
export type Algorithm = (typeof ALGORITHMS)[number];

const text = () => z.string().min(1);

export const appOf = (reserved: ReadonlySet<string>) =>
  z.strictObject({
    id: z
      .string()
      .regex(
        /^[A-Za-z0-9][-A-Za-z0-9_.]{0,63}$/,
        "must be 1 to 64 letters, digits, `-`, `_` and `.`, beginning with a letter or digit",
      )
      .refine((id) => !reserved.has(id.toLowerCase()), {
        error: (issue) => `"${String(issue.input)}" is a path of the server's own`,
      })
      .describe("Its name in keys and tokens. The server's own first path segments are refused."),
    hosts: z
      .array(
        z
          .string()
          .toLowerCase()
          .regex(/^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/, "must be a host name without a port"),
      )
      .default([])
      .describe(
        "Host names of this app, on both listeners. They decide first: a request there is refused if its path, key or token names another app.",
      ),
    path_prefix: path
      .refine((prefix) => !reserved.has((prefix.split("/")[1] ?? "").toLowerCase()), {
        error: (issue) => `"${String(issue.input)}" begins with a path of the server's own`,
      })
      .optional()
      .describe(
        "Requests below this path are this app's: `/shop` makes `/shop/connection/websocket`.",
      ),
    allowed_origins: z
      .array(text().toLowerCase())
      .default([])
      .describe(
        "Browser origins that may connect, as globs in lower case; `*` is any. Empty: only requests without `Origin`, but tasks' and messaging's clients, which need a token, from anywhere.",
      ),
  });

const belongsTo = () => text().optional().describe("Its app; required with several.");

export const apiKey = z.strictObject({
  id: z
    .string()
    .regex(/^[-A-Za-z0-9]{1,64}$/, "must be 1 to 64 letters, digits and `-`")
    .describe("Second part of the key, `evk_<id>_<secret>`; names it in logs."),
  hash: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of the whole key in hexadecimal")
    .describe("SHA-256 of the whole key in hexadecimal, as `carillon key` prints it."),
  scopes: z
    .array(text())
    .min(1)
    .default(["*"])
    .describe("What the key may do; `*` is everything, `admin` the admin API."),
  organisation: text()
    .default("*")
    .describe(
      "Organisation it acts for. Only the events and webhooks API takes a key that has one.",
    ),
  app: belongsTo(),
});

/** What an operator may not expect of a key with an organisation; undefined for every other key. */
export function confinement({
  id,
  organisation,
}: Pick<z.output<typeof apiKey>, "id" | "organisation">): string | undefined {
  if (organisation === "*") return undefined;
  return `API key "${id}" acts for ${organisation} in the events and webhooks API; every other API refuses it`;
}

const written = z.union([z.string(), z.date()]);
const instant = z
  .codec(written, z.number(), {
    decode: (value, context) => {
      const iso = z.iso
        .datetime({ offset: true })
        .safeParse(typeof value === "string" ? value : value.toISOString());
      if (iso.success) return Date.parse(iso.data);
      const message = 'must be a date and time with its offset, such as "2027-01-31T12:00:00Z"';
      context.issues.push({ code: "custom", input: value, message });
      return z.NEVER;
    },
    encode: (epochMs) => new Date(epochMs).toISOString(),
  })
  .meta({ type: "date-time" });

export type ParsedSigningKey = z.output<ReturnType<typeof signingKeyOf>>;

export const signingKeyOf = (uses: readonly string[]) =>
  z.strictObject({
    use: z
      .enum(uses)
      .describe(
        "Whose tokens it verifies; for `tasks`, backends' signatures. `events-client` also signs: the first whose `until` has not come.",
      ),
    app: belongsTo(),
    tokens: z
      .array(z.enum(["connection", "subscription"]))
      .min(1)
      .default(["connection", "subscription"])
      .describe("Which of streaming's tokens it verifies."),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .optional()
      .describe(
        'Required for public keys, which take no HMAC. A secret has `["HS256"]` by default.',
      ),
    hmac_secret: text()
      .optional()
      .describe(
        "Shared secret. Give exactly one of this, `public_key`, `private_key` and `jwks_url`.",
      ),
    public_key: text()
      .optional()
      .describe("Key in PEM, or its path; a private one for `events-client` only."),
    private_key: text()
      .optional()
      .describe("Key in PEM, or its path; a private one for `events-client` only."),
    jwks_url: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .optional()
      .describe("Address of a JSON Web Key Set."),
    kid: text().optional().describe("Verify only tokens with this key id."),
    issuer: text()
      .optional()
      .describe("Verify only tokens with this `iss` or `aud`. `events-access` needs both."),
    audience: text()
      .optional()
      .describe("Verify only tokens with this `iss` or `aud`. `events-access` needs both."),
    until: instant.optional().describe("Verify nothing after it: for a former key."),
  });
