/** What becomes of a Centrifugo's configuration: keys go on working, nothing opens more than it was, and whatever is lost is told. */
import { describe, expect, test } from "bun:test";
import { parse } from "smol-toml";
import { hashApiKey } from "../../auth/api-keys.ts";
import { sectionsOf } from "../../config/fields.ts";
import { MODEL, validate } from "../../dialects/configuration.ts";
import { FORMER, LISTS, OPTIONS } from "./options.ts";
import { translate } from "./translate.ts";

const MASTER_KEY = "0".repeat(64);

interface Translated {
  readonly file: Record<string, unknown>;
  readonly notes: readonly string[];
}

function translated(...files: readonly (readonly [path: string, text: string])[]): Translated {
  const { toml, notes } = translate(
    MODEL,
    files.map(([path, text]) => ({ path, text })),
    () => MASTER_KEY,
  );
  return { file: parse(toml), notes };
}

const ofJson = (raw: object) => translated(["config.json", JSON.stringify(raw)]);
const ofEnv = (text: string) => translated([".env", text]);

/** Carillon takes it as it is. */
function accepted({ file }: Translated): Record<string, unknown> {
  expect(validate(file)).toHaveProperty("config");
  return file;
}

describe("the table of options", () => {
  test("leads to keys that there are", () => {
    const keys = new Set(
      sectionsOf(MODEL.schema).flatMap(({ fields }) => fields.map(({ path }) => path.join("."))),
    );
    const targets = [...OPTIONS.values()].flatMap(({ to }) => to ?? []);
    expect(targets.length).toBeGreaterThan(20);
    expect(targets.filter((target) => !keys.has(target))).toEqual([]);
  });

  test("says of each option what becomes of it, and of each former name which it is", () => {
    const silent = [...OPTIONS].filter(
      ([, { to, by, none, always }]) => (to ?? by ?? none ?? always) === undefined,
    );
    expect(silent).toEqual([]);
    const lost = [...FORMER.values()].flatMap((former) =>
      "path" in former && !OPTIONS.has(former.path) && !LISTS.has(former.path) ? former.path : [],
    );
    expect(lost).toEqual([]);
    expect([OPTIONS.size > 1000, FORMER.size > 300]).toEqual([true, true]);
  });

  test("has no variable that means two options", () => {
    const env = (path: string) => path.toUpperCase().replaceAll(".", "_");
    const byEnv = new Map([...OPTIONS.keys()].map((path) => [env(path), path]));
    for (const [name, former] of FORMER) {
      const same = byEnv.get(env(name));
      if (same === undefined || name.includes("[]")) continue;
      expect([name, "path" in former ? former.path : undefined]).toEqual([name, same]);
    }
  });
});

const V6 = {
  http_server: { port: 8001, address: "10.0.0.1", internal_port: "9001" },
  log: { level: "none" },
  client: {
    allowed_origins: ["https://a.example", "https://*.b.example"],
    token: { hmac_secret_key: "s".repeat(32), user_id_claim: "uid" },
    ping_interval: "1m30s",
    pong_timeout: "10s",
    channel_limit: 7,
    subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace: "me" },
  },
  channel: {
    max_length: 100,
    without_namespace: { presence: true },
    namespaces: [
      { name: "news", history_size: 10, history_ttl: "1h", force_recovery: true },
      { name: "me", allow_user_limited_channels: true, channel_regex: "^[a-z]+$" },
    ],
  },
  rpc: { ping: { enabled: true } },
  http_api: { key: "an-api-key" },
  websocket: { message_size_limit: 4096 },
  shutdown: { timeout: "10s" },
};

const EXPECTED = {
  clients: { host: "10.0.0.1", port: 8001 },
  api: { host: "10.0.0.1", port: 9001, on_clients: false },
  log: { level: "fatal" },
  apps: [{ id: "main", allowed_origins: ["https://a.example", "https://*.b.example"] }],
  signing_keys: [
    {
      use: "streaming",
      hmac_secret: "s".repeat(32),
      algorithms: ["HS256", "HS384", "HS512"],
    },
  ],
  api_keys: [{ id: "centrifugo", hash: hashApiKey("an-api-key"), scopes: ["streaming"] }],
  channel: {
    max_length: 100,
    without_namespace: { presence: true },
    namespaces: [
      { name: "news", history_size: 10, history_ttl: "1h", force_recovery: true },
      { name: "me", allow_user_limited_channels: true, channel_regex: "^[a-z]+$" },
    ],
  },
  streaming: {
    user_id_claim: "uid",
    ping_interval: "90s",
    pong_timeout: "10s",
    channel_limit: 7,
    message_size_limit: 4096,
    subscribe_to_user_personal_channel: { enabled: true, personal_channel_namespace: "me" },
    rpc_ping: { enabled: true },
  },
  shutdown: { timeout: "10s" },
};

describe("one configuration, in each form", () => {
  test("version 6 in JSON", () => {
    const done = ofJson(V6);
    expect(accepted(done)).toEqual(EXPECTED);
    expect(done.notes).toEqual([]);
  });

  test("version 6 in YAML and TOML", async () => {
    const { stringify: toYaml } = await import("yaml");
    const { stringify: toToml } = await import("smol-toml");
    expect(translated(["config.yaml", toYaml(V6)]).file).toEqual(EXPECTED);
    expect(translated(["config.toml", toToml(V6)]).file).toEqual(EXPECTED);
  });

  test("version 6 by variables", () => {
    const done = ofEnv(`
      # A comment
      export CENTRIFUGO_HTTP_SERVER_PORT=8001
      CENTRIFUGO_HTTP_SERVER_ADDRESS="10.0.0.1"   # another
      CENTRIFUGO_HTTP_SERVER_INTERNAL_PORT='9001'
      CENTRIFUGO_LOG_LEVEL=none
      CENTRIFUGO_CLIENT_ALLOWED_ORIGINS="https://a.example https://*.b.example"
      CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY=${"s".repeat(32)}
      CENTRIFUGO_CLIENT_TOKEN_USER_ID_CLAIM=uid
      CENTRIFUGO_CLIENT_PING_INTERVAL=1m30s
      CENTRIFUGO_CLIENT_PONG_TIMEOUT=10s
      CENTRIFUGO_CLIENT_CHANNEL_LIMIT=7
      CENTRIFUGO_CLIENT_SUBSCRIBE_TO_USER_PERSONAL_CHANNEL_ENABLED=true
      CENTRIFUGO_CLIENT_SUBSCRIBE_TO_USER_PERSONAL_CHANNEL_PERSONAL_CHANNEL_NAMESPACE=me
      CENTRIFUGO_CHANNEL_MAX_LENGTH=100
      CENTRIFUGO_CHANNEL_WITHOUT_NAMESPACE_PRESENCE=1
      CENTRIFUGO_CHANNEL_NAMESPACES="news me"
      CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE=10
      CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_HISTORY_TTL=1h
      CENTRIFUGO_CHANNEL_NAMESPACES_NEWS_FORCE_RECOVERY=true
      CENTRIFUGO_CHANNEL_NAMESPACES_ME_ALLOW_USER_LIMITED_CHANNELS=TRUE
      CENTRIFUGO_CHANNEL_NAMESPACES_ME_CHANNEL_REGEX=^[a-z]+$
      CENTRIFUGO_RPC_PING_ENABLED=t
      CENTRIFUGO_HTTP_API_KEY=an-api-key
      CENTRIFUGO_WEBSOCKET_MESSAGE_SIZE_LIMIT=4096
      CENTRIFUGO_SHUTDOWN_TIMEOUT=10s
      CENTRIFUGO_SERVICE_HOST=10.96.0.7
      CENTRIFUGO_VAR_SECRET=x
      CENTRIFUGO_CLIENT_CONCURRENCY=
      PATH=/bin`);
    expect(accepted(done)).toEqual(EXPECTED);
    expect(done.notes).toEqual([]);
  });

  test("version 5", () => {
    const done = ofJson({
      port: "8001",
      address: "10.0.0.1",
      internal_port: "9001",
      log_level: "none",
      allowed_origins: ["https://a.example", "https://*.b.example"],
      token_hmac_secret_key: "s".repeat(32),
      token_user_id_claim: "uid",
      ping_interval: "1m30s",
      pong_timeout: "10s",
      client_channel_limit: 7,
      user_subscribe_to_personal: true,
      user_personal_channel_namespace: "me",
      channel_max_length: 100,
      presence: true,
      namespaces: V6.channel.namespaces,
      rpc_ping: true,
      api_key: "an-api-key",
      websocket_message_size_limit: 4096,
      shutdown_timeout: "10s",
    });
    expect(accepted(done)).toEqual(EXPECTED);
    expect(done.notes).toEqual([]);
  });

  test("version 5 by variables", () => {
    const { file } = ofEnv(`
      CENTRIFUGO_PORT=8001
      CENTRIFUGO_TOKEN_HMAC_SECRET_KEY=a
      CENTRIFUGO_ALLOWED_ORIGINS=*
      CENTRIFUGO_HISTORY_SIZE=1
      CENTRIFUGO_HISTORY_TTL=1s
      CENTRIFUGO_NAMESPACES=[{"name":"news","presence":true}]
      CENTRIFUGO_ENGINE=memory
      CENTRIFUGO_HEALTH=true`);
    expect(file).toMatchObject({
      clients: { host: "0.0.0.0" },
      signing_keys: [{ hmac_secret: "a" }],
      apps: [{ allowed_origins: ["*"] }],
      channel: {
        without_namespace: { history_size: 1, history_ttl: "1s" },
        namespaces: [{ name: "news", presence: true }],
      },
    });
  });

  test("a file and variables, which say more of its namespaces", () => {
    const { file } = translated(
      ["config.json", '{"channel":{"namespaces":[{"name":"a.b","presence":true}]}}'],
      ["vars.env", "CENTRIFUGO_CHANNEL_NAMESPACES_A_B_JOIN_LEAVE=true"],
    );
    expect(file["channel"]).toEqual({
      namespaces: [{ name: "a.b", presence: true, join_leave: true }],
    });
  });

  test("a compose file: environment, defaults of it, and flags", () => {
    const done = translated([
      "docker-compose.yml",
      `services:
  db: { image: postgres, environment: { CENTRAL: "1" } }
  push:
    image: centrifugo/centrifugo:v6
    command: centrifugo --client.insecure --http_server.port=8002 --engine.type memory -a 10.0.0.2
    environment:
      - CENTRIFUGO_HTTP_API_KEY=\${KEY:-given}
      - CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY=\${SECRET}`,
    ]);
    expect(accepted(done)).toMatchObject({
      clients: { host: "10.0.0.2", port: 8002 },
      streaming: { insecure: true },
      api_keys: [{ hash: hashApiKey("given") }],
    });
    expect(done.notes).toContain(
      'differs: "CENTRIFUGO_CLIENT_TOKEN_HMAC_SECRET_KEY" refers to a variable of the shell: put in its value',
    );
  });
});

describe("who may do what", () => {
  const token = (token: object, more: object = {}) => ofJson({ client: { token, ...more } });

  test("every kind of key, former ones and key sets", () => {
    const done = token({
      hmac_secret_key: "new",
      hmac_previous_secret_key: "old",
      hmac_previous_secret_key_valid_until: 1_800_000_000,
      rsa_public_key: "-----BEGIN RSA",
      ecdsa_public_key: "-----BEGIN EC",
      jwks_public_endpoint: "https://id.example/keys",
      issuer: "id",
      audience: "push",
    });
    const named = { use: "streaming", issuer: "id", audience: "push" };
    const hmac = ["HS256", "HS384", "HS512"];
    const [rsa, ec] = [
      ["RS256", "RS384", "RS512"],
      ["ES256", "ES384", "ES512"],
    ];
    expect(accepted(done)["signing_keys"]).toEqual([
      { ...named, hmac_secret: "new", algorithms: hmac },
      { ...named, hmac_secret: "old", algorithms: hmac, until: "2027-01-15T08:00:01.000Z" },
      { ...named, public_key: "-----BEGIN RSA", algorithms: rsa },
      { ...named, public_key: "-----BEGIN EC", algorithms: ec },
      { ...named, jwks_url: "https://id.example/keys", algorithms: [...rsa, ...ec, "EdDSA"] },
    ]);
  });

  test("subscription tokens with keys of their own", () => {
    const subscription_token = { enabled: true, hmac_secret_key: "b", user_id_claim: "u" };
    const done = token({ hmac_secret_key: "a" }, { subscription_token });
    expect(accepted(done)["signing_keys"]).toMatchObject([
      { hmac_secret: "a", tokens: ["connection"] },
      { hmac_secret: "b", tokens: ["subscription"] },
    ]);
    expect(done.notes).toContainEqual(
      expect.stringContaining('"client.subscription_token.user_id_claim" is left out'),
    );
    const off = { enabled: false, hmac_secret_key: "b" };
    const alone = token({ hmac_secret_key: "a" }, { subscription_token: off });
    expect(alone.file["signing_keys"]).toEqual([
      { use: "streaming", hmac_secret: "a", algorithms: ["HS256", "HS384", "HS512"] },
    ]);
  });

  test("keys that would take tokens of others are left out", () => {
    const done = token({ hmac_secret_key: "a", issuer_regex: "^https://.*" });
    expect(done.file).not.toHaveProperty("signing_keys");
    expect(done.notes).toContainEqual(
      expect.stringMatching(/^"client.token.hmac_secret_key" is left out: .*issuer_regex/),
    );
    const templated = token({ jwks_public_endpoint: "https://{{iss}}/keys", issuer: "a" });
    expect(templated.file).not.toHaveProperty("signing_keys");
  });

  test("what a backend decided is closed, in both versions", () => {
    const open = {
      allow_subscribe_for_client: true,
      allow_subscribe_for_anonymous: true,
      allow_publish_for_client: true,
      allow_publish_for_subscriber: true,
      allow_history_for_client: true,
    };
    const namespaces = [
      { name: "six", subscribe_proxy_enabled: true, publish_proxy_enabled: true, ...open },
      { name: "stream", subscribe_stream_proxy_enabled: true, ...open },
      { name: "none", subscribe_proxy_enabled: false, subscribe_proxy_name: "x", ...open },
    ];
    const { file, notes } = ofJson({ channel: { namespaces } });
    expect(file["channel"]).toEqual({
      namespaces: [
        { name: "six", allow_history_for_client: true },
        { name: "stream", allow_history_for_client: true },
        { name: "none", ...open },
      ],
    });
    expect(notes).toContainEqual(
      expect.stringContaining(
        '"channel.namespaces[six].allow_subscribe_for_client" is left out: "channel.namespaces[six].subscribe_proxy_enabled" had',
      ),
    );
    const former = ofJson({
      namespaces: [
        { name: "mode", proxy_subscribe: true, ...open },
        { name: "named", subscribe_proxy_name: "x", ...open },
      ],
    });
    expect(former.file["channel"]).toMatchObject({
      namespaces: [
        { name: "mode", allow_publish_for_client: true },
        { name: "named", allow_publish_for_client: true },
      ],
    });
    expect(JSON.stringify(former.file)).not.toContain("allow_subscribe_for_client");
  });

  test("a connect proxy keeps anonymous clients out", () => {
    const key = "allow_anonymous_connect_without_token";
    const proxied = { [key]: true, proxy: { connect: { enabled: true, endpoint: "http://b" } } };
    expect(ofJson({ client: proxied }).file).not.toHaveProperty("streaming");
    const former = { [key]: true, proxy_connect_endpoint: "http://b" };
    expect(ofJson(former).file).not.toHaveProperty("streaming");
    expect(ofJson({ client: { [key]: true } }).file).toHaveProperty(`streaming.${key}`, true);
  });

  test("the API: on the clients' port, apart, switched off, and without a key", () => {
    const api = (raw: object) => ofJson(raw).file["api"];
    expect(api({})).toEqual({ host: "127.0.0.1", port: 9000, on_clients: true });
    expect(api({ http_server: { port: 9000 } })).toMatchObject({ port: 9001 });
    const apart = { internal_port: "9002", internal_address: "10.0.0.3" };
    expect(api({ http_server: apart })).toEqual({
      ...{ host: "10.0.0.3", port: 9002, on_clients: false },
    });
    expect(api({ http_server: apart, http_api: { external: true } })).toMatchObject({
      on_clients: true,
    });
    expect(api({ http_api: { disabled: true } })).toMatchObject({ on_clients: false });
    expect(ofJson({ api_insecure: true }).file).toHaveProperty("streaming.http_auth", "none");
  });

  test("TLS by files, and by text that has to become one", () => {
    const tls = { enabled: true, cert_pem: "cert.pem", key_pem: "-----BEGIN PRIVATE KEY-----" };
    const { file, notes } = ofJson({ http_server: { tls, internal_port: "9001" } });
    expect(file).toMatchObject({
      clients: { tls: { cert: "cert.pem", key: "clients-key.pem" } },
      api: { tls: { cert: "cert.pem", key: "api-key.pem" } },
    });
    expect(notes.join()).toContain('write it to the file "clients-key.pem"');
    const external = { tls, tls_external: true, internal_port: "9001" };
    expect(ofJson({ http_server: external }).file["api"]).not.toHaveProperty("tls");
  });
});

describe("Redis", () => {
  const url = (redis: object) => {
    const done = ofJson({ engine: { type: "redis", redis } });
    const file = accepted(done) as { redis: { url: unknown } };
    expect(file).toMatchObject({ engine: "redis", master_key: MASTER_KEY });
    return file.redis.url;
  };

  test.each([
    [{}, "redis://127.0.0.1:6379"],
    [{ address: "cache:6379", db: 2 }, "redis://cache:6379/2"],
    [{ address: "redis://u:p@cache:6379/1" }, "redis://u:p@cache:6379/1"],
    [
      { address: ["a:1", "b:2"], user: "me", password: "p@ss" },
      ["redis://me:p%40ss@a:1", "redis://me:p%40ss@b:2"],
    ],
    [{ address: "cache:6379", tls: { enabled: true } }, "rediss://cache:6379"],
    [{ address: "unix:///run/redis.sock" }, "redis+unix:///run/redis.sock"],
    [{ cluster_address: ["a:1,b:2"] }, "redis+cluster://a:1,b:2"],
    [
      { sentinel_address: ["a:1,b:2"], sentinel_master_name: "mine", password: "p" },
      "redis+sentinel://:p@a:1,b:2/mine",
    ],
  ])("%j", (redis, expected) => {
    expect(url(redis)).toEqual(expected as never);
  });

  test("as broker alone, and of version 5", () => {
    const broker = { enabled: true, type: "redis", redis: { address: "a:1", prefix: "my" } };
    expect(ofJson({ broker }).file["redis"]).toEqual({
      ...{ url: "redis://a:1", prefix: "my-carillon" },
    });
    const former = ofEnv("CENTRIFUGO_ENGINE=redis\nCENTRIFUGO_REDIS_ADDRESS=a:1 b:2");
    expect(former.file["redis"]).toEqual({ url: ["redis://a:1", "redis://b:2"] });
    const off = { ...broker, enabled: false };
    expect(ofJson({ broker: off }).file).not.toHaveProperty("engine");
  });

  test("is not what NATS, PostgreSQL and Tarantool were", () => {
    for (const raw of [
      { broker: { enabled: true, type: "nats", nats: { url: "nats://a" } } },
      { broker: { enabled: true, type: "postgres", postgres: { dsn: "postgres://a" } } },
      { engine: "tarantool", tarantool_address: "tcp://a" },
    ]) {
      const done = ofJson(raw);
      expect(accepted(done)).not.toHaveProperty("redis");
      expect(done.notes).toContainEqual(
        expect.stringMatching(/^no counterpart: .*: the engine is `embedded` or `redis`$/),
      );
    }
  });
});

describe("notes", () => {
  test("name an unknown option, and a near one only", () => {
    const { notes } = ofJson({
      client: { chanel_limit: 1, whatever: 1 },
      tokn_hmac_secret_key: "x",
      zzzzzz: true,
      channel: { namespaces: [{ name: "news", presense: true }] },
    });
    expect(notes.filter((note) => note.startsWith("unknown"))).toEqual([
      'unknown option "client.chanel_limit", did you mean "client.channel_limit"?',
      'unknown option "client.whatever"',
      'unknown option "tokn_hmac_secret_key", did you mean "token_hmac_secret_key"?',
      'unknown option "zzzzzz"',
      'unknown option "channel.namespaces[news].presense", did you mean "channel.namespaces[news].presence"?',
    ]);
    expect(ofEnv("CENTRIFUGO_CLIENT_CHANEL_LIMIT=1").notes).toContain(
      'unknown option "CENTRIFUGO_CLIENT_CHANEL_LIMIT", did you mean "CENTRIFUGO_CLIENT_CHANNEL_LIMIT"?',
    );
  });

  test("are silent of what is not switched on, and say the same of several entries once", () => {
    expect(ofJson({ sse: { enabled: false, handler_prefix: "/x" }, admin: false }).notes).toEqual([
      expect.stringContaining("calls of the API"),
    ]);
    const namespaces = ["aa", "bb"].map((name) => ({ name, delta_publish: true }));
    expect(ofJson({ channel: { namespaces } }).notes).toContain(
      "no counterpart: channel.namespaces[aa bb].delta_publish: publications are sent whole; clients that ask for deltas work on",
    );
  });

  test("tell of values that Carillon does not take, whose defaults stand", () => {
    const done = ofJson({ channel: { max_length: 100_000 }, client: { ping_interval: "soon" } });
    expect(accepted(done)).not.toHaveProperty("channel.max_length");
    expect(done.notes).toContain('"channel.max_length" is left out: here it must be at most 4096');
    expect(done.notes).toContain('"client.ping_interval" is left out: it is no duration');
  });

  test("hold no value", () => {
    const secret = "5ecret-5ecret-5ecret";
    const all = Object.fromEntries(
      [...FORMER.keys()].filter((name) => !/\[\]|\./.test(name)).map((name) => [name, secret]),
    );
    expect(ofJson(all).notes.join("\n")).not.toContain(secret);
  });
});

describe("no known option is refused or unknown", () => {
  type Tree = { [key: string]: Tree | Tree[] | string };
  const put = (tree: Tree, keys: readonly string[], value: string): void => {
    const last = keys.at(-1) ?? "";
    let table = tree;
    for (const key of keys.slice(0, -1)) table = (table[key] ??= {}) as Tree;
    if (typeof table[last] !== "object") table[last] = value;
  };
  const unknown = (raw: Tree) => ofJson(raw).notes.filter((note) => note.startsWith("unknown"));

  /** All of them at once; a list has one entry with all that it may have. */
  function treeOf(paths: Iterable<string>, listOf: (list: string) => string): Tree {
    const tree: Tree = {};
    const entries = new Map<string, Tree>();
    for (const path of paths) {
      const [, list, rest = path] = /^(.*)\[\]\.(.*)$/.exec(path) ?? [];
      if (list === undefined) put(tree, path.split("."), "1");
      else {
        const entry = entries.get(list) ?? {};
        entries.set(list, entry);
        put(entry, rest.split("."), "1");
      }
    }
    for (const [list, entry] of entries) {
      const keys = listOf(list).split(".");
      const last = keys.pop() ?? "";
      let table = tree;
      for (const key of keys) table = (table[key] ??= {}) as Tree;
      table[last] = [entry];
    }
    return tree;
  }

  test("of version 6", () => {
    expect(unknown(treeOf(OPTIONS.keys(), (list) => list))).toEqual([]);
  });

  test("of version 5", () => {
    const lists: Readonly<Record<string, string>> = {
      "channel.namespaces": "namespaces",
      "rpc.namespaces": "rpc_namespaces",
    };
    expect(unknown(treeOf(FORMER.keys(), (list) => lists[list] ?? list))).toEqual([]);
  });
});

test("a file that cannot be parsed is named with its place", () => {
  expect(() => translated(["config.json", "{"])).toThrow(/^config\.json:1:2: /);
  expect(() => translated(["config.yaml", "- 1"])).toThrow("config.yaml: must be a table");
});
