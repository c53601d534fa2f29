/** Where an endpoint's requests may go (webhooks.md §9): what the URL alone tells, and what its addresses do. */
import { isIP } from "node:net";
import type { Timers } from "../core/runtime.ts";
import { WEBHOOK_LIMITS, WebhookError } from "./contract.ts";
import { OutboundError, type OutboundPolicy } from "../outbound/contract.ts";
import { resolveChecked } from "../outbound/request.ts";

export interface TargetRules {
  readonly allowHttp: boolean;
  /** Host names that are let through although they look internal: `localhost`, or `*.internal` for all below. */
  readonly allowHosts: readonly string[];
  readonly denyPorts: readonly number[];
  /** This server's own public names: an endpoint there would be a loop. */
  readonly ownHosts: readonly string[];
}

export type TargetReason =
  | "syntax"
  | "too_long"
  | "scheme"
  | "fragment"
  | "port"
  | "host"
  | "blocked_address"
  | "unresolvable";

const INTERNAL_SUFFIXES = [".localhost", ".local", ".internal", ".home.arpa", ".onion"];
const MASK = "***";
/** For an answer to whoever sets an endpoint: a resolver that takes longer counts as none. */
const RESOLVE_TIMEOUT_MS = 5_000;

/** Why this URL is not a target, before anything is resolved. The parser has brought every spelling of an IPv4 address to one. */
export function targetProblem(text: string, rules: TargetRules): TargetReason | undefined {
  if (text.length > WEBHOOK_LIMITS.urlCharacters) return "too_long";
  const url = URL.parse(text);
  if (url === null) return "syntax";
  if (url.protocol !== "https:" && !(url.protocol === "http:" && rules.allowHttp)) return "scheme";
  // The parser drops an empty fragment's text, not its sign.
  if (text.includes("#")) return "fragment";
  if (!isPort(portOf(url), rules)) return "port";
  return isHost(url.hostname, rules) ? undefined : "host";
}

/** Throws `invalid_url` with the reason, never with an address. */
export async function checkTarget(
  text: string,
  rules: TargetRules,
  policy: OutboundPolicy,
  timers: Timers,
): Promise<void> {
  const problem = targetProblem(text, rules);
  if (problem !== undefined) throw invalidUrl(problem);
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = timers.after(RESOLVE_TIMEOUT_MS, () => reject(invalidUrl("unresolvable")));
  try {
    await Promise.race([resolveChecked(new URL(text), policy), late]);
  } catch (error) {
    if (!(error instanceof OutboundError)) throw error;
    throw invalidUrl(error.reason === "blocked_address" ? "blocked_address" : "unresolvable");
  } finally {
    timer.cancel();
  }
}

/** Without the user and password it may have. */
export function maskedUrl(text: string): string {
  const url = URL.parse(text);
  if (url === null || (url.username === "" && url.password === "")) return text;
  url.username = MASK;
  url.password = MASK;
  return url.href;
}

function invalidUrl(reason: TargetReason): WebhookError {
  return new WebhookError("invalid_url", MESSAGES[reason], { details: { reason } });
}

const MESSAGES: Readonly<Record<TargetReason, string>> = {
  syntax: "The URL cannot be parsed.",
  too_long: `The URL is longer than ${WEBHOOK_LIMITS.urlCharacters} characters.`,
  scheme: "The URL's scheme is not allowed.",
  fragment: "The URL must not have a fragment.",
  port: "The URL's port is not allowed.",
  host: "The URL's host is not allowed.",
  blocked_address: "The URL's host has an address that is not allowed.",
  unresolvable: "The URL's host cannot be resolved.",
};

function portOf(url: URL): number {
  if (url.port !== "") return Number(url.port);
  return url.protocol === "https:" ? 443 : 80;
}

function isPort(port: number, { denyPorts }: TargetRules): boolean {
  const usual = port === 443 || port === 80 || port >= 1024;
  return usual && !denyPorts.includes(port);
}

function isHost(hostname: string, { allowHosts, ownHosts }: TargetRules): boolean {
  if (hostname.startsWith("[") || isIP(hostname) !== 0) return true;
  const host = hostname.replace(/\.$/, "");
  if (ownHosts.includes(host)) return false;
  if (allowHosts.some((allowed) => isAllowed(host, allowed))) return true;
  return host.includes(".") && !INTERNAL_SUFFIXES.some((suffix) => host.endsWith(suffix));
}

function isAllowed(host: string, allowed: string): boolean {
  return allowed.startsWith("*.") ? host.endsWith(allowed.slice(1)) : host === allowed;
}
