/** IP addresses, and networks as they are written in the configuration: `10.0.0.0/8`, `fd00::/8`, or one address. */
import { BlockList, isIPv4, isIPv6 } from "node:net";

type Family = "ipv4" | "ipv6";

export interface Network {
  readonly address: string;
  readonly family: Family;
  /** Of one address: all that it has. */
  readonly bits: number;
}

const MAPPED_BITS = 96;

/** Undefined: neither an address nor a range. One of IPv4-mapped IPv6 addresses is one of IPv4. */
export function networkOf(text: string): Network | undefined {
  const [written = "", length, ...rest] = text.split("/");
  const address = normaliseAddress(written);
  if (address === undefined || rest.length > 0) return undefined;
  const bitsMax = isIPv4(written) ? 32 : 128;
  const bits = length === undefined ? bitsMax : Number(length);
  if (bits > bitsMax || !/^\d{1,3}$/.test(length ?? "0")) return undefined;
  if (isIPv4(written) || !isIPv4(address)) return { address, family: familyOf(address), bits };
  if (bits < MAPPED_BITS) return { address: written, family: "ipv6", bits };
  return { address, family: "ipv4", bits: bits - MAPPED_BITS };
}

export function isNetwork(text: string): boolean {
  return networkOf(text) !== undefined;
}

/**
 * Whether an address lies in one of the networks; false for anything that is not an address. An IPv4-mapped IPv6 address is judged by
 * the IPv4 address in it. Throws for what is not a network.
 */
export function inNetworks(networks: readonly string[]): (address: string) => boolean {
  // One list would let an IPv6 range that covers the mapped addresses stand for all of IPv4.
  const lists = { ipv4: new BlockList(), ipv6: new BlockList() };
  for (const text of networks) {
    const network = networkOf(text);
    if (network === undefined) throw new Error(`"${text}" is neither an IP address nor a range`);
    lists[network.family].addSubnet(network.address, network.bits, network.family);
  }
  return (address) => {
    const normal = normaliseAddress(address);
    if (normal === undefined) return false;
    const family = familyOf(normal);
    return lists[family].check(normal, family);
  };
}

/** `localhost`, or a loopback address, with or without brackets. */
export function isLoopback(host: string): boolean {
  return host.toLowerCase() === "localhost" || inLoopback(host.replace(/^\[(.*)\]$/, "$1"));
}

const inLoopback = inNetworks(["127.0.0.0/8", "::1"]);

/**
 * One spelling per address: dotted IPv4, also for IPv4-mapped IPv6, and RFC 5952 IPv6 without brackets.
 * Undefined for anything else, zone suffixes (`%eth0`) included.
 */
export function normaliseAddress(address: string): string | undefined {
  if (isIPv4(address)) return address;
  if (!isIPv6(address) || address.includes("%")) return undefined;
  // The URL parser turns a dotted tail into groups.
  const normal = new URL(`http://[${address}]`).hostname.slice(1, -1);
  const [, high, low] = /^::ffff:([\da-f]+):([\da-f]+)$/.exec(normal) ?? [];
  if (high === undefined || low === undefined) return normal;
  return [high, low]
    .map((group) => Number.parseInt(group, 16))
    .flatMap((group) => [group >> 8, group & 0xff])
    .join(".");
}

function familyOf(address: string): Family {
  return isIPv4(address) ? "ipv4" : "ipv6";
}
