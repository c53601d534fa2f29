/** What makes a token itself good or bad, whatever the key: its form and size, its claims, and its time. */
import { describe, expect, test } from "bun:test";
import { createHmac } from "node:crypto";
import { DEV_TOKEN_SECRET, hs256 } from "../../test/support/tokens.ts";
import { HubError } from "../core/errors.ts";
import { TOKEN_BYTES_MAX } from "./key-set.ts";
import {
  claims,
  codeOf,
  createClock,
  encode,
  hmacKey,
  keySet,
  NOW_SECONDS,
} from "./test-key-set.ts";

describe("a token", () => {
  const keys = keySet([hmacKey]);

  test("with any changed character is refused", async () => {
    const token = hs256(claims);
    for (let index = 0; index < token.length; index++) {
      const changed = token[index] === "A" ? "B" : "A";
      const tampered = token.slice(0, index) + changed + token.slice(index + 1);
      expect(await codeOf(keys.verify(tampered))).toBe("invalid_token");
    }
  });

  test("with the claims of another token is refused", async () => {
    const [header, , signature] = hs256(claims).split(".");
    const forged = `${header}.${encode({ ...claims, sub: "admin" })}.${signature}`;
    expect(await codeOf(keys.verify(forged))).toBe("invalid_token");
  });

  const header = encode({ alg: "HS256" });
  test.each([
    ["nothing", ""],
    ["dots", ".."],
    ["text", "nonsense"],
    ["two parts", `${header}.${encode(claims)}`],
    ["four parts", `${hs256(claims)}.x`],
    ["five parts", "a.b.c.d.e"],
    ["a space behind", `${hs256(claims)} `],
    ["a line break behind", `${hs256(claims)}\n`],
    ["a space within", hs256(claims).replace(".", " .")],
    ["Bearer before", `Bearer ${hs256(claims)}`],
    ["padding", hs256(claims).replaceAll(".", "=.")],
    ["characters beyond ASCII", `é${hs256(claims)}`],
    ["a header that is no JSON", `e30x.${encode(claims)}.x`],
    ["a header that is an array", `${encode([])}.${encode(claims)}.x`],
    ["no alg", hs256(claims, DEV_TOKEN_SECRET, { alg: undefined })],
    ["an alg that is no string", hs256(claims, DEV_TOKEN_SECRET, { alg: ["HS256"] })],
    ["a kid that is no string", hs256(claims, DEV_TOKEN_SECRET, { kid: 1 })],
    ["a critical extension", hs256(claims, DEV_TOKEN_SECRET, { crit: ["b64"], b64: true })],
    ["an unencoded payload", hs256(claims, DEV_TOKEN_SECRET, { crit: ["b64"], b64: false })],
  ])("of %s is refused", async (_, token) => {
    expect(await codeOf(keys.verify(token))).toBe("invalid_token");
  });

  test.each(["null", "[]", '"text"', "1", "{", ""])("with claims %s is refused", async (text) => {
    const signed = `${header}.${Buffer.from(text).toString("base64url")}`;
    const mac = createHmac("sha256", DEV_TOKEN_SECRET).update(signed).digest("base64url");
    expect(await codeOf(keys.verify(`${signed}.${mac}`))).toBe("invalid_token");
  });

  test("may be as long as the limit, and not one byte longer", async () => {
    const padded = (bytes: number) => hs256({ ...claims, pad: "x".repeat(bytes) });
    let pad = Math.floor(TOKEN_BYTES_MAX * 0.75);
    while (padded(pad).length > TOKEN_BYTES_MAX) pad -= 1;
    const longest = padded(pad);
    // Base64url skips every fourth length, so the header takes up the rest.
    expect(longest.length).toBeGreaterThan(TOKEN_BYTES_MAX - 2);
    expect(await codeOf(keys.verify(longest))).toBe("ok");
    const longer = padded(pad + 1);
    expect(longer.length).toBeGreaterThan(TOKEN_BYTES_MAX);
    expect(longer.length).toBeLessThan(TOKEN_BYTES_MAX + 3);
    expect(await codeOf(keys.verify(longer))).toBe("invalid_token");
  });

  test("is not quoted by the error", async () => {
    const token = `s3cret.${encode(claims)}.s3cret`;
    for (const text of [token, `${encode({ alg: "HS256" })}.s3cret.s3cret`, "s3cret"]) {
      const error = await keys.verify(text).catch((thrown: unknown) => thrown);
      expect(error).toBeInstanceOf(HubError);
      expect(Bun.inspect(error, { depth: 10 })).not.toContain("s3cret.");
      expect((error as HubError).cause).toBeUndefined();
    }
  });
});

describe("time", () => {
  test("exp is the first second outside", async () => {
    const clock = createClock();
    const keys = keySet([hmacKey], clock);
    const token = hs256({ exp: NOW_SECONDS + 60 });
    clock.advance(59_999);
    expect(await codeOf(keys.verify(token))).toBe("ok");
    clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("token_expired");
  });

  test("nbf is the first second inside", async () => {
    const clock = createClock();
    const keys = keySet([hmacKey], clock);
    const token = hs256({ nbf: NOW_SECONDS + 60 });
    clock.advance(59_999);
    expect(await codeOf(keys.verify(token))).toBe("token_expired");
    clock.advance(1);
    expect(await codeOf(keys.verify(token))).toBe("ok");
  });

  test("takes fractions of a second, and no exp at all", async () => {
    const keys = keySet([hmacKey]);
    expect(await codeOf(keys.verify(hs256({ exp: NOW_SECONDS + 0.001 })))).toBe("ok");
    expect(await codeOf(keys.verify(hs256({ exp: 0 })))).toBe("token_expired");
    expect(await codeOf(keys.verify(hs256({})))).toBe("ok");
  });

  test("in the future of iat is no fault", async () => {
    expect(await codeOf(keySet([hmacKey]).verify(hs256({ iat: NOW_SECONDS + 60 })))).toBe("ok");
  });

  test.each(["exp", "nbf", "iat"])("%s that is no finite number is invalid", async (name) => {
    const keys = keySet([hmacKey]);
    for (const value of [String(NOW_SECONDS + 60), true, [NOW_SECONDS + 60], {}]) {
      expect(await codeOf(keys.verify(hs256({ [name]: value })))).toBe("invalid_token");
    }
    const signed = `${encode({ alg: "HS256" })}.${Buffer.from(`{"${name}":1e999}`).toString("base64url")}`;
    const mac = createHmac("sha256", DEV_TOKEN_SECRET).update(signed).digest("base64url");
    expect(await codeOf(keys.verify(`${signed}.${mac}`))).toBe("invalid_token");
  });

  test("makes a token expired only when all else is right", async () => {
    const past = { exp: NOW_SECONDS - 1 };
    expect(await codeOf(keySet([hmacKey]).verify(hs256(past, "other")))).toBe("invalid_token");
    const restricted = keySet([{ ...hmacKey, issuer: "https://a.test" }]);
    expect(await codeOf(restricted.verify(hs256(past)))).toBe("invalid_token");
    expect(await codeOf(restricted.verify(hs256({ ...past, iss: "https://a.test" })))).toBe(
      "token_expired",
    );
  });
});
