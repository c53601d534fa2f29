import { developmentToml, referencePage } from "../dialects/configuration.ts";
import { createHash } from "node:crypto";
import { describe, expect, test } from "bun:test";
import { decodeJwt, jwtVerify } from "jose";
import { parse } from "smol-toml";
import manifest from "../../package.json" with { type: "json" };

import { carillon, write } from "./test-support.ts";

test.each(["version", "--version", "-V"])("%s prints the package's version", async (arg) => {
  const { code, out } = await carillon([arg]);
  expect(out).toStartWith(`carillon ${manifest.version} (bun `);
  expect(code).toBe(0);
});

test("an unknown command is one line and a non-zero exit", async () => {
  const ran = await carillon(["serv"]);
  expect(ran).toMatchObject({ code: 1, out: "" });
  expect(ran.err).toStartWith("error: unknown command 'serv' [command_usage]\n");
});

describe("config", () => {
  test("prints the effective configuration without secrets, as TOML or JSON", async () => {
    const [toml, json] = await Promise.all([carillon(["config"]), carillon(["config", "--json"])]);
    expect(toml.code).toBe(0);
    expect(toml.out).toContain('hmac_secret = "<redacted>"');
    expect(toml.out).not.toContain("dev-token-secret");
    expect(parse(toml.out)).toEqual(JSON.parse(json.out));
  });

  test("--dev and --reference print those texts", async () => {
    const [dev, page] = await Promise.all([
      carillon(["config", "--dev"]),
      carillon(["config", "--reference"]),
    ]);
    expect(dev.out).toBe(developmentToml());
    expect(page.out).toBe(referencePage());
  });

  test("warns of what is too open on the standard error, and exits with 0 all the same", async () => {
    const path = write("open.toml", "streaming.insecure = true\n");
    const { code, out, err } = await carillon(["config", "--config", path]);
    expect(code).toBe(0);
    expect(parse(out)).toMatchObject({ streaming: { insecure: true } });
    expect(err).toBe(
      "warning: streaming.insecure: gives every permission to everybody: for trying things out alone\n",
    );
  });

  test("--production makes a file of new secrets, of which nothing is warned", async () => {
    const [one, two] = await Promise.all([
      carillon(["config", "--production"]),
      carillon(["config", "--production"]),
    ]);
    expect(one.out).not.toBe(two.out);
    const key = /evk_\w+/.exec(one.err)?.[0] ?? "";
    expect(one.out).not.toContain(key);
    expect(one.out).toContain(createHash("sha256").update(key).digest("hex"));
    const path = write("production.toml", one.out);
    expect(await carillon(["config", "--config", path])).toMatchObject({ code: 0, err: "" });
  });

  test("tells every problem in a line of its own", async () => {
    const path = write("bad.toml", '[clients]\nprot = 1\n[log]\nlevel = "loud"\n');
    const { code, out, err } = await carillon(["config"], {
      CARILLON_CONFIG: path,
      CARILLON_API_PRT: "1",
    });
    expect(code).toBe(1);
    expect(out).toBe("");
    expect(err.trim().split("\n")).toEqual([
      'environment: CARILLON_API_PRT: unknown variable, did you mean "CARILLON_API_PORT"? [config_environment]',
      `${path}: clients.prot: unknown key, did you mean "port"? [config_unknown_key]`,
      `${path}: log.level: must be one of "trace", "debug", "info", "warn", "error", "fatal" [config_invalid]`,
    ]);
  });
});

describe("key", () => {
  test("prints a key and the entry that accepts it", async () => {
    const { code, out } = await carillon(["key", "--id", "ci", "--scope", "publish", "history"]);
    expect(code).toBe(0);
    const key = /evk_ci_[0-9a-f]{64}/.exec(out)?.[0] ?? "";
    const hash = createHash("sha256").update(key).digest("hex");
    expect(parse(out)).toEqual({
      api_keys: [{ id: "ci", hash, scopes: ["publish", "history"], organisation: "*" }],
    });
    expect((await carillon(["config", "--config", write("key.toml", out)])).code).toBe(0);
  });

  test("says what one for an organisation does not do, and so does `config`", async () => {
    const { out } = await carillon(["key", "--id", "ci", "--organisation", "org_A"]);
    const note =
      'API key "ci" acts for org_A in the events and webhooks API; every other API refuses it';
    expect(out).toContain(`# ${note}.\n`);
    const { code, err } = await carillon(["config", "--config", write("confined.toml", out)]);
    expect([code, err]).toEqual([0, `carillon: ${note}\n`]);
  });

  test("never makes the same twice, and refuses a bad id", async () => {
    const [first, second, bad] = await Promise.all([
      carillon(["key"]),
      carillon(["key"]),
      carillon(["key", "--id", "a_b"]),
    ]);
    expect(first.out).not.toBe(second.out);
    expect(bad).toEqual({
      code: 1,
      out: "",
      err: "carillon: The key's id must be 1 to 64 letters, digits and `-` [command_usage]\n",
    });
  });
});

describe("token streaming", () => {
  test("mints a connection token with the development secret", async () => {
    const { code, out } = await carillon([
      "token",
      "streaming",
      "--user",
      "u1",
      "--expires",
      "15m",
    ]);
    expect(code).toBe(0);
    const secret = new TextEncoder().encode("dev-token-secret-do-not-use-in-production");
    const { payload } = await jwtVerify(out.trim(), secret, { algorithms: ["HS256"] });
    expect(payload.sub).toBe("u1");
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(900);
    expect(payload).not.toHaveProperty("channel");
  });

  test("follows the configured key, which may be for one kind of token", async () => {
    const path = write(
      "keys.toml",
      `streaming.user_id_claim = "uid"
[[signing_keys]]
use = "streaming"
hmac_secret = "former"
until = 2020-01-01T00:00:00Z
[[signing_keys]]
use = "streaming"
tokens = ["connection"]
hmac_secret = "connect"
algorithms = ["HS512"]
kid = "k2"
issuer = "me"
audience = "you"
`,
    );
    const args = ["token", "streaming", "--config", path, "--user", "u", "--expires", "0"];
    const [connection, subscription] = await Promise.all([
      carillon(args),
      carillon([...args, "--channel", "c"]),
    ]);
    const verified = await jwtVerify(connection.out.trim(), new TextEncoder().encode("connect"));
    expect(verified.protectedHeader).toEqual({ typ: "JWT", alg: "HS512", kid: "k2" });
    expect(verified.payload).toEqual({ uid: "u", iat: expect.any(Number), iss: "me", aud: "you" });
    expect(subscription).toEqual({
      code: 1,
      out: "",
      err: 'carillon: App "default" has no signing key with an hmac_secret for streaming\'s subscription tokens: add one to [[signing_keys]] [signing_key_missing]\n',
    });
  });

  test("--channel makes a subscription token", async () => {
    const { out } = await carillon(["token", "streaming", "--user", "u", "--channel", "news"]);
    expect(decodeJwt(out.trim())).toMatchObject({ sub: "u", channel: "news" });
  });

  test("refuses a duration that is none, and an unknown app", async () => {
    const [duration, app] = await Promise.all([
      carillon(["token", "streaming", "--expires", "soon"]),
      carillon(["token", "streaming", "--app", "x"]),
    ]);
    expect(duration.err).toBe(
      'carillon: --expires must be a duration such as "15m", "1h" or "0" [command_usage]\n',
    );
    expect(app.err).toBe(
      'carillon: App "x" is not in the configuration: add it to [[apps]] [command_usage]\n',
    );
  });
});

test("serve refuses a bad configuration before anything starts", async () => {
  const { code, out, err } = await carillon(["serve"], { CARILLON_CLIENTS_HOST: "0.0.0.0" });
  expect({ code, out }).toEqual({ code: 1, out: "" });
  expect(err).toBe(
    "environment: CARILLON_CLIENTS_HOST: Development credentials are refused on a non-loopback address [config_conflict]\n",
  );
});

describe("token gusher", () => {
  test("mints a JWT with the grants and remotes asked for", async () => {
    const { out, code } = await carillon([
      ...["token", "gusher", "--user", "u1", "--expires", "1m"],
      ...["--channel", "AA", "app*", "--channel", "BB", "--remote", "chat"],
    ]);
    expect(code).toBe(0);
    const secret = new TextEncoder().encode("dev-token-secret-do-not-use-in-production");
    const { payload } = await jwtVerify(out.trim(), secret, { algorithms: ["HS256"] });
    expect(payload["gusher"]).toEqual({
      channels: ["AA", "app*", "BB"],
      user_id: "u1",
      app_key: "dev",
      remotes: { chat: true },
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
  });

  test("without a secret of its use there is none", async () => {
    const path = write(
      "no-gusher.toml",
      '[[signing_keys]]\nuse = "streaming"\nhmac_secret = "s"\n',
    );
    const { code, err } = await carillon(["token", "gusher", "--config", path]);
    expect(code).toBe(1);
    expect(err).toContain("no signing key with an hmac_secret for gusher's tokens");
  });
});
