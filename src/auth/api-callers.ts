/**
 * Who calls the `api` listener and what the call may reach: one decision for every dialect, by the request's head alone, so
 * that nothing is read for a caller who may not. Each dialect answers a refusal in its own form.
 */
import { isLoopback } from "../core/networks.ts";
import type { Reach } from "../core/types.ts";
import { credentialOf, type ApiKey, type ApiKeys } from "./api-keys.ts";
import { createOriginCheck } from "./origins.ts";

/** Why a call is not served. `detail` is a sentence for the caller and the log, and repeats nothing of the request. */
export class ApiRefusal {
  readonly status: 401 | 403;
  readonly detail: string;

  constructor(status: 401 | 403, detail: string) {
    this.status = status;
    this.detail = detail;
  }

  /** By which it is told. */
  get word(): "unauthorized" | "forbidden" {
    return this.status === 401 ? "unauthorized" : "forbidden";
  }
}

const NO_KEY = new ApiRefusal(401, "An API key is missing or not known: send it as X-API-Key");
const OTHER_APP = new ApiRefusal(401, "The API key belongs to another app");
const CONFINED = new ApiRefusal(
  401,
  "The API key acts for one organisation, in the events and webhooks API alone",
);
const FOREIGN_PAGE = new ApiRefusal(
  403,
  "Pages of other sites may not call this: list the page's origin in the app's allowed_origins",
);

const MISLED_PAGE = new ApiRefusal(
  403,
  "This name may be any page's that was made to lead here: call the listener's address, or list the name in the app's hosts",
);

/** What a caller is judged by: a `Request` is one. */
export interface CallHead {
  readonly url: string;
  readonly headers: { get(name: string): string | null };
}

export interface ApiCallers {
  /** The key that a request carries; undefined: it carries none. A refusal: one that is not known or does not count here. */
  keyOf(request: CallHead): ApiKey | ApiRefusal | undefined;
  /**
   * Whether a browser sends the request for a page that is not the app's: to be asked wherever no credential is. `app`
   * absent: any app's pages are as good.
   */
  foreignPage(request: CallHead, app?: string): ApiRefusal | undefined;
  /** The key of a call that needs one: with this scope, and of this app, if they are given. */
  admit(
    request: CallHead,
    needs: { readonly scope?: string; readonly app?: string | undefined },
  ): ApiKey | ApiRefusal;
  /** A call that needs none, as on a loopback listener. Undefined: it has none that is known, and of this app if one is given. */
  admitOpen(request: CallHead, app?: string): ApiKey | ApiRefusal | undefined;
}

export interface ApiCallersOptions {
  readonly keys: ApiKeys;
  readonly apps: readonly {
    readonly id: string;
    readonly allowed_origins: readonly string[];
    readonly hosts?: readonly string[];
  }[];
  /**
   * The listener is on a loopback address, so that a browser of this machine reaches it by whatever name leads there, and says nothing
   * of its page when it reads.
   */
  readonly onLoopback?: boolean;
  /** Of a key that everybody knows: it keeps no page of another site out. */
  readonly publicHash?: string;
  /** Told of each page that was refused; `app` undefined: by the origins of any. */
  readonly onForeignPage?: (page: {
    readonly app: string | undefined;
    readonly origin: string;
  }) => void;
}

export function createApiCallers(options: ApiCallersOptions): ApiCallers {
  const { keys, apps, publicHash, onForeignPage, onLoopback = false } = options;
  const hosts = new Set(apps.flatMap(({ hosts: own = [] }) => own));
  const origins = new Map(
    // A lone `*` says that any page may connect, not that every page is the app's.
    apps.map(({ id, allowed_origins: patterns }) => [
      id,
      createOriginCheck(patterns.filter((pattern) => pattern !== "*")),
    ]),
  );

  function keyOf(request: CallHead): ApiKey | ApiRefusal | undefined {
    const credential = credentialOf(request.headers, request.url);
    if (credential === undefined) return undefined;
    const key = keys.find(credential);
    if (key === undefined) return NO_KEY;
    if (key.organisation !== "*") return CONFINED;
    return (key.hash === publicHash ? foreignPage(request, key.app) : undefined) ?? key;
  }

  function foreignPage({ headers }: CallHead, app?: string): ApiRefusal | undefined {
    const origin = headers.get("origin");
    const checks = app === undefined ? [...origins.values()] : [origins.get(app)];
    const foreign =
      origin !== null &&
      !isOriginOf(headers.get("host"), origin) &&
      !checks.some((isListed) => isListed?.(origin));
    if (foreign) onForeignPage?.({ app, origin });
    if (foreign || headers.get("sec-fetch-site") === "cross-site") return FOREIGN_PAGE;
    const misled = onLoopback && origin === null && !isOwnHost(headers.get("host"));
    return misled ? MISLED_PAGE : undefined;
  }

  function isOwnHost(host: string | null): boolean {
    const name = host === null ? undefined : URL.parse(`http://${host}`)?.hostname;
    return host === null || (name !== undefined && (isLoopback(name) || hosts.has(name)));
  }

  return {
    keyOf,
    foreignPage,
    admit(request, { scope, app }) {
      const key = keyOf(request) ?? NO_KEY;
      if (key instanceof ApiRefusal) return key;
      if (app !== undefined && app !== key.app) return OTHER_APP;
      if (scope === undefined || key.scopes.some((held) => held === "*" || held === scope)) {
        return key;
      }
      return new ApiRefusal(401, lacking(key, scope));
    },
    admitOpen(request, app) {
      const key = keyOf(request);
      if (key === undefined || key === NO_KEY) return foreignPage(request, app);
      if (key instanceof ApiRefusal || (app ?? key.app) === key.app) return key;
      return foreignPage(request, app);
    },
  };
}

/** The sentence that refuses a known key. */
export function lacking({ id, scopes }: ApiKey, scope: string): string {
  const held = scopes.map((name) => `"${name}"`).join(", ");
  return `The API key lacks the scope "${scope}"; the key "${id}" has ${held || "none"}`;
}

/** What a call of this dialect's API reaches: what the dialect may join, and what the key's scopes add to it. */
export function reachOf(dialect: string, key: ApiKey | undefined): Reach {
  if (key === undefined) return [dialect];
  if (key.scopes.includes("*")) return "all";
  // Of a dialect with several scopes the one for publishing.
  return [dialect, ...key.scopes.map((scope) => scope.replace(/:publish$/, ""))];
}

/** Whether a browser sends the request for a page of this listener itself, on this machine. */
export function isOwnPage({ headers }: Pick<CallHead, "headers">): boolean {
  const site = headers.get("sec-fetch-site");
  if (site !== null && site !== "same-origin") return false;
  const origin = headers.get("origin");
  return origin !== null && isOriginOf(headers.get("host"), origin);
}

/** By a name it could be anyone's page, whose name was made to lead here. */
function isOriginOf(host: string | null, origin: string): boolean {
  const page = URL.parse(origin);
  return page !== null && page.host === host && isLoopback(page.hostname);
}
