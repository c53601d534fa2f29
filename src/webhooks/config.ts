/** The webhooks' settings: webhooks.md §5, §7, §9 with their defaults. They are served with the events dialect. */
import { isIP } from "node:net";
import { z } from "zod";
import { duration } from "../config/durations.ts";
import type { Problem } from "../config/problem.ts";
import type { BaseConfig } from "../config/schema.ts";
import { inNetworks, isLoopback, isNetwork, networkOf } from "../core/networks.ts";

const RETRY_DELAYS_MAX = 15;
const DELAY_SECONDS_MAX = 172_800;
const DAY_MS = 86_400_000;

const hosts = (description: string) =>
  z.array(z.string().min(1).toLowerCase()).default([]).describe(description);

export const webhooksSection = z.strictObject({
  allow_http: z.boolean().default(false).describe("Endpoints may be `http` addresses."),
  allow_networks: z
    .array(z.string().refine(isNetwork, "must be an IP address or a range such as 10.0.0.0/8"))
    .default([])
    .describe("Addresses and ranges that may be called although not public."),
  allow_hosts: hosts(
    "Host names that may be called although they look internal: `localhost`, `*.internal`.",
  ),
  own_hosts: hosts(
    "This server's public names besides the apps' `hosts`; endpoints there are refused as loops.",
  ),
  deny_ports: z
    .array(z.int().min(1).max(65_535))
    .default([])
    .describe("Ports that no endpoint may have, besides those below 1024 except 80 and 443."),
  retry_schedule_s: z
    .array(z.int().min(1).max(DELAY_SECONDS_MAX))
    .max(RETRY_DELAYS_MAX)
    .default([5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400])
    .describe("Seconds between attempts; one fewer than attempts."),
  retention: duration({ minMs: 5 * DAY_MS, maxMs: 90 * DAY_MS })
    .prefault("168h")
    .describe(
      "How long messages are kept, 5 to 90 days; attempts and dead letters up to 30. An event takes about 3 KB.",
    ),
  requests_max: z
    .int()
    .min(1)
    .max(10_000)
    .default(2_000)
    .describe(
      "Requests in flight on a node. From half of them on, an endpoint has one instead of ten.",
    ),
  source_addresses: z
    .array(z.string().refine((text) => isIP(text) > 0, "must be an IP address"))
    .default([])
    .describe("Addresses of deliveries, told to receivers with firewalls."),
  operator_url: z
    .url({ protocol: /^https?$/, error: "must be an http or https address" })
    .optional()
    .describe("Gets every organisation's notices. Needs `operator_secret`."),
  operator_secret: z
    .string()
    .regex(/^whsec_[A-Za-z0-9+/]{32,86}={0,2}$/, "must be `whsec_` and base64 of 24 to 64 bytes")
    .optional()
    .describe("Signs them."),
});

export interface WebhooksConfig {
  readonly webhooks: z.output<typeof webhooksSection>;
}

export function* webhookWarnings({ webhooks }: BaseConfig & WebhooksConfig): Iterable<Problem> {
  const inside = "lets organisations call what listens on this machine";
  for (const [index, range] of webhooks.allow_networks.entries()) {
    if (!reachesLoopback(range)) continue;
    yield { path: ["webhooks", "allow_networks", index], message: `"${range}" ${inside}` };
  }
  for (const [index, host] of webhooks.allow_hosts.entries()) {
    if (!/^(?:.+\.)?localhost$/.test(host)) continue;
    yield { path: ["webhooks", "allow_hosts", index], message: `"${host}" ${inside}` };
  }
}

function reachesLoopback(range: string): boolean {
  const isIn = inNetworks([range]);
  return isIn("127.0.0.1") || isIn("::1") || isLoopback(networkOf(range)?.address ?? "");
}
