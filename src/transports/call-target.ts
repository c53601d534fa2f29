/** Whom a call of the `api` listener is for: by its request line's path, and by its host where apps are told apart by it. */
import { hostOf, type FindMount } from "./mounts.ts";
import type { Mount } from "./request.ts";

export interface CallTarget {
  readonly mount: Mount;
  /** Percent-encoded, without the app's prefix. */
  readonly path: string;
  /** `""`, or with its `?`. */
  readonly search: string;
}

/** `target`: a path with its query, or a whole address, of which no host counts. Undefined: it is none, or `host` is none. */
export type FindTarget = (host: string, target: string) => CallTarget | undefined;

/** Targets that URL parsers leave as they are: no segment of dots to resolve, no query, nothing to encode. */
const PLAIN_PATH = /^(?:\/(?!\.)[-\w~!$&'()*+,;=:@.]*)+$/;

export function createTargets(findMount: FindMount): FindTarget {
  // Callers come again by the same name, and looking at it is more than looking it up.
  let lastHeader: string | undefined;
  let lastHost: string | undefined;
  return (header, target) => {
    if (header !== lastHeader) {
      lastHeader = header;
      lastHost = hostOf(header);
    }
    if (lastHost === undefined) return undefined;
    if (PLAIN_PATH.test(target)) {
      const { mount, path } = findMount(lastHost, target);
      return { mount, path, search: "" };
    }
    const url = URL.parse(target.startsWith("/") ? `http://localhost${target}` : target);
    if (url === null) return undefined;
    const { mount, path } = findMount(lastHost, url.pathname);
    return { mount, path, search: url.search };
  };
}
