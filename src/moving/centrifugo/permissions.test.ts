/** Keys go on working, and nothing opens more than it did. */
import { describe, expect, test } from "bun:test";
import { accepted, ofJson } from "./test-support.ts";

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
