/** Where each dialect is found, for people: what its routes and its part of the OpenAPI document say. */
import type { ServedDialect } from "../dialects/lend.ts";

/** Plain data. Paths are without an app's prefix. */
export interface Endpoint {
  readonly dialect: string;
  /** Where sockets connect, on `clients`. */
  readonly clients: readonly string[];
  /** Where calls go, on `api`; `/api/*` is everything below `/api`. */
  readonly api: readonly string[];
  /** Of a listener that is its alone. */
  readonly own?: string;
}

export function endpointsOf(served: readonly ServedDialect[]): readonly Endpoint[] {
  return served
    .map(({ name, sockets, openapi, listener }) => ({
      dialect: name,
      clients: [...new Set(sockets.map(({ path }) => path))],
      api: pathsOf(Object.keys(openapi?.().paths ?? {})),
      ...(listener === undefined ? {} : { own: `http://${listener.host}:${listener.port}` }),
    }))
    .toSorted((a, b) => (a.dialect < b.dialect ? -1 : 1));
}

/** One for all that begin alike; without those that begin with a parameter. */
function pathsOf(paths: readonly string[]): readonly string[] {
  const bySegment = Map.groupBy(paths, (path) => path.split("/", 2)[1] ?? "");
  return [...bySegment]
    .filter(([segment]) => !segment.startsWith("{"))
    .map(([segment, [first = "/", ...others]]) => (others.length === 0 ? first : `/${segment}/*`));
}
