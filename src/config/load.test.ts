import { developmentToml, loadConfig, type Config } from "../dialects/configuration.ts";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";

import { type Flag } from "./load.ts";
import { ConfigError } from "./problem.ts";

interface Setup {
  readonly files?: Readonly<Record<string, string>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly path?: string;
  readonly flags?: readonly Flag[];
}

function load({ files = {}, env = {}, path, flags = [] }: Setup): Config {
  return loadConfig({ path, env, flags, readFile: (name) => files[name] });
}

function problemsOf(setup: Setup): readonly string[] {
  try {
    load(setup);
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("files", () => {
  test.each([
    ["carillon.toml", "[clients]\nport = 1"],
    ["carillon.yaml", "clients:\n  port: 1"],
    ["carillon.yml", "clients: { port: 1 }"],
    ["carillon.json", '{"clients":{"port":1}}'],
  ])("%s is found in the working directory", (name, text) => {
    const config = load({ files: { [name]: text } });
    expect(config.clients.port).toBe(1);
    expect(config.development).toBe(false);
  });

  test("--config wins over CARILLON_CONFIG, which wins over the working directory", () => {
    const files = {
      "a.toml": "data_dir = 'a'",
      "b.json": '{"data_dir":"b"}',
      "carillon.toml": "data_dir = 'c'",
    };
    const env = { CARILLON_CONFIG: "b.json" };
    expect(load({ files, env, path: "a.toml" }).data_dir).toBe("a");
    expect(load({ files, env }).data_dir).toBe("b");
    expect(load({ files }).data_dir).toBe("c");
  });

  test("a named file must be there, and be of a known kind", () => {
    expect(problemsOf({ path: "x.toml" })).toEqual(["x.toml: the file does not exist"]);
    expect(problemsOf({ path: "x.ini", files: { "x.ini": "" } })).toEqual([
      "x.ini: must end with .toml, .yaml, .yml or .json",
    ]);
  });

  test("two files in the working directory are one too many", () => {
    expect(problemsOf({ files: { "carillon.toml": "", "carillon.json": "{}" } })).toEqual([
      "carillon.toml and carillon.json: keep one of these files, or name one with --config",
    ]);
  });

  test("a file that cannot be read is a problem", () => {
    const readFile = () => {
      throw new Error("EACCES: permission denied");
    };
    expect(() => loadConfig({ path: "x.toml", env: {}, readFile })).toThrow(
      "x.toml: cannot be read: EACCES: permission denied",
    );
  });

  test.each([
    ["carillon.toml", "a = 1\nb = \n", "carillon.toml:2:5: invalid value"],
    [
      "carillon.json",
      '{"a": 1,\n "b" 2}',
      "carillon.json:2:6: Missing , or : between flow map items",
    ],
    ["carillon.yaml", "a: [1\nb: 2", "carillon.yaml:2:1: "],
    ["carillon.json", "[]", "carillon.json: must be a table"],
  ])("broken syntax in %s is told with its place", (name, text, line) => {
    expect(problemsOf({ files: { [name]: text } })[0]).toStartWith(line);
  });

  test("an unknown key names the file, its path and the nearest known key", () => {
    const text = '[[channel.namespaces]]\nname = "news"\nhistroy_size = 1\n';
    expect(problemsOf({ files: { "carillon.toml": text } })).toEqual([
      'carillon.toml: channel.namespaces[0].histroy_size: unknown key, did you mean "history_size"?',
    ]);
  });

  test("until takes TOML's own date and time, with an offset", () => {
    const toml = (until: string) =>
      `[[signing_keys]]\nuse = "streaming"\nhmac_secret = "s"\nuntil = ${until}\n`;
    const config = load({ files: { "carillon.toml": toml("2027-01-31T12:00:00Z") } });
    expect(config.signing_keys[0]?.until).toBe(Date.UTC(2027, 0, 31, 12));
    expect(problemsOf({ files: { "carillon.toml": toml("2027-01-31T12:00:00") } })).toHaveLength(1);
  });

  test("the files that it names are read", () => {
    const text = `
[clients.tls]
cert = "cert.pem"
key = "key.pem"
[[signing_keys]]
use = "streaming"
algorithms = ["EdDSA"]
public_key = "jwt.pem"
`;
    const pem = `-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=
-----END PUBLIC KEY-----
`;
    const [cert = "", key = ""] = ["cert", "key"].map((name) =>
      readFileSync(join(import.meta.dir, `../../test/fixtures/tls/${name}.pem`), "utf8"),
    );
    const files = { "carillon.toml": text, "cert.pem": cert, "key.pem": key, "jwt.pem": pem };
    expect(load({ files }).signing_keys[0]?.public_key).toBe(pem);
    expect(problemsOf({ files: { ...files, "cert.pem": key } })).toEqual([
      "carillon.toml: clients.tls.cert: must hold a certificate in PEM",
    ]);
    expect(problemsOf({ files: { ...files, "key.pem": cert } })).toEqual([
      "carillon.toml: clients.tls.key: must hold a private key in PEM, without a passphrase",
    ]);
    const other = generateKeyPairSync("ed25519").privateKey.export({
      format: "pem",
      type: "pkcs8",
    });
    expect(problemsOf({ files: { ...files, "key.pem": String(other) } })).toEqual([
      "carillon.toml: clients.tls.key: is not the key of the certificate",
    ]);
    expect(problemsOf({ files: { "carillon.toml": text, "jwt.pem": "no" } })).toEqual([
      'carillon.toml: clients.tls.cert: file "cert.pem" does not exist',
      'carillon.toml: clients.tls.key: file "key.pem" does not exist',
      "carillon.toml: signing_keys[0].public_key: must be a public key in PEM",
    ]);
  });
});

describe("environment", () => {
  test("overrides single values of every type", () => {
    const config = load({
      files: { "carillon.toml": "[clients]\nport = 1\nhost = 'localhost'" },
      env: {
        CARILLON_CLIENTS_PORT: "2",
        CARILLON_STREAMING_PING_INTERVAL: "1m",
        CARILLON_STREAMING_PONG_TIMEOUT: "9",
        CARILLON_STREAMING_INSECURE: "TRUE",
        CARILLON_STREAMING_RPC_PING_METHOD: "p",
        CARILLON_LOG_LEVEL: "warn",
        CARILLON_CHANNEL_WITHOUT_NAMESPACE_PRESENCE: "1",
        CARILLON_DATA_DIR: "",
        PATH: "/bin",
      },
    });
    expect(config.clients).toMatchObject({ port: 2, host: "localhost" });
    expect(config.streaming.ping_interval).toBe(60_000);
    expect(config.streaming.pong_timeout).toBe(9000);
    expect(config.streaming.insecure).toBe(true);
    expect(config.streaming.rpc_ping.method).toBe("p");
    expect(config.log.level).toBe("warn");
    expect(config.channel.without_namespace.presence).toBe(true);
    expect(config.data_dir).toBe("./data");
  });

  test("its problems name the variable", () => {
    const env = {
      CARILLON_CLIENT_PORT: "1",
      CARILLON_CLIENTS_PORT: "1.5",
      CARILLON_API_PORT: "70000",
      CARILLON_DEVELOPMENT: "yes",
    };
    expect(problemsOf({ env })).toEqual([
      'environment: CARILLON_CLIENT_PORT: unknown variable, did you mean "CARILLON_CLIENTS_PORT"?',
      "environment: CARILLON_CLIENTS_PORT: must be an integer",
      "environment: CARILLON_DEVELOPMENT: must be true or false",
      "environment: CARILLON_API_PORT: must be at most 65535",
    ]);
  });

  test("names the entries of a list, and sets keys of them and of the file's", () => {
    const files = {
      "carillon.toml":
        "[[channel.namespaces]]\nname = 'news.eu'\npresence = true\n[[signing_keys]]\nuse = 'streaming'\nhmac_secret = 'file'",
    };
    const config = load({
      files,
      env: {
        CARILLON_CHANNEL_NAMESPACES_NEWS_EU_JOIN_LEAVE: "true",
        CARILLON_CHANNEL_NAMESPACES: "aa a-b news.eu",
        CARILLON_CHANNEL_NAMESPACES_A_B_PRESENCE: "true",
        CARILLON_CHANNEL_NAMESPACES_AA_HISTORY_SIZE: "10",
        CARILLON_CHANNEL_NAMESPACES_AA_HISTORY_TTL: "60s",
        CARILLON_APPS_DEFAULT_ALLOWED_ORIGINS: "https://a.example https://b.example",
        CARILLON_API_KEYS: "backend",
        CARILLON_API_KEYS_BACKEND_HASH: "0".repeat(64),
        CARILLON_API_KEYS_BACKEND_SCOPES: "streaming gusher",
        CARILLON_SIGNING_KEYS_0_HMAC_SECRET: "variable",
        CARILLON_SIGNING_KEYS: "next",
        CARILLON_SIGNING_KEYS_NEXT_USE: "gusher",
        CARILLON_SIGNING_KEYS_NEXT_HMAC_SECRET: "other",
        // Of a service `carillon-apps`.
        CARILLON_APPS_SERVICE_HOST: "10.96.0.7",
        CARILLON_APPS_PORT: "tcp://10.96.0.7:80",
      },
    });
    expect(config.channel.namespaces).toMatchObject([
      { name: "news.eu", presence: true, join_leave: true, history_size: 0 },
      { name: "aa", history_size: 10, history_ttl: 60_000 },
      { name: "a-b", presence: true },
    ]);
    expect(config.apps).toMatchObject([
      { id: "default", allowed_origins: ["https://a.example", "https://b.example"] },
    ]);
    expect(config.api_keys).toMatchObject([{ id: "backend", scopes: ["streaming", "gusher"] }]);
    expect(config.signing_keys).toMatchObject([
      { use: "streaming", hmac_secret: "variable" },
      { use: "gusher", hmac_secret: "other" },
    ]);
  });

  test("replaces a file's list by one in JSON, whose entries have variables too", () => {
    const files = { "carillon.toml": "[[channel.namespaces]]\nname = 'news'" };
    const config = load({
      files,
      env: {
        CARILLON_CHANNEL_NAMESPACES: '[{"name":"chat","presence":true}]',
        CARILLON_CHANNEL_NAMESPACES_CHAT_JOIN_LEAVE: "1",
        CARILLON_APPS: "main",
      },
    });
    expect(config.channel.namespaces).toMatchObject([
      { name: "chat", presence: true, join_leave: true },
    ]);
    // Not beside the one that there is without a word.
    expect(config.apps.map(({ id }) => id)).toEqual(["main"]);
  });

  test("problems of lists name the variable", () => {
    const files = { "carillon.toml": "" };
    const env = {
      CARILLON_CHANNEL_NAMESPACES: "news x",
      CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE: "many",
      CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SITE: "1",
      CARILLON_CHANNEL_NAMESPACES_CHAT_PRESENCE: "true",
      CARILLON_API_KEYS: '[{"id":"a"',
      CARILLON_TASKS_APPS: "default",
      CARILLON_TASKS_APPS_DEFAULT_MESSAGE_FORMAT: "none",
      CARILLON_SIGNING_KEYS: "main",
    };
    expect(problemsOf({ files, env }).toSorted()).toEqual([
      "environment: CARILLON_API_KEYS: must be names between spaces, or a list of tables in JSON",
      "environment: CARILLON_CHANNEL_NAMESPACES: channel.namespaces[1].name: must be two or more of letters, digits, `-`, `_` and `.`",
      'environment: CARILLON_CHANNEL_NAMESPACES_CHAT_PRESENCE: belongs to no entry of "channel.namespaces": name it in CARILLON_CHANNEL_NAMESPACES, with spaces between names',
      'environment: CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SITE: unknown variable, did you mean "CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE"?',
      "environment: CARILLON_CHANNEL_NAMESPACES_NEWS_HISTORY_SIZE: must be an integer",
      expect.stringContaining("environment: CARILLON_SIGNING_KEYS: signing_keys[0].use: must be"),
      'environment: CARILLON_TASKS_APPS_DEFAULT_MESSAGE_FORMAT: must be one of "base64", "any"',
    ]);
  });

  test("meets a file that holds something else there", () => {
    const files = { "carillon.yaml": "clients: 5" };
    expect(problemsOf({ files, env: { CARILLON_CLIENTS_PORT: "1" } })).toEqual([
      "carillon.yaml: clients: must be a table",
    ]);
  });
});

describe("the Redis engine by environment and flags", () => {
  const env = {
    CARILLON_ENGINE: "redis",
    CARILLON_REDIS_URL: "redis://one,redis://two",
    CARILLON_MASTER_KEY: "0".repeat(64),
    CARILLON_WORKERS: "2",
  };
  const workers = (value: number) => [{ name: "--workers", path: ["workers"], value }];

  test("variables are enough, and a flag wins over them", () => {
    const config = load({ env });
    expect(config).toMatchObject({ engine: "redis", workers: 2 });
    expect(config.redis.url).toBe("redis://one,redis://two");
    expect(load({ env, flags: workers(3) }).workers).toBe(3);
  });

  test("a problem names the flag or the variable, and shows no URL", () => {
    expect(problemsOf({ flags: workers(3) })).toEqual([
      '--workers: needs engine = "redis": the embedded engine serves one process',
    ]);
    const [line, ...more] = problemsOf({ env: { ...env, CARILLON_REDIS_URL: "me:secret@host" } });
    expect(line).toStartWith("environment: CARILLON_REDIS_URL: must begin with");
    expect(line).not.toContain("secret");
    expect(more).toEqual([]);
  });

  test("its certificates must be there", () => {
    expect(problemsOf({ env: { ...env, CARILLON_REDIS_CA: "ca.pem" } })).toEqual([
      'environment: CARILLON_REDIS_CA: file "ca.pem" does not exist',
    ]);
  });
});

describe("development", () => {
  const refusal = "Development credentials are refused on a non-loopback address";

  test("is what runs without a file", () => {
    const config = load({});
    expect(config.development).toBe(true);
    expect(config.apps).toEqual([{ id: "dev", hosts: [], allowed_origins: ["*"] }]);
    expect(config.channel.namespaces.map(({ name }) => name)).toEqual(["public"]);
    expect(config.events.namespaces.map(({ name }) => name)).toEqual([
      ...["shipments", "orders", "public"],
    ]);
    expect(config.streaming.allow_anonymous_connect_without_token).toBe(true);
  });

  test("can be left without a file", () => {
    const config = load({ env: { CARILLON_DEVELOPMENT: "false" } });
    expect(config.development).toBe(false);
    expect(config.api_keys).toEqual([]);
  });

  test("its text is read back as the same configuration", () => {
    expect(load({ files: { "carillon.toml": developmentToml() } })).toEqual(load({}));
  });

  test("its text goes on serving the same without the mode", () => {
    const text = developmentToml().replace("development = true\n", "");
    const config = load({ files: { "carillon.toml": text } });
    expect(config).toEqual({ ...load({}), development: false });
    const { gusher, tasks, events } = config;
    expect([gusher, tasks, events].map(({ enabled }) => enabled)).toEqual([true, true, true]);
  });

  test.each(["127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost"])("may listen on %s", (host) => {
    expect(load({ env: { CARILLON_API_HOST: host } }).api.host).toBe(host);
  });

  test.each(["0.0.0.0", "::", "192.168.0.1", "example.com"])("is refused on %s", (host) => {
    expect(problemsOf({ env: { CARILLON_CLIENTS_HOST: host } })).toEqual([
      `environment: CARILLON_CLIENTS_HOST: ${refusal}`,
    ]);
  });

  test("its credentials are refused there without the mode as well", () => {
    const text = (credential: string) => `[api]\nhost = "0.0.0.0"\n${credential}`;
    const secret =
      '[[signing_keys]]\nuse = "streaming"\nhmac_secret = "dev-token-secret-do-not-use-in-production"';
    const hash = new Bun.CryptoHasher("sha256").update("dev-api-key").digest("hex");
    const key = `[[api_keys]]\nid = "x"\nhash = "${hash.toUpperCase()}"`;
    for (const credential of [secret, key]) {
      expect(problemsOf({ files: { "carillon.toml": text(credential) } })).toEqual([
        `carillon.toml: api.host: ${refusal}`,
      ]);
    }
    expect(problemsOf({ files: { "carillon.toml": text("") } })).toEqual([]);
  });
});
