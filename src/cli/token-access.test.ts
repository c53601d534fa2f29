import { describe, expect, test } from "bun:test";
import { jwtVerify } from "jose";
import { carillon, write } from "./test-support.ts";

const secretOf = (text: string) => new TextEncoder().encode(text);
const DEVELOPMENT = secretOf("dev-token-secret-do-not-use-in-production");

describe("token access", () => {
  test("mints a bearer for development's organisation and user", async () => {
    const { code, out, err } = await carillon(["token", "access"]);
    expect({ code, err }).toEqual({ code: 0, err: "" });
    const { payload } = await jwtVerify(out.trim(), DEVELOPMENT, { algorithms: ["HS256"] });
    const { iat = 0, exp = 0, ...claims } = payload;
    expect(claims).toEqual({
      ...{ iss: "http://127.0.0.1:9000", aud: "events" },
      sub: "usr_26ZZVRrmnPTXTcZIuzXLZdnigLW",
      org_id: "org_26ZZVNs2QURl4yY6owPARekUbMa",
      scope: "platform:admin shipments:read orders:read",
    });
    expect(exp - iat).toBe(3600);
  });

  test("says what it is told to, as the configuration reads it", async () => {
    const path = write(
      "access.toml",
      `events.organisation_claim = "tenant"
[[signing_keys]]
use = "events-access"
hmac_secret = "s"
kid = "k"
issuer = "i"
audience = "a"
`,
    );
    const args = ["token", "access", "--config", path];
    const named = ["--user", "usr_1", "--organisation", "org_1"];
    const [made, unnamed] = await Promise.all([
      carillon([...args, ...named, "--scope", "a:read", "b:admin", "--expires", "5m"]),
      carillon(args),
    ]);
    const { payload, protectedHeader } = await jwtVerify(made.out.trim(), secretOf("s"));
    expect(protectedHeader).toMatchObject({ kid: "k" });
    expect(payload).toMatchObject({
      ...{ iss: "i", aud: "a", sub: "usr_1", tenant: "org_1", scope: "a:read b:admin" },
    });
    expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(300);
    expect(unnamed).toMatchObject({
      code: 1,
      err: "carillon: Outside of development mode give --user and --organisation [command_usage]\n",
    });
  });

  test("says in one line what is wrong", async () => {
    const path = write("no-access.toml", "");
    const [secret, endless, duration] = await Promise.all([
      carillon(["token", "access", "--config", path]),
      carillon(["token", "access", "--expires", "0"]),
      carillon(["token", "access", "--expires", "soon"]),
    ]);
    expect([secret.err, endless.err, duration.err]).toEqual([
      'carillon: App "default" has no signing key with an hmac_secret for access tokens: add one to [[signing_keys]] [signing_key_missing]\n',
      "carillon: An access token must expire: give --expires more than 0 [command_usage]\n",
      'carillon: --expires must be a duration such as "15m", "1h" or "0" [command_usage]\n',
    ]);
  });
});
