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
      .describe(
        "Names the app to keys and tokens. A first path segment of the server's own is refused.",
      ),
    hosts: z
      .array(
        z
          .string()
          .toLowerCase()
          .regex(/^[a-z0-9](?:[-a-z0-9.]*[a-z0-9])?$/, "must be a host name without a port"),
      )
      .default([])
      .describe(
        "Host names whose requests belong to this app, on both listeners and in every dialect: a request there that names another app in its path, key or token is refused. They decide before `path_prefix`.",
      ),
    path_prefix: path
      .refine((prefix) => !reserved.has((prefix.split("/")[1] ?? "").toLowerCase()), {
        error: (issue) => `"${String(issue.input)}" begins with a path of the server's own`,
      })
      .optional()
      .describe(
        "Requests below this path belong to this app, likewise: with `/shop` its clients connect to `/shop/connection/websocket`.",
      ),
    allowed_origins: z
      .array(text().toLowerCase())
      .default([])
      .describe(
        "Browser origins that may connect: globs against the lower-cased `Origin` header, `*` for any. Empty: only requests without that header; tasks' and messaging's clients from anywhere, since their token says enough.",
      ),
  });

const belongsTo = () =>
  text().optional().describe("The app it belongs to. May be left out when there is only one.");

export const apiKey = z.strictObject({
  id: z
    .string()
    .regex(/^[-A-Za-z0-9]{1,64}$/, "must be 1 to 64 letters, digits and `-`")
    .describe("The second part of the key, `evk_<id>_<secret>`; names it in logs."),
  hash: z
    .string()
    .toLowerCase()
    .regex(/^[0-9a-f]{64}$/, "must be the SHA-256 of the whole key in hexadecimal")
    .describe("SHA-256 of the whole key in hexadecimal. `carillon key` prints both."),
  scopes: z
    .array(text())
    .min(1)
    .default(["*"])
    .describe("What the key may do; `*` for everything, `admin` for the admin API."),
  organisation: text()
    .default("*")
    .describe(
      "The organisation it acts for, in the events and webhooks API alone: every other API refuses such a key. `*` for every one.",
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
        "Whose tokens it verifies; of `tasks`, the backends' signatures. `events-client` also signs: the first whose `until` has not come.",
      ),
    app: belongsTo(),
    tokens: z
      .array(z.enum(["connection", "subscription"]))
      .min(1)
      .default(["connection", "subscription"])
      .describe("Which of streaming's tokens it verifies; nothing to other uses."),
    algorithms: z
      .array(z.enum(ALGORITHMS))
      .min(1)
      .optional()
      .describe(
        '`["HS256"]` unless said otherwise for an HMAC secret; must be said for public keys. HMAC never goes with a public key.',
      ),
    hmac_secret: text()
      .optional()
      .describe(
        "The shared secret. Exactly one of `hmac_secret`, `public_key`, `private_key` and `jwks_url` is given.",
      ),
    public_key: text()
      .optional()
      .describe("A public key in PEM, or the path of a file that holds one."),
    private_key: text()
      .optional()
      .describe(
        "A private key in PEM, or the path of a file that holds one. For `events-client` alone.",
      ),
    jwks_url: z
      .url({ protocol: /^https?$/, error: "must be an http or https address" })
      .optional()
      .describe("Address of a JSON Web Key Set."),
    kid: text().optional().describe("Verifies only tokens whose header has this key id."),
    issuer: text()
      .optional()
      .describe("Verifies only tokens with this `iss` claim. `events-access` needs it."),
    audience: text()
      .optional()
      .describe("Verifies only tokens with this `aud` claim. `events-access` needs it."),
    until: instant
      .optional()
      .describe(
        "From this date and time on the key verifies nothing: for a former key while its tokens run out.",
      ),
  });
