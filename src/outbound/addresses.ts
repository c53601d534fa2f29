/** Which network addresses count as public, so that a URL from outside cannot make this server call its own network. */

import { isIPv4, isIPv6 } from "node:net";

interface Range {
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** The table of `webhooks.md` §9, after the IANA special-purpose registries. */
const NOT_PUBLIC_IPV4: readonly Range[] = [
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
].map(parseRange);

/** All that IANA hands out as global unicast. Loopback, link-local, ULA, multicast and NAT64 lie outside. */
const GLOBAL_IPV6 = parseRange("2000::/3");

/** Holes in it: protocol assignments (Teredo, benchmarking, ORCHID), documentation, 6to4. */
const NOT_PUBLIC_IPV6: readonly Range[] = [
  "2001::/23",
  "2001:db8::/32",
  "2002::/16",
  "3fff::/20",
].map(parseRange);

const IPV4_MAPPED = parseRange("::ffff:0:0/96");

/**
 * False for every address that is not global unicast, and for anything that is no address.
 *
 * An IPv4-mapped IPv6 address is judged by the IPv4 address in it. The other forms that carry one (compatible,
 * NAT64, 6to4, Teredo) are never public, whatever they carry: a gateway decides where they lead.
 */
export function isPublicAddress(address: string): boolean {
  const bytes = parseAddress(address);
  if (bytes === undefined) return false;
  if (bytes.length === 4) return !NOT_PUBLIC_IPV4.some((range) => contains(range, bytes));
  return contains(GLOBAL_IPV6, bytes) && !NOT_PUBLIC_IPV6.some((range) => contains(range, bytes));
}

/** Public addresses, and those of the networks listed: `10.0.0.0/8`, `fd00::/8`, or one address. */
export function allowingNetworks(networks: readonly string[]): (address: string) => boolean {
  const allowed = networks.map(parseRange);
  return (address) => {
    if (isPublicAddress(address)) return true;
    const bytes = parseAddress(address);
    return bytes !== undefined && allowed.some((range) => contains(range, bytes));
  };
}

/**
 * One spelling per address: dotted IPv4, also for IPv4-mapped IPv6, and RFC 5952 IPv6 without brackets.
 * Undefined for anything else, zone suffixes (`%eth0`) included.
 */
export function normaliseAddress(address: string): string | undefined {
  const bytes = parseAddress(address);
  if (bytes === undefined) return undefined;
  if (bytes.length === 4) return bytes.join(".");
  return new URL(`http://[${address}]`).hostname.slice(1, -1);
}

/** 4 bytes, or 16; an IPv4-mapped address gives 4. */
function parseAddress(address: string): readonly number[] | undefined {
  if (isIPv4(address)) return address.split(".").map(Number);
  if (!isIPv6(address) || address.includes("%")) return undefined;
  const bytes = parseIPv6(address);
  return contains(IPV4_MAPPED, bytes) ? bytes.slice(12) : bytes;
}

function parseIPv6(address: string): number[] {
  // The URL parser turns a dotted tail into groups and writes at most one "::".
  const [head = "", tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split("::");
  const before = parseGroups(head);
  const after = parseGroups(tail ?? "");
  const zeros: number[] = Array.from({ length: 16 - before.length - after.length }, () => 0);
  return [...before, ...zeros, ...after];
}

function parseGroups(groups: string): number[] {
  if (groups === "") return [];
  return groups.split(":").flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

function parseRange(range: string): Range {
  const [address = "", bits] = range.split("/");
  const bytes = isIPv4(address) ? address.split(".").map(Number) : parseIPv6(address);
  return { bytes, bits: bits === undefined ? bytes.length * 8 : Number(bits) };
}

function contains(range: Range, bytes: readonly number[]): boolean {
  if (range.bytes.length !== bytes.length) return false;
  return range.bytes.every((expected, index) => {
    const bits = Math.min(8, Math.max(0, range.bits - index * 8));
    const mask = (0xff << (8 - bits)) & 0xff;
    return ((bytes[index] ?? 0) & mask) === (expected & mask);
  });
}
