/** The Redis engine's settings. What its URLs mean, and all that is wrong with one, is the engine's to say at the start. */
import { z } from "zod";

const URL_START = /^rediss?(?:\+(?:unix|sentinel|cluster))?:\/\//;
const FORMS = '"redis://", "rediss://", "redis+sentinel://", "redis+cluster://" or "redis+unix://"';

export const redis = z.strictObject({
  url: z
    .custom<string | string[]>(isUrls, `must begin with ${FORMS}; a list holds several`)
    .meta({ type: "string or list" })
    .optional()
    .describe(
      "`redis://user:password@host:port/database`, or [another form](redis.md#servers): TLS, Sentinels, a Cluster, several servers.",
    ),
  prefix: z
    .string()
    .regex(/^[^\s{}]{1,64}$/, "must be 1 to 64 characters, without braces and white space")
    .default("carillon")
    .describe("Begins all keys and topics: each installation on a server has its own."),
  ca: z
    .string()
    .min(1)
    .optional()
    .describe("Path of PEM certificates to trust in place of the system's."),
});

/** Servers without their credentials. */
export function redactUrls(urls: string | readonly string[]): string | string[] {
  return typeof urls === "string"
    ? splitUrls(urls).map(redactUrl).join(",")
    : urls.map((text) => splitUrls(text).map(redactUrl).join(","));
}

function redactUrl(url: string): string {
  // Up to the last one: an "@" that nobody encoded is the password's.
  return url.replace(/\/\/.*@/s, "//<redacted>@");
}

function isUrls(value: unknown): boolean {
  const urls = Array.isArray(value) ? (value as unknown[]) : [value];
  return (
    urls.length > 0 &&
    urls.every((url) => typeof url === "string" && splitUrls(url).every(isUrlOfRedis))
  );
}

function isUrlOfRedis(url: string): boolean {
  return URL_START.test(url.trim());
}

/** A comma parts two URLs only before a scheme; other commas part the hosts of one. */
function splitUrls(text: string): string[] {
  return text.split(/,(?=\s*[a-z+]+:\/\/)/);
}
