/**
 * What `CARILLON_REDIS_URL` may hold. `redis://` and `rediss://` as IANA registers them (TLS with the second);
 * `redis+unix://` for a socket; `redis+sentinel://host,host/master`, the form that most clients without options take;
 * `redis+cluster://host,host`. With an `s` before the `+`, over TLS.
 */
import { RedisFailure } from "./diagnosis.ts";

export type ServerSpec =
  | { readonly kind: "server"; readonly url: string; readonly name: string }
  | {
      readonly kind: "sentinel";
      readonly master: string;
      /** Host and port of each Sentinel. */
      readonly sentinels: readonly string[];
      /** The master's, around `host:port`: scheme and credentials, and the database. */
      readonly before: string;
      readonly after: string;
      readonly name: string;
    }
  | {
      readonly kind: "cluster";
      readonly seeds: readonly { readonly host: string; readonly port: number }[];
      readonly username: string;
      readonly password: string;
      readonly tls: boolean;
      readonly name: string;
    };

export type ClusterSpec = Extract<ServerSpec, { kind: "cluster" }>;

/** One URL, a list, or text with several between commas. Throws `RedisFailure` (final), which shows no password. */
export function parseUrls(given: string | readonly string[]): readonly ServerSpec[] {
  const urls = (typeof given === "string" ? [given] : given)
    // A comma before a scheme parts URLs; the others part the hosts of one.
    .flatMap((text) => text.split(/,(?=\s*[a-z+]+:\/\/)/))
    .map((text) => text.trim())
    .filter((text) => text !== "");
  if (urls.length === 0) throw bad("no URL of a Redis server is given");
  const specs = urls.map(parseUrl);
  if (specs.length > 1 && specs.some(({ kind }) => kind === "cluster")) {
    throw bad("a Cluster cannot be one of several servers: it spreads channels by itself");
  }
  if (new Set(specs.map(({ name }) => name)).size < specs.length) {
    throw bad("the same server is given twice");
  }
  return specs;
}

const FORM = /^(rediss?)(\+unix|\+sentinel|\+cluster)?:\/\/(?:(.*)@)?([^@/?#]*)(\/[^?#]*)?$/;
const HOST = /^(\[[0-9a-fA-F:.]+\]|[\w.-]+)(?::(\d{1,5}))?$/;

function parseUrl(text: string): ServerSpec {
  const form = FORM.exec(text);
  if (form === null) {
    throw bad(`not a Redis URL: "${text.replace(/\/\/.*@/, "//…@")}"`);
  }
  const [, scheme = "", shape = "", credentials = "", hosts = "", path = ""] = form;
  const shown = `${scheme}${shape}://${hosts}${path}`;
  const [user = "", ...rest] = credentials.split(":");
  for (const part of [user, rest.join(":")]) {
    if (!isEncoded(part)) throw bad(`user name or password is not URL-encoded in "${shown}"`);
  }
  const auth = credentials === "" ? "" : `${encode(user)}:${encode(rest.join(":"))}@`;
  if (shape === "+unix") {
    if (hosts !== "" || path === "") throw bad(`a socket's path must be absolute in "${shown}"`);
    return { kind: "server", url: `redis+unix://${auth}${path}`, name: path };
  }
  const list = hosts.split(",").map((host) => parseHost(host, shown, shape));
  const names = list.map(({ host, port }) => `${host}:${port}`);
  if (shape === "+cluster") {
    if (path !== "" && path !== "/" && path !== "/0") {
      throw bad(`a Cluster has no databases, in "${shown}"`);
    }
    return {
      kind: "cluster",
      seeds: list.map(({ host, port }) => ({ host: host.replace(/^\[(.*)\]$/, "$1"), port })),
      username: decodeURIComponent(user),
      password: decodeURIComponent(rest.join(":")),
      tls: scheme === "rediss",
      name: names.join(","),
    };
  }
  if (shape === "+sentinel") {
    const [, master = "", db = ""] = /^\/([^/]+)(\/\d+)?$/.exec(path) ?? [];
    if (master === "") throw bad(`the name of the master is missing behind the "/" in "${shown}"`);
    return {
      kind: "sentinel",
      master: decodeURIComponent(master),
      sentinels: names,
      before: `${scheme}://${auth}`,
      after: db,
      name: `${names.join(",")}/${master}${db}`,
    };
  }
  const [first] = names;
  if (list.length !== 1 || first === undefined) {
    throw bad(`several hosts in one URL, in "${shown}": give a list of URLs`);
  }
  if (!/^(\/\d*)?$/.test(path)) throw bad(`the database is not a number in "${shown}"`);
  const db = path === "/" ? "" : path;
  return { kind: "server", url: `${scheme}://${auth}${first}${db}`, name: `${first}${db}` };
}

function parseHost(text: string, shown: string, shape: string): { host: string; port: number } {
  const [, host = "", port] = HOST.exec(text) ?? [];
  const number = port === undefined ? (shape === "+sentinel" ? 26379 : 6379) : Number(port);
  if (host === "" || number < 1 || number > 65_535) throw bad(`bad host or port in "${shown}"`);
  return { host, port: number };
}

function isEncoded(text: string): boolean {
  try {
    decodeURIComponent(text);
    return true;
  } catch {
    return false;
  }
}

/** Encoded once, whatever of it was encoded already. */
function encode(part: string): string {
  return encodeURIComponent(decodeURIComponent(part));
}

function bad(message: string): RedisFailure {
  return new RedisFailure(message, "redis_url_invalid");
}
