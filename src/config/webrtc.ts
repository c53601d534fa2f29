/** Settings of WebRTC peers: of a dialect's section, for those that open DataChannels. */
import { isIP } from "node:net";
import { z } from "zod";
import { positive } from "./kinds.ts";
import type { Path, Problem } from "./problem.ts";

const PORT_MAX = 65_535;
/** Below are ports of the system's own services. */
const PORT_MIN = 1025;
/** What Chromium takes and offers. */
const MESSAGE_BYTES = 262_144;
/** The library holds a whole message of each peer, both ways. */
const MESSAGE_BYTES_MAX = 16 * 1024 * 1024;

const address = z.string().refine((text) => isIP(text) !== 0, "must be an IP address");

const port = (description: string) => z.int().min(0).max(PORT_MAX).default(0).describe(description);

export const webrtc = z.strictObject({
  host: address
    .default("127.0.0.1")
    .describe("IP address for UDP; `0.0.0.0` or `::` for all, which are then offered to clients."),
  advertised_addresses: z
    .array(address)
    .default([])
    .describe(
      "Public IP addresses to offer instead, behind a NAT or in a container. The port must stay the same.",
    ),
  port_min: port(
    "Range of UDP ports, from 1025; each process takes one. 0, for both: any free one.",
  ),
  port_max: port(
    "Range of UDP ports, from 1025; each process takes one. 0, for both: any free one.",
  ),
  stun_server: z
    .string()
    .regex(/^[-A-Za-z0-9.]+:\d{1,5}$/, 'must be "host:port"')
    .optional()
    .describe("Asked for this server's public address, when the first client comes."),
  ice_servers: z
    .array(
      z.strictObject({
        urls: z
          .array(z.string().regex(/^(?:stuns?|turns?):\S+$/, "must be a URL of stun: or turn:"))
          .min(1)
          .describe("`stun:host:port` or `turn:host:port?transport=udp`."),
        username: z.string().optional().describe("For `turn:`."),
        credential: z.string().optional().describe("For `turn:`."),
      }),
    )
    .default([])
    .describe("STUN and TURN servers for clients."),
  peers_max: positive(5000, "Peers in a process, of about 300 KB each."),
  message_size_limit: z
    .int()
    .min(1024)
    .max(MESSAGE_BYTES_MAX)
    .default(MESSAGE_BYTES)
    .describe(
      "Bytes of a DataChannel message, both ways, as sent. What is larger, or than the client's own limit, does not go out on one.",
    ),
});

export type WebrtcSettings = z.output<typeof webrtc>;

/** What does not fit together. `path` is the section's. */
export function* webrtcProblems(settings: WebrtcSettings, path: Path): Iterable<Problem> {
  const { port_min: min, port_max: max, ice_servers: servers } = settings;
  for (const [at, { urls, username, credential }] of servers.entries()) {
    if (!urls.some((url) => url.startsWith("turn"))) continue;
    if (username !== undefined && credential !== undefined) continue;
    // A browser refuses all of the offer.
    yield { path: [...path, "ice_servers", at], message: "needs a username and credential" };
  }
  if (min === 0 && max === 0) return;
  if (min < PORT_MIN) {
    yield { path: [...path, "port_min"], message: `must be 0 or at least ${PORT_MIN}` };
  } else if (max < min) {
    yield { path: [...path, "port_max"], message: `must be at least "port_min" (${min})` };
  }
}
