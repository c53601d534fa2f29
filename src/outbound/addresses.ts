/** Which network addresses count as public, so that a URL from outside cannot make this server call its own network. */

import { isIPv4 } from "node:net";
import { inNetworks, normaliseAddress } from "../core/networks.ts";

/** The table of `webhooks.md` §9, after the IANA special-purpose registries. */
const isSpecialIPv4 = inNetworks([
  "0.0.0.0/8",
  "10.0.0.0/8",
  "100.64.0.0/10",
  "127.0.0.0/8",
  "169.254.0.0/16",
  "172.16.0.0/12",
  "192.0.0.0/24",
  "192.0.2.0/24",
  "192.88.99.0/24",
  "192.168.0.0/16",
  "198.18.0.0/15",
  "198.51.100.0/24",
  "203.0.113.0/24",
  "224.0.0.0/4",
  "240.0.0.0/4",
]);

/** All that IANA hands out as global unicast. Loopback, link-local, ULA, multicast and NAT64 lie outside. */
const isGlobalIPv6 = inNetworks(["2000::/3"]);

/** Holes in it: protocol assignments (Teredo, benchmarking, ORCHID), documentation, 6to4. */
const isSpecialIPv6 = inNetworks(["2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"]);

/**
 * False for every address that is not global unicast, and for anything that is not an address.
 *
 * An IPv4-mapped IPv6 address is judged by the IPv4 address in it. The other forms that carry one (compatible,
 * NAT64, 6to4, Teredo) are never public, whatever they carry: a gateway decides where they lead.
 */
export function isPublicAddress(address: string): boolean {
  const normal = normaliseAddress(address);
  if (normal === undefined) return false;
  return isIPv4(normal) ? !isSpecialIPv4(normal) : isGlobalIPv6(normal) && !isSpecialIPv6(normal);
}

/** Public addresses, and those of the networks listed: `10.0.0.0/8`, `fd00::/8`, or one address. */
export function allowingNetworks(networks: readonly string[]): (address: string) => boolean {
  const isAllowed = inNetworks(networks);
  return (address) => isPublicAddress(address) || isAllowed(address);
}
