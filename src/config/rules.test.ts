import { generateKeyPairSync, type KeyObject } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { publicKeyProblem } from "./rules.ts";
import { configOf, linesOf } from "./test-support.ts";

const HASH = "0".repeat(64);
const namespace = (options: object) => ({
  channel: { namespaces: [{ name: "news", ...options }] },
});

describe("listeners", () => {
  test("tls needs both files", () => {
    expect(linesOf({ clients: { tls: { cert: "c" } } })).toEqual([
      'clients.tls.key: is required with "cert"',
    ]);
    expect(linesOf({ api: { tls: { key: "k" } } })).toEqual([
      'api.tls.cert: is required with "key"',
    ]);
    expect(linesOf({ api: { tls: { cert: "c", key: "k" } } })).toEqual([]);
  });

  test("two listeners do not share a port, save a free one", () => {
    expect(linesOf({ api: { port: 8000 } })).toEqual([
      'api.port: must differ from "clients.port": with "on_clients" the API is answered there as well',
    ]);
    expect(linesOf({ api: { port: 0 }, clients: { port: 0 } })).toEqual([]);
  });
});

describe("engine", () => {
  const url = "redis://localhost";
  const master_key = "0".repeat(64);

  test("redis needs a URL and the master key", () => {
    expect(linesOf({ engine: "redis" })).toEqual([
      'redis.url: is required with engine = "redis"',
      'master_key: is required with engine = "redis"',
    ]);
    expect(linesOf({ engine: "redis", master_key, redis: { url } })).toEqual([]);
  });

  test("several workers need redis", () => {
    expect(linesOf({ workers: 2 })).toEqual([
      'workers: needs engine = "redis": the embedded engine serves one process',
    ]);
    expect(linesOf({ workers: 2, engine: "redis", master_key, redis: { url } })).toEqual([]);
  });
});

describe("apps", () => {
  const rival = 'needs "hosts" or "path_prefix" that tell its requests from app "a"';

  test("one of several may be without hosts and path_prefix", () => {
    expect(linesOf({ apps: [{ id: "a" }, { id: "b", path_prefix: "/b" }] })).toEqual([]);
    expect(linesOf({ apps: [{ id: "a" }, { id: "b" }] })).toEqual([`apps[1]: ${rival}`]);
  });

  test("two may share a host or a prefix, not both", () => {
    const hosts = ["x.example"];
    expect(
      linesOf({
        apps: [
          { id: "a", hosts },
          { id: "b", hosts, path_prefix: "/b" },
        ],
      }),
    ).toEqual([]);
    expect(
      linesOf({
        apps: [
          { id: "a", hosts },
          { id: "b", hosts: ["y.z", ...hosts] },
        ],
      }),
    ).toEqual([`apps[1]: ${rival}`]);
    const path_prefix = "/p";
    expect(
      linesOf({
        apps: [
          { id: "a", path_prefix },
          { id: "b", path_prefix },
        ],
      }),
    ).toEqual([`apps[1]: ${rival}`]);
  });

  test("ids are unique", () => {
    expect(linesOf({ apps: [{ id: "a" }, { id: "a", path_prefix: "/b" }] })).toEqual([
      'apps[1].id: "a" is already used by entry 0',
    ]);
  });
});

describe("credentials", () => {
  const apps = [{ id: "a" }, { id: "b", path_prefix: "/b" }];

  test("belong to the only app, or say to which", () => {
    const api_keys = [{ id: "k", hash: HASH }];
    const signing_keys = [{ use: "streaming", hmac_secret: "s" }];
    const config = configOf({ apps: [{ id: "only" }], api_keys, signing_keys });
    expect(config.api_keys[0]).toEqual({
      id: "k",
      hash: HASH,
      scopes: ["*"],
      organisation: "*",
      app: "only",
    });
    expect(config.signing_keys[0]).toEqual({
      use: "streaming",
      hmac_secret: "s",
      tokens: ["connection", "subscription"],
      algorithms: ["HS256"],
      app: "only",
    });
    expect(linesOf({ apps, api_keys, signing_keys })).toEqual([
      "api_keys[0].app: is required with several apps",
      "signing_keys[0].app: is required with several apps",
    ]);
    expect(linesOf({ apps, api_keys: [{ id: "k", hash: HASH, app: "c" }] })).toEqual([
      'api_keys[0].app: app "c" is not configured: add it to [[apps]]',
    ]);
  });

  test("API keys have ids and hashes of their own", () => {
    expect(
      linesOf({
        api_keys: [
          { id: "k", hash: HASH },
          { id: "k", hash: HASH },
        ],
      }),
    ).toEqual([
      'api_keys[1].id: "k" is already used by entry 0',
      `api_keys[1].hash: "${HASH}" is already used by entry 0`,
    ]);
  });

  const signing = (key: object) => linesOf({ signing_keys: [{ use: "streaming", ...key }] });

  test("a signing key has exactly one source", () => {
    const line =
      'signing_keys[0]: needs exactly one of "hmac_secret", "public_key", "private_key", "jwks_url"';
    expect(signing({})).toEqual([line]);
    expect(signing({ hmac_secret: "s", jwks_url: "https://x.example/keys" })).toEqual([line]);
    expect(signing({ jwks_url: "https://x.example/keys", algorithms: ["ES256"] })).toEqual([]);
    expect(signing({ jwks_url: "ftp://x.example/keys", algorithms: ["ES256"] })).toEqual([
      "signing_keys[0].jwks_url: must be an http or https address",
    ]);
  });

  test("HMAC never goes with a public key, nor a secret with other algorithms", () => {
    expect(signing({ hmac_secret: "s", algorithms: ["HS512", "EdDSA"] })).toEqual([
      'signing_keys[0].algorithms: "EdDSA" needs a key pair or "jwks_url", not an "hmac_secret"',
    ]);
    expect(signing({ public_key: "p", algorithms: ["RS256", "HS256"] })).toEqual([
      'signing_keys[0].algorithms: "HS256" needs an "hmac_secret": HMAC never goes with a public key',
    ]);
    expect(signing({ public_key: "p" })).toEqual([
      'signing_keys[0].algorithms: is required with "public_key"',
    ]);
    expect(signing({ hmac_secret: "s", algorithms: ["none"] })[0]).toStartWith(
      'signing_keys[0].algorithms[0]: must be one of "HS256"',
    );
  });

  test("until needs an offset", () => {
    expect(signing({ hmac_secret: "s", until: "2027-01-31T12:00:00Z" })).toEqual([]);
    expect(signing({ hmac_secret: "s", until: "2027-01-31" })).toEqual([
      'signing_keys[0].until: must be a date and time with its offset, such as "2027-01-31T12:00:00Z"',
    ]);
  });

  test("publicKeyProblem() knows which key suits which algorithm", () => {
    const pem = (pair: { publicKey: KeyObject; privateKey: KeyObject }) => ({
      open: pair.publicKey.export({ type: "spki", format: "pem" }).toString(),
      secret: pair.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    });
    const ec = pem(generateKeyPairSync("ec", { namedCurve: "P-256" }));
    const ed = pem(generateKeyPairSync("ed25519"));
    expect(publicKeyProblem(ec.open, ["ES256"])).toBeUndefined();
    expect(publicKeyProblem(ed.open, ["EdDSA"])).toBeUndefined();
    expect(publicKeyProblem(ed.open, ["ES256"])).toBe(
      'is of type "ed25519", which "ES256" cannot use',
    );
    expect(publicKeyProblem(ec.secret, ["ES256"])).toContain("holds a private key");
    expect(publicKeyProblem("-----BEGIN PUBLIC KEY-----", ["ES256"])).toBe(
      "must be a public key in PEM",
    );
  });
});

describe("channels", () => {
  const at = "channel.namespaces[0]";

  test("history_size and history_ttl come together", () => {
    expect(linesOf(namespace({ history_size: 1, history_ttl: "1s" }))).toEqual([]);
    expect(linesOf(namespace({ history_size: 1 }))).toEqual([
      `${at}.history_ttl: is required with "history_size"`,
    ]);
    expect(linesOf(namespace({ history_ttl: "1s" }))).toEqual([
      `${at}.history_size: is required with "history_ttl"`,
    ]);
  });

  test("what is forced needs history", () => {
    expect(linesOf(namespace({ force_recovery: true, force_positioning: true }))).toEqual([
      `${at}.force_recovery: needs "history_size" and "history_ttl"`,
      `${at}.force_positioning: needs "history_size" and "history_ttl"`,
    ]);
    expect(linesOf({ channel: { without_namespace: { force_recovery: true } } })).toEqual([
      'channel.without_namespace.force_recovery: needs "history_size" and "history_ttl"',
    ]);
  });

  test("history_meta_ttl is at least history_ttl", () => {
    const history = { history_size: 1, history_ttl: "2h" };
    expect(linesOf(namespace({ ...history, history_meta_ttl: "2h" }))).toEqual([]);
    expect(linesOf(namespace({ ...history, history_meta_ttl: "119m" }))).toEqual([
      `${at}.history_meta_ttl: must be at least "history_ttl" (2h)`,
    ]);
    expect(linesOf({ channel: { history_meta_ttl: "1h", without_namespace: history } })).toEqual([
      'channel.history_meta_ttl: must be at least "history_ttl" (2h) of "without_namespace"',
    ]);
  });

  test("namespaces have names of their own", () => {
    expect(linesOf({ channel: { namespaces: [{ name: "ab" }, { name: "ab" }] } })).toEqual([
      'channel.namespaces[1].name: "ab" is already used by entry 0',
    ]);
  });

  test("binary data is streaming's", () => {
    expect(linesOf(namespace({ publication_data_format: "binary" }))).toEqual([]);
  });
});

describe("streaming", () => {
  test("a pong is due before the next ping, unless there are none", () => {
    expect(linesOf({ streaming: { ping_interval: "8s" } })).toEqual([
      'streaming.pong_timeout: must be less than "ping_interval" (8s)',
    ]);
    expect(linesOf({ streaming: { ping_interval: 0 } })).toEqual([]);
  });

  test("the personal channel's namespace exists", () => {
    const personal = (personal_channel_namespace: string) => ({
      ...namespace({}),
      streaming: {
        subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace },
      },
    });
    expect(linesOf(personal("news"))).toEqual([]);
    expect(linesOf(personal("old"))).toEqual([
      'streaming.subscribe_to_user_personal_channel.personal_channel_namespace: namespace "old" is not configured: add it to [[channel.namespaces]]',
    ]);
  });
});

describe("gusher", () => {
  const gusher = { enabled: true };
  const everybody = { without_namespace: { dialects: ["streaming", "gusher"] } };

  test("enabled, it asks who may join channels without a namespace; in development mode all may", () => {
    expect(linesOf({ gusher })).toEqual([
      "channel.without_namespace.dialects: is required with several dialects",
    ]);
    expect(linesOf({ gusher, channel: everybody })).toEqual([]);
    expect(linesOf({ gusher, development: true })).toEqual([]);
  });

  test("binary data is for streaming alone, wherever gusher may join", () => {
    const publication_data_format = "binary";
    expect(linesOf({ channel: { without_namespace: { publication_data_format } } })).toEqual([]);
    const line = 'publication_data_format: "binary" needs dialects = ["streaming"]';
    expect(
      linesOf({ development: true, channel: { without_namespace: { publication_data_format } } }),
    ).toEqual([`channel.without_namespace.${line}`]);
    expect(linesOf(namespace({ dialects: ["gusher"], publication_data_format }))).toEqual([
      `channel.namespaces[0].${line}`,
    ]);
  });

  test("its keys are RSA or HMAC", () => {
    const signing = (key: object) => linesOf({ signing_keys: [{ use: "gusher", ...key }] });
    expect(signing({ public_key: "p", algorithms: ["RS256", "RS512"] })).toEqual([]);
    expect(signing({ hmac_secret: "s", algorithms: ["HS384"] })).toEqual([]);
    expect(signing({ public_key: "p", algorithms: ["RS256", "ES256"] })).toEqual([
      'signing_keys[0].algorithms: "ES256" is not for gusher\'s tokens: use RS256, RS384, RS512 or HMAC',
    ]);
  });

  test("jobs on Redis lists need the Redis engine", () => {
    const lists = { gusher: { remote_jobs: "redis_list" } };
    expect(linesOf(lists)).toEqual(['gusher.remote_jobs: "redis_list" needs engine = "redis"']);
    const redis = { engine: "redis", master_key: HASH, redis: { url: "redis://localhost" } };
    expect(linesOf({ ...lists, ...redis })).toEqual([]);
  });

  test("a pong is waited for beyond the next ping", () => {
    expect(linesOf({ gusher: { pong_timeout: "54s" } })).toEqual([
      'gusher.pong_timeout: must be more than "ping_interval" (54s)',
    ]);
  });
});
