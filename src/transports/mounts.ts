/** Whose a request is: apps are told apart by the host that a request is for, and by the beginning of its path. */
import type { Mount } from "./request.ts";

export interface AppAddress {
  readonly app: string;
  /** In lower case. Empty: any that is no other app's. */
  readonly hosts: readonly string[];
  /** `""`: none. */
  readonly pathPrefix: string;
}

/** `path` is the request's, without the app's prefix. */
export type FindMount = (
  host: string,
  path: string,
) => { readonly mount: Mount; readonly path: string };

/** The host decides first: on one that is an app's, only apps that have it are looked for by path. `nobody`: what is no app's. */
export function createMounts(apps: readonly AppAddress[], nobody: Mount): FindMount {
  const byHost = new Map<string, AppPlace[]>();
  const anywhere: AppPlace[] = [];
  for (const { app, hosts, pathPrefix } of apps) {
    const exclusive = hosts.length > 0 || pathPrefix !== "";
    const place = { pathPrefix, mount: { app, exclusive } };
    if (hosts.length === 0) anywhere.push(place);
    for (const host of hosts) byHost.set(host, [...(byHost.get(host) ?? []), place]);
  }
  return (host, path) => {
    let found: AppPlace | undefined;
    for (const place of byHost.get(host) ?? anywhere) {
      const { pathPrefix } = place;
      const longer = found === undefined || pathPrefix.length > found.pathPrefix.length;
      if (longer && isBelow(path, pathPrefix)) found = place;
    }
    if (found === undefined) return { mount: nobody, path };
    return { mount: found.mount, path: path.slice(found.pathPrefix.length) || "/" };
  };
}

interface AppPlace {
  readonly pathPrefix: string;
  readonly mount: Mount;
}

function isBelow(path: string, prefix: string): boolean {
  return (
    path.startsWith(prefix) &&
    (prefix === "" || path.length === prefix.length || path[prefix.length] === "/")
  );
}

/** What a request is for. `path` is the URL's, without the app's prefix. */
export interface Place {
  readonly url: URL;
  readonly mount: Mount;
  readonly path: string;
}

/** Undefined: its target or host is none. */
export function placeOf({ url: href, headers }: Request, findMount: FindMount): Place | undefined {
  const url = URL.parse(href);
  // Bun makes the URL's path of the request line alone, but only with a host that is one.
  const host = hostOf(headers.get("host") ?? "");
  if (url === null || host === undefined) return undefined;
  const { mount, path } = findMount(host, url.pathname);
  return { url, mount, path };
}

const HOST = /^([-a-z0-9._]+|\[[0-9a-f:.]+\])(?::\d{1,5})?$/;

/**
 * The host of a `Host` header, without port and final dot. Undefined: it is none, or there are two. A path is never looked for in
 * it: whatever a URL could be made of with it, `/`, `?`, `#`, `@`, is not a host.
 */
export function hostOf(header: string): string | undefined {
  return HOST.exec(header.toLowerCase())?.[1]?.replace(/\.$/, "");
}
