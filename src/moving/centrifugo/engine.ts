/** The engine: Redis where anything of Centrifugo's was in Redis, else the embedded one. */
import type { Draft } from "./draft.ts";
import { fileOf } from "./listeners.ts";
import { integerOf, isOn, listOf, textOf } from "./values.ts";

const DEFAULT_ADDRESS = "127.0.0.1:6379";

/** `newMasterKey`: 32 random bytes, as text. */
export function translateEngine(draft: Draft, newMasterKey: () => string): void {
  for (const part of ["engine", "broker", "presence_manager"]) {
    const type = draft.at(`${part}.type`);
    const used = part === "engine" || isOn(draft.at(`${part}.enabled`)) || type?.former === true;
    const name = textOf(type);
    if (type === undefined || !used || name === "memory" || name === "") continue;
    if (name === "redis") return useRedis(draft, `${part}.redis`, newMasterKey);
    draft.notes.none({ ...type, reason: "the engine is `embedded` or `redis`" });
  }
  draft.notes.differs("histories outlive a restart: they are kept in `data_dir`, `./data`");
}

function useRedis(draft: Draft, table: string, newMasterKey: () => string): void {
  const at = (key: string) => draft.at(`${table}.${key}`);
  const text = (key: string) => textOf(at(key));
  draft.file["engine"] = "redis";
  draft.file["master_key"] = newMasterKey();
  const urls = urlsOf(draft, table);
  // Upstream's keys begin with its own prefix and a point, so that both can run side by side.
  const prefix = text("prefix") === "" ? {} : { prefix: `${text("prefix")}-carillon` };
  const ca = isOn(at("tls.enabled")) ? at("tls.server_ca_pem") : undefined;
  draft.file["redis"] = {
    url: urls.length === 1 ? urls[0] : urls,
    ...prefix,
    ...(textOf(ca) === "" ? {} : { ca: fileOf(draft, ca, "redis-ca.pem") }),
  };
  draft.notes.differs(
    "`master_key` was made now: every node needs the same file. Histories and presence in Redis are not taken over; the keys have another prefix",
  );
  for (const [keys, reason] of UNUSED) {
    for (const key of keys) {
      const setting = at(key);
      if (setting !== undefined) draft.notes.none({ ...setting, reason });
    }
  }
}

const UNUSED = [
  [
    ["connect_timeout", "io_timeout"],
    "Redis has times of its own to answer, which docs/redis.md tells",
  ],
  [
    ["client_name", "sentinel_client_name", "force_resp2"],
    "how Redis is spoken to is not configured",
  ],
  [
    [
      "history_use_lists",
      "presence_ttl",
      "presence_hash_field_ttl",
      "presence_user_mapping",
      "replica_client.enabled",
    ],
    "how data lies in Redis is not configured",
  ],
  [
    [
      "tls.cert_pem",
      "tls.key_pem",
      "tls.client_ca_pem",
      "tls.server_name",
      "tls.insecure_skip_verify",
    ],
    "Redis's certificate is verified by its host name, and none is shown to it",
  ],
  [
    [
      "sentinel_tls.enabled",
      "sentinel_tls.cert_pem",
      "sentinel_tls.key_pem",
      "sentinel_tls.server_ca_pem",
      "sentinel_tls.client_ca_pem",
      "sentinel_tls.server_name",
      "sentinel_tls.insecure_skip_verify",
    ],
    "Sentinels are asked in the same way as Redis, over TLS or not",
  ],
] as const;

function urlsOf(draft: Draft, table: string): string[] {
  const at = (key: string) => draft.at(`${table}.${key}`);
  const text = (key: string) => textOf(at(key));
  const scheme = isOn(at("tls.enabled")) ? "rediss" : "redis";
  const login = credentials(text("user"), text("password"));
  const cluster = listOf(at("cluster_address")?.value);
  if (cluster.length > 0) return cluster.map((hosts) => `${scheme}+cluster://${login}${hosts}`);
  const sentinels = listOf(at("sentinel_address")?.value);
  if (sentinels.length > 0) {
    const name = encodeURIComponent(text("sentinel_master_name"));
    const [user, password] = [at("sentinel_user"), at("sentinel_password")];
    for (const setting of [user, password]) {
      const reason = "Sentinels are asked without credentials, then with the master's";
      if (setting !== undefined) draft.notes.none({ ...setting, reason });
    }
    return sentinels.map((hosts) => `${scheme}+sentinel://${login}${hosts}/${name}`);
  }
  const addresses = listOf(at("address")?.value);
  const db = integerOf(at("db")?.value) ?? 0;
  return (addresses.length > 0 ? addresses : [DEFAULT_ADDRESS]).map((address) =>
    urlOf(address, { scheme, login, db }),
  );
}

/** An address has what its settings beside it do not say in itself, or is a host and port. */
function urlOf(
  address: string,
  { scheme, login, db }: { readonly scheme: string; readonly login: string; readonly db: number },
): string {
  const unix = /^unix:\/\/(.*)$/.exec(address)?.[1];
  if (unix !== undefined) return `redis+unix://${login}${unix}`;
  const [, own = scheme, rest = address] = /^(rediss?|tcp):\/\/(.*)$/.exec(address) ?? [];
  const named = own === "tcp" ? scheme : own === "redis" ? scheme : own;
  const [authority = "", ...path] = rest.split("/");
  const database = path.join("/") || (db > 0 ? String(db) : "");
  const host = authority.includes("@") ? authority : login + authority;
  return `${named}://${host}${database === "" ? "" : `/${database}`}`;
}

function credentials(user: string, password: string): string {
  if (user === "" && password === "") return "";
  return `${encodeURIComponent(user)}:${encodeURIComponent(password)}@`;
}
