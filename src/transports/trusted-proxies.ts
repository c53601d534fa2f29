/** Whose word counts on where a request came from. */
import { BlockList, isIP } from "node:net";

/** Hops of `X-Forwarded-For` that are looked at, from the nearest: a longer list is not worth the time. */
const HOPS_MAX = 32;

export interface TrustedProxies {
  /**
   * The client's address: the peer's own, or, when the peer is trusted, the nearest one in `X-Forwarded-For` that is
   * not. What lies beyond an unreadable entry is ignored.
   */
  clientAddress(peer: string, forwardedFor: string | null): string;
}

/** Takes addresses and CIDR ranges of both families; throws with one sentence on anything else. */
export function createTrustedProxies(entries: readonly string[]): TrustedProxies {
  const list = new BlockList();
  for (const entry of entries) addEntry(list, entry);

  const trusts = (address: string) => list.check(address, isIP(address) === 6 ? "ipv6" : "ipv4");

  return {
    clientAddress(peer, forwardedFor) {
      let client = normalAddress(peer) ?? peer;
      if (entries.length === 0 || forwardedFor === null || isIP(client) === 0) return client;
      const hops = forwardedFor.split(",").slice(-HOPS_MAX);
      while (trusts(client)) {
        const hop = hops.pop();
        const address = hop === undefined ? undefined : normalAddress(hop.trim());
        if (address === undefined) break;
        client = address;
      }
      return client;
    },
  };
}

function addEntry(list: BlockList, entry: string): void {
  const slash = entry.indexOf("/");
  const address = slash === -1 ? entry : entry.slice(0, slash);
  const version = isIP(address);
  const family = version === 6 ? "ipv6" : "ipv4";
  const bits = slash === -1 ? undefined : entry.slice(slash + 1);
  const bitsMax = version === 6 ? 128 : 32;
  const valid = version !== 0 && (bits === undefined || /^\d{1,3}$/.test(bits));
  if (!valid || (bits !== undefined && Number(bits) > bitsMax)) {
    throw new Error(`Trusted proxy "${entry}" is neither an IP address nor a CIDR range`);
  }
  if (bits === undefined) list.addAddress(address, family);
  else list.addSubnet(address, Number(bits), family);
}

/** Drops ports, brackets and the IPv6 form of an IPv4 address; undefined: no address at all. */
function normalAddress(text: string): string | undefined {
  let address = text;
  const bracketed = /^\[(.*)\](?::\d+)?$/.exec(address);
  if (bracketed?.[1] !== undefined) address = bracketed[1];
  else if (/^[\d.]+:\d+$/.test(address)) address = address.slice(0, address.indexOf(":"));
  const mapped = /^::ffff:([\d.]+)$/i.exec(address);
  if (mapped?.[1] !== undefined) address = mapped[1];
  return isIP(address) === 0 ? undefined : address;
}
