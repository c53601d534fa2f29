import { warningsOf, MODEL, productionToml } from "../dialects/configuration.ts";
import { expect, test } from "bun:test";
import { parse } from "smol-toml";
import { developmentFileWithDialects } from "./development.ts";
import { formatPath } from "./problem.ts";
import { configOf } from "./test-support.ts";

const HASH = "0".repeat(64);
const SECRET = "s".repeat(32);

function warned(raw: unknown): string[] {
  return warningsOf(configOf(raw)).map(({ path, message }) => `${formatPath(path)}: ${message}`);
}

function keys(...signing_keys: object[]) {
  return { signing_keys: signing_keys.map((key) => ({ use: "streaming", ...key })) };
}

/** The keys that are warned of, each once. */
function places(raw: unknown): string[] {
  return [...new Set(warned(raw).map((line) => line.slice(0, line.indexOf(": "))))];
}

test("the defaults and the production file are quiet", () => {
  expect(warned({})).toEqual([]);
  const secrets = { apiKey: { id: "a", hash: HASH }, hmacSecret: SECRET };
  const file = parse(productionToml(secrets));
  expect(warned(file)).toEqual([]);
  const config = configOf(file);
  expect(config).toMatchObject({
    development: false,
    clients: { host: "127.0.0.1" },
    api: { host: "127.0.0.1" },
    streaming: { allow_anonymous_connect_without_token: false, insecure: false },
  });
  expect(config.api_keys[0]).toMatchObject({ ...secrets.apiKey, scopes: ["streaming"] });
  expect(config.signing_keys[0]?.hmac_secret).toBe(SECRET);
});

test("the development file without its mode is not", () => {
  const { development: _mode, ...file } = developmentFileWithDialects(MODEL);
  expect(places(file)).toEqual([
    ...["apps[0].allowed_origins", "api_keys[0].hash"],
    ...[0, 1, 2, 3, 4, 5].map((index) => `signing_keys[${index}].hmac_secret`),
    "streaming.allow_anonymous_connect_without_token",
    ...["webhooks.allow_networks[0]", "webhooks.allow_networks[1]", "webhooks.allow_hosts[0]"],
  ]);
});

test.each(["*", "https://*", "*://*", "http*://*", "https://*:*", "**"])("origins %s", (origin) => {
  const raw = (allowed_origins: string[]) => ({ apps: [{ id: "a", allowed_origins }] });
  expect(warned(raw(["https://a.example", origin]))).toEqual([
    `apps[0].allowed_origins: "${origin}" lets the pages of every site connect: name your own`,
  ]);
  expect(warned(raw(["https://*.shop.example", "http://localhost:*", "null"]))).toEqual([]);
});

test("proxies that are almost everybody", () => {
  const raw = (trusted_proxies: string[]) => ({ clients: { trusted_proxies } });
  expect(places(raw(["10.0.0.0/8", "0.0.0.0/0", "fd00::/16", "::/0", "10.0.0.0/7"]))).toEqual(
    [1, 3, 4].map((index) => `clients.trusted_proxies[${index}]`),
  );
  expect(places(raw(["10.0.0.1", "::1", "2001::/15"]))).toEqual(["clients.trusted_proxies[2]"]);
});

test.each([
  [{}, 32],
  [{ algorithms: ["HS256"] }, 32],
  [{ algorithms: ["HS256", "HS384"] }, 48],
  [{ algorithms: ["HS512"] }, 64],
  [{ use: "tasks" }, 32],
])("secrets for %p have %d bytes", (key, least) => {
  const raw = (bytes: number) => keys({ ...key, hmac_secret: "é".repeat(bytes / 2) });
  expect(warned(raw(least))).toEqual([]);
  expect(warned(raw(least - 2))).toEqual([
    `signing_keys[0].hmac_secret: has fewer than ${least} bytes and could be guessed: make one with "openssl rand -hex 32"`,
  ]);
});

test("a PEM text is no secret, and a warning never repeats one", () => {
  const pem = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----";
  const [line = "", ...more] = warned(keys({ hmac_secret: pem }));
  expect(more).toEqual([]);
  expect(line).toStartWith("signing_keys[0].hmac_secret: is PEM text");
  expect(line).not.toContain("MCow");
});

test("one secret for two uses, or two apps", () => {
  const at = ["signing_keys[1].hmac_secret"];
  const hmac_secret = SECRET;
  expect(places(keys({ hmac_secret }, { use: "gusher", hmac_secret }))).toEqual(at);
  const apps = [{ id: "a" }, { id: "b", path_prefix: "/b" }];
  const ofTwo = keys({ app: "a", hmac_secret }, { app: "b", hmac_secret });
  expect(places({ apps, ...ofTwo })).toEqual(at);
  const twice = keys({ hmac_secret, kid: "1" }, { hmac_secret, kid: "2" });
  expect(warned(twice)).toEqual([]);
});

test("scopes that nothing asks for", () => {
  const raw = (...scopes: string[]) => ({
    api_keys: [{ id: "a", hash: HASH, scopes }],
    events: { namespaces: [{ name: "orders" }, { name: "news", scopes: ["news:listen"] }] },
  });
  const known = ["*", "streaming", "gusher", "tasks", "tasks:invoke_envoy", "events:publish"];
  const catalogue = ["orders:read", "news:listen", "webhooks:admin", "platform:admin"];
  expect(warned(raw(...known, ...catalogue))).toEqual([]);
  expect(warned(raw("publish", "news:read"))).toEqual([
    'api_keys[0].scopes: scope "publish" does not exist: correct or remove it',
    'api_keys[0].scopes: scope "news:read" does not exist: correct or remove it',
  ]);
});

test("key sets over plain http", () => {
  const raw = (scheme: string) =>
    keys({ algorithms: ["RS256"], jwks_url: `${scheme}://id.example/keys` });
  expect(places(raw("http"))).toEqual(["signing_keys[0].jwks_url"]);
  expect(warned(raw("https"))).toEqual([]);
});

test("doors that stand open", () => {
  expect(places({ streaming: { insecure: true } })).toEqual(["streaming.insecure"]);
  const gusher = (host: string, http_auth = "none") => ({
    api: { host },
    gusher: { enabled: true, http_auth },
    channel: { without_namespace: { dialects: ["streaming"] } },
  });
  expect(places(gusher("0.0.0.0"))).toEqual(["gusher.http_auth"]);
  expect(warned(gusher("127.0.0.1"))).toEqual([]);
  expect(warned(gusher("0.0.0.0", "key"))).toEqual([]);
  const shared = { api: { on_clients: true } };
  expect(places({ ...gusher("127.0.0.1"), ...shared })).toEqual(["gusher.http_auth"]);
  expect(places({ streaming: { http_auth: "none" } })).toEqual(["streaming.http_auth"]);
});

test("webhooks that reach this machine", () => {
  const networks = (...allow_networks: string[]) => ({ webhooks: { allow_networks } });
  for (const range of ["127.0.0.1", "127.1.0.0/16", "0.0.0.0/0", "::1", "::/0", "126.0.0.0/7"]) {
    expect(places(networks("10.0.0.0/8", range))).toEqual(["webhooks.allow_networks[1]"]);
  }
  expect(warned(networks("10.0.0.0/8", "fd00::/8", "128.0.0.0/8"))).toEqual([]);
  expect(places({ webhooks: { allow_hosts: ["a.internal", "localhost"] } })).toEqual([
    "webhooks.allow_hosts[1]",
  ]);
});
