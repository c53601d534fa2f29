/** Whose word counts on where a request came from. */
import { isIP } from "node:net";
import { inNetworks, isNetwork } from "../core/networks.ts";

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
  const wrong = entries.find((entry) => !isNetwork(entry));
  if (wrong !== undefined) {
    throw new Error(`Trusted proxy "${wrong}" is neither an IP address nor a CIDR range`);
  }
  const isTrusted = inNetworks(entries);

  return {
    clientAddress(peer, forwardedFor) {
      let client = normalAddress(peer) ?? peer;
      if (entries.length === 0 || forwardedFor === null || isIP(client) === 0) return client;
      const hops = forwardedFor.split(",").slice(-HOPS_MAX);
      while (isTrusted(client.replace(/%.*$/, ""))) {
        const hop = hops.pop();
        const address = hop === undefined ? undefined : normalAddress(hop.trim());
        if (address === undefined) break;
        client = address;
      }
      return client;
    },
  };
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
