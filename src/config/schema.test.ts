import { toFile } from "../dialects/configuration.ts";
import { describe, expect, test } from "bun:test";

import { configOf, linesOf } from "./test-support.ts";

const REDIS_URL_FORMS =
  'must begin with "redis://", "rediss://", "redis+sentinel://", "redis+cluster://" or "redis+unix://"; a list holds several';
const HASH = "0".repeat(64);
const namespace = (options: object) => ({
  channel: { namespaces: [{ name: "news", ...options }] },
});

test("an empty file takes every default", () => {
  const config = configOf({});
  expect(config.development).toBe(false);
  expect(config.clients).toEqual({ host: "127.0.0.1", port: 8000, tls: {}, trusted_proxies: [] });
  expect(config.api).toEqual({
    ...{ host: "127.0.0.1", port: 9000, tls: {}, on_clients: false, keep_alive_timeout: 75_000 },
    publishes_in_flight_max: 1000,
  });
  expect(config.apps).toEqual([{ id: "default", hosts: [], allowed_origins: [] }]);
  expect(config.channel.max_length).toBe(255);
  expect(config.channel.history_meta_ttl).toBe(2_592_000_000);
  expect(config.streaming).toEqual({
    websocket_path: "/connection/websocket",
    api_path: "/api",
    http_auth: "key",
    allow_anonymous_connect_without_token: false,
    insecure: false,
    disallow_anonymous_connection_tokens: false,
    user_id_http_header: "",
    user_id_claim: "sub",
    channel_limit: 128,
    user_connection_limit: 0,
    connection_limit: 0,
    commands_per_second_max: 1000,
    ping_interval: 25_000,
    pong_timeout: 8000,
    stale_close_delay: 10_000,
    expired_close_delay: 25_000,
    expired_sub_close_delay: 25_000,
    ttl_spread: 0,
    history_max_publication_limit: 300,
    recovery_max_publication_limit: 300,
    queue_max_size: 1_048_576,
    message_size_limit: 65_536,
    body_size_limit: 524_288,
    connect_include_server_time: false,
    subscribe_to_user_personal_channel: {
      enabled: false,
      personal_channel_namespace: "",
      single_connection: false,
    },
    rpc_ping: { enabled: false, method: "ping" },
  });
});

test("what toFile() writes is read back as the same configuration", () => {
  const config = configOf({
    signing_keys: [{ use: "streaming", hmac_secret: "s", until: "2027-01-31T12:00:00+02:00" }],
    streaming: { ping_interval: "1m30s" },
  });
  expect(configOf(toFile(config, { redact: false }))).toEqual(config);
  expect(JSON.stringify(toFile(config, { redact: true }))).not.toContain('"s"');
});

test("a secret within a list of a dialect's tables is hidden", () => {
  const turn = { urls: ["turn:192.0.2.1:3478"], username: "user", credential: "hidden" };
  const config = configOf({ sora: { webrtc: { ice_servers: [turn] } } });
  const text = JSON.stringify(toFile(config, { redact: true }));
  expect(text).toContain("turn:192.0.2.1:3478");
  expect(text).not.toContain("hidden");
});

test("URLs with credentials and the master key are hidden, the servers are not", () => {
  const shown = (url: string | string[]) => {
    const config = configOf({ engine: "redis", master_key: "0a".repeat(32), redis: { url } });
    expect(configOf(toFile(config, { redact: false }))).toEqual(config);
    const text = JSON.stringify(toFile(config, { redact: true }));
    expect(text).not.toContain("0a0a");
    return (JSON.parse(text) as { redis: { url: unknown } }).redis.url;
  };
  expect(shown("redis://localhost")).toBe("redis://localhost");
  expect(shown("redis://me:p@ss/word@one:1/2")).toBe("redis://<redacted>@one:1/2");
  expect(shown("rediss://:a@one, redis+sentinel://:b@two,three/main")).toBe(
    "rediss://<redacted>@one, redis+sentinel://<redacted>@two,three/main",
  );
  expect(shown(["redis://:a@one", "redis://two,redis://:b@three"])).toEqual([
    "redis://<redacted>@one",
    "redis://two,redis://<redacted>@three",
  ]);
});

describe("single keys", () => {
  test.each([
    [{ clients: { port: 65_536 } }, "clients.port: must be at most 65535"],
    [{ clients: { port: -1 } }, "clients.port: must be at least 0"],
    [{ clients: { port: "x" } }, "clients.port: must be a number"],
    [{ clients: 1 }, "clients: must be a table"],
    [{ clients: { host: "" } }, "clients.host: must not be empty"],
    [{ apps: {} }, "apps: must be a list"],
    [{ apps: [] }, "apps: must not be empty"],
    [{ apps: [{}] }, "apps[0].id: is required"],
    [{ engine: "memory" }, 'engine: must be one of "embedded", "redis"'],
    [{ workers: 0 }, "workers: must be at least 1"],
    [{ workers: 257 }, "workers: must be at most 256"],
    [{ master_key: "0".repeat(63) }, "master_key: must be 32 bytes in hexadecimal or base64"],
    [{ master_key: "A".repeat(44) }, "master_key: must be 32 bytes in hexadecimal or base64"],
    [{ redis: { url: "http://a" } }, `redis.url: ${REDIS_URL_FORMS}`],
    [{ redis: { url: [] } }, `redis.url: ${REDIS_URL_FORMS}`],
    [{ redis: { url: ["redis://a", "b"] } }, `redis.url: ${REDIS_URL_FORMS}`],
    [{ redis: { url: "redis://a,http://b" } }, `redis.url: ${REDIS_URL_FORMS}`],
    [{ redis: { url: 1 } }, `redis.url: ${REDIS_URL_FORMS}`],
    [
      { redis: { prefix: "a{b" } },
      "redis.prefix: must be 1 to 64 characters, without braces and white space",
    ],
    [
      { redis: { prefix: "p".repeat(65) } },
      "redis.prefix: must be 1 to 64 characters, without braces and white space",
    ],
    [
      { log: { level: "loud" } },
      'log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal"',
    ],
    [
      { clients: { trusted_proxies: ["10.0.0.0/33"] } },
      "clients.trusted_proxies[0]: must be an IP address or a range such as 10.0.0.0/8",
    ],
    [
      { clients: { trusted_proxies: ["proxy"] } },
      "clients.trusted_proxies[0]: must be an IP address or a range such as 10.0.0.0/8",
    ],
    [{ apps: [{ id: "events" }] }, 'apps[0].id: "events" is a path of the server\'s own'],
    [
      { apps: [{ id: "a", path_prefix: "/api/x" }] },
      'apps[0].path_prefix: "/api/x" begins with a path of the server\'s own',
    ],
    [
      { apps: [{ id: "a", path_prefix: "/a/" }] },
      'apps[0].path_prefix: must begin with "/" and not end with it',
    ],
    [
      { api_keys: [{ id: "a_b", hash: HASH }] },
      "api_keys[0].id: must be 1 to 64 letters, digits and `-`",
    ],
    [
      { api_keys: [{ id: "a", hash: "xyz" }] },
      "api_keys[0].hash: must be the SHA-256 of the whole key in hexadecimal",
    ],
    [
      { channel: { namespaces: [{ name: "a" }] } },
      "channel.namespaces[0].name: must be two or more of letters, digits, `-`, `_` and `.`",
    ],
    [
      namespace({ channel_regex: "(a" }),
      "channel.namespaces[0].channel_regex: must be an RE2 expression: error parsing regexp: missing closing ): `(a`",
    ],
    [
      namespace({ channel_regex: "(?=a)" }),
      "channel.namespaces[0].channel_regex: must be an RE2 expression: error parsing regexp: invalid or unsupported Perl syntax: `(?=`",
    ],
    [namespace({ dialects: [] }), "channel.namespaces[0].dialects: must not be empty"],
    [
      namespace({ dialects: ["streaming", "streaming"] }),
      "channel.namespaces[0].dialects: must name each dialect once",
    ],
    [
      { shutdown: { timeout: "long" } },
      'shutdown.timeout: must be a duration such as "300s", "1m30s", "720h" or "500ms", or a number of seconds',
    ],
    [{ streaming: { pong_timeout: "0s" } }, 'streaming.pong_timeout: must be at least "1ms"'],
    [
      { streaming: { stale_close_delay: "577h" } },
      'streaming.stale_close_delay: must be at most "576h"',
    ],
  ])("%j", (raw, line) => {
    expect(linesOf(raw)).toEqual([line]);
  });

  test("host names, origins and hashes are taken in lower case", () => {
    const config = configOf({
      apps: [{ id: "shop", hosts: ["Push.Example.com"], allowed_origins: ["https://Example.com"] }],
      api_keys: [{ id: "a", hash: "AB".repeat(32) }],
    });
    expect(config.apps[0]?.hosts).toEqual(["push.example.com"]);
    expect(config.apps[0]?.allowed_origins).toEqual(["https://example.com"]);
    expect(config.api_keys[0]?.hash).toBe("ab".repeat(32));
  });

  test("trusted_proxies takes addresses and ranges of both families", () => {
    const trusted_proxies = ["10.0.0.1", "10.0.0.0/32", "::1", "fd00::/128"];
    expect(configOf({ clients: { trusted_proxies } }).clients.trusted_proxies).toEqual(
      trusted_proxies,
    );
  });
});

test("wrong keys and what does not fit together are told at once", () => {
  expect(
    linesOf({
      clients: { prot: 1, tls: { cert: "c" } },
      log: { level: 1 },
      channel: { namespaces: [{ name: "news", histroy_size: 1, history_ttl: "1s" }] },
    }),
  ).toEqual([
    'clients.prot: unknown key, did you mean "port"?',
    'log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal"',
    'channel.namespaces[0].histroy_size: unknown key, did you mean "history_size"?',
    'clients.tls.key: is required with "cert"',
    'channel.namespaces[0].history_size: is required with "history_ttl"',
  ]);
});

test("a key with a wrong value does not count as missing", () => {
  expect(linesOf(namespace({ history_size: "many", history_ttl: "1s" }))).toEqual([
    "channel.namespaces[0].history_size: must be a number",
  ]);
});
