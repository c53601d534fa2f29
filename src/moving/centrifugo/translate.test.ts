/** One configuration of Centrifugo's in each form that it can have, and what is told beside it. */
import { describe, expect, test } from "bun:test";
import { hashApiKey } from "../../auth/api-keys.ts";
import { FORMER } from "./options.ts";
import { accepted, ofEnv, ofJson, translated } from "./test-support.ts";

/** Said of every server without Redis. */
const KEPT = "differs: histories outlive a restart: they are kept in `data_dir`, `./data`";

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
    expect(done.notes).toEqual([KEPT]);
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
    expect(done.notes).toEqual([KEPT]);
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
    expect(done.notes).toEqual([KEPT]);
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
      KEPT,
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

test("a file that cannot be parsed is named with its place", () => {
  expect(() => translated(["config.json", "{"])).toThrow(/^config\.json:1:2: /);
  expect(() => translated(["config.yaml", "- 1"])).toThrow("config.yaml: must be a table");
});
