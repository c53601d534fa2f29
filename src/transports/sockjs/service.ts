/** One SockJS service: a route with its settings, and what lies at which path below it. */
import type { SocketRoute, SockJsTransport } from "../socket.ts";
import { findPlace, type Place } from "./paths.ts";

/** By sockjs.md §10. */
export const SOCKJS_DEFAULTS = {
  cookie: false,
  responseBytesMax: 131_072,
  responseMsMax: Infinity,
  heartbeatMs: 25_000,
  disconnectDelayMs: 5_000,
} as const;

/** Of the client library that is served, by which its pages may keep it. */
export const SCRIPT_NAME = "sockjs-1.6.1.min.js";

export interface Service {
  readonly route: SocketRoute;
  /** Without a trailing slash. */
  readonly base: string;
  readonly disabled: ReadonlySet<SockJsTransport>;
  readonly settings: {
    readonly cookie: boolean;
    readonly responseBytesMax: number;
    readonly responseMsMax: number;
    readonly heartbeatMs: number;
    readonly disconnectDelayMs: number;
  };
}

export interface Found {
  readonly service: Service;
  readonly place: Place;
}

/** Which service and place a path is. Undefined: none's. Of two bases the longer one counts. */
export function createServices(
  routes: readonly SocketRoute[],
): (path: string) => Found | undefined {
  const services = routes.map(createService).toSorted((a, b) => b.base.length - a.base.length);
  return (path) => {
    for (const service of services) {
      if (!path.startsWith(service.base)) continue;
      const below = path.slice(service.base.length);
      const place = below === "" || below[0] === "/" ? findPlace(below, SCRIPT_NAME) : undefined;
      if (place !== undefined) return { service, place };
    }
    return undefined;
  };
}

function createService(route: SocketRoute): Service {
  const { disabled = [], ...own } = route.sockjs ?? {};
  return {
    route,
    base: route.path.replace(/\/$/, ""),
    disabled: new Set(disabled),
    settings: { ...SOCKJS_DEFAULTS, ...own },
  };
}
