/** Which socket route a path belongs to: exact ones by a map, those with `:name` segments one by one. */
import type { SocketRoute } from "./socket.ts";
import { decodeSegment } from "./request.ts";

export interface FoundRoute {
  readonly route: SocketRoute;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern {
  readonly route: SocketRoute;
  readonly segments: readonly string[];
}

const NO_PARAMS = {};

/** Takes the path as it is in the request, percent-encoded. Of two exact routes with one path the later one counts. */
export function createRoutes(
  routes: readonly SocketRoute[],
): (path: string) => FoundRoute | undefined {
  const exact = new Map<string, FoundRoute>();
  const patterns: Pattern[] = [];
  for (const route of routes) {
    const segments = route.path.split("/");
    if (segments.some(isParameter)) patterns.push({ route, segments });
    else exact.set(route.path, { route, params: NO_PARAMS });
  }
  return (path) => {
    const found = exact.get(path);
    if (found !== undefined || patterns.length === 0) return found;
    const given = path.split("/");
    for (const { route, segments } of patterns) {
      const params = match(segments, given);
      if (params !== undefined) return { route, params };
    }
    return undefined;
  };
}

function match(
  segments: readonly string[],
  given: readonly string[],
): Readonly<Record<string, string>> | undefined {
  if (segments.length !== given.length) return undefined;
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    const text = decodeSegment(given[index] ?? "");
    if (isParameter(segment)) {
      if (text === undefined || text === "") return undefined;
      params[segment.slice(1)] = text;
    } else if (text !== segment) return undefined;
  }
  return params;
}

function isParameter(segment: string): boolean {
  return segment.startsWith(":");
}
