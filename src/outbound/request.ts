/**
 * The one way out: a single HTTP request to a URL that may come from outside, to an address that was checked.
 * Retries and signatures are the callers'.
 */

import { isIP } from "node:net";
import { dns } from "bun";
import { normaliseAddress } from "../core/networks.ts";
import type { Timers } from "../core/runtime.ts";
import { bareHost, exchange, StaleConnection } from "./exchange.ts";
import {
  OutboundError,
  timedOut,
  type Lookup,
  type OutboundPolicy,
  type OutboundRequest,
  type OutboundResponse,
} from "./contract.ts";

/** Protects the deadline from a host with many dead addresses: the others are checked, but not tried. */
const ADDRESSES_TRIED_MAX = 4;

/** Throws `OutboundError` for everything that is not a complete response. */
export async function request(options: OutboundRequest): Promise<OutboundResponse> {
  const url = parseUrl(options.url);
  const deadline = new AbortController();
  const { timers = systemTimers } = options;
  const timer = timers.after(options.timeoutMs, () => deadline.abort());
  try {
    const addresses = await beforeDeadline(resolveChecked(url, options), deadline.signal, url);
    return await exchangeWithOneOf(addresses, url, { options, timers, deadline: deadline.signal });
  } finally {
    timer.cancel();
  }
}

/** The addresses of the URL's host, each once, all of them allowed. Throws `dns`, or `blocked_address` for one that is not. */
export async function resolveChecked(
  url: URL,
  { allowAddress, lookup }: OutboundPolicy,
): Promise<readonly string[]> {
  const host = bareHost(url);
  const found = isIP(host) === 0 ? await lookUp(host, lookup) : [host];
  const addresses = new Set<string>();
  for (const address of found) {
    const normalised = normaliseAddress(address);
    if (normalised === undefined || !allowAddress(normalised)) {
      throw new OutboundError("blocked_address", `Host "${url.hostname}" has a blocked address`);
    }
    addresses.add(normalised);
  }
  if (addresses.size > 0) return [...addresses];
  throw new OutboundError("dns", `Host "${url.hostname}" has no address`);
}

async function exchangeWithOneOf(
  addresses: readonly string[],
  url: URL,
  asked: {
    readonly options: OutboundRequest;
    readonly timers: Pick<Timers, "after">;
    readonly deadline: AbortSignal;
  },
): Promise<OutboundResponse> {
  const { options } = asked;
  const tried = addresses.slice(0, ADDRESSES_TRIED_MAX);
  for (const [index, address] of tried.entries()) {
    try {
      return await exchange({ ...asked, url, address, connections: options.connections });
    } catch (error) {
      if (error instanceof StaleConnection) {
        return await exchange({ ...asked, url, address, connections: undefined });
      }
      // Only a failed connection moves on: from then on the request may have had its effect.
      const unconnected = error instanceof OutboundError && error.reason === "connect";
      if (!unconnected || index === tried.length - 1) throw error;
    }
  }
  throw new Error("Nothing was tried");
}

function parseUrl(text: string): URL {
  // The parser also brings every spelling of an IPv4 address (2130706433, 0x7f.1) to the dotted one.
  const url = URL.parse(text);
  if (url === null) throw new OutboundError("invalid_url", "URL cannot be parsed");
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw new OutboundError("invalid_url", `URL scheme "${url.protocol}" is not http or https`);
  }
  return url;
}

async function lookUp(host: string, lookup: Lookup = lookUpSystem): Promise<readonly string[]> {
  try {
    return await lookup(host);
  } catch (cause) {
    throw new OutboundError("dns", `Host "${host}" cannot be resolved`, { cause });
  }
}

/**
 * By c-ares, which reads the machine's hosts and resolv.conf like the C library: that one holds a thread for each name, so that a few
 * hundred names whose servers never answer would keep all others from being resolved (Bun 1.4.5, node:dns included).
 */
async function lookUpSystem(host: string): Promise<readonly string[]> {
  return (await dns.lookup(host, { backend: "c-ares" })).map(({ address }) => address);
}

function beforeDeadline<Value>(
  work: Promise<Value>,
  deadline: AbortSignal,
  url: URL,
): Promise<Value> {
  return new Promise((resolve, reject) => {
    const expire = () => reject(timedOut(url));
    deadline.addEventListener("abort", expire, { once: true });
    work.then(resolve, reject).finally(() => deadline.removeEventListener("abort", expire));
  });
}

const systemTimers: Pick<Timers, "after"> = {
  after(delayMs, callback) {
    const handle = setTimeout(callback, delayMs);
    return { cancel: () => clearTimeout(handle) };
  },
};
