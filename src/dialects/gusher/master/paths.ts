/**
 * Which route a path belongs to (§2). Names are percent-decoded one by one here, since a router decodes the path as a
 * whole: `%2F` would part a name in two.
 */
import { decodeSegment } from "../../../transports/request.ts";

export interface Route<Handler> {
  readonly method: "GET" | "POST";
  /** Segments behind the prefix; `:name` is any text. */
  readonly path: string;
  readonly handler: Handler;
}

export interface Match<Handler> {
  readonly path: string;
  readonly handler: Handler;
  readonly params: Readonly<Record<string, string>>;
}

interface Pattern<Handler> extends Route<Handler> {
  readonly segments: readonly string[];
}

/** Of several routes that match with one method the first counts. */
export class Paths<Handler> {
  readonly #byLength = new Map<number, Pattern<Handler>[]>();

  constructor(routes: readonly Route<Handler>[]) {
    for (const route of routes) {
      const segments = segmentsOf(route.path);
      const alike = this.#byLength.get(segments.length);
      const pattern = { ...route, segments };
      if (alike === undefined) this.#byLength.set(segments.length, [pattern]);
      else alike.push(pattern);
    }
  }

  /**
   * The matches by method; another method is 405. `path` begins with `/` and is percent-encoded. Undefined: no route
   * has it, with whichever method.
   */
  find(path: string): ReadonlyMap<string, Match<Handler>> | undefined {
    const encoded = segmentsOf(path);
    const patterns = this.#byLength.get(encoded.length);
    if (patterns === undefined) return undefined;
    const given = encoded.map(decode);
    if (!given.every((segment) => segment !== undefined)) return undefined;
    const found = new Map<string, Match<Handler>>();
    for (const { method, path: route, handler, segments } of patterns) {
      const params = match(segments, given);
      if (params !== undefined && !found.has(method))
        found.set(method, { path: route, handler, params });
    }
    return found.size > 0 ? found : undefined;
  }
}

function segmentsOf(path: string): readonly string[] {
  return path.slice(1).split("/");
}

/** Undefined also for an empty segment. */
function decode(segment: string): string | undefined {
  return segment === "" ? undefined : decodeSegment(segment);
}

function match(
  segments: readonly string[],
  given: readonly string[],
): Readonly<Record<string, string>> | undefined {
  for (let index = 0; index < segments.length; index++) {
    const segment = segments[index] ?? "";
    if (segment !== given[index] && !segment.startsWith(":")) return undefined;
  }
  const params: Record<string, string> = {};
  for (const [index, segment] of segments.entries()) {
    if (segment.startsWith(":")) params[segment.slice(1)] = given[index] ?? "";
  }
  return params;
}
