/** What a refused token is told to lack, and how far clocks may differ. */
import { describe, expect, test } from "bun:test";
import { hs256 } from "../../test/support/tokens.ts";
import { createKeySet, TokenError, type KeySetOptions, type SigningKey } from "./key-set.ts";
import { pairs, pemKey } from "./test-key-pairs.ts";
import { claims, createClock, hmacKey, NOW_SECONDS } from "./test-key-set.ts";

const noFetch = () => Promise.reject(new Error("Must not be fetched"));

async function faultOf(
  token: string,
  keys: readonly SigningKey[],
  options: KeySetOptions = {},
): Promise<string> {
  const keySet = createKeySet(keys, { clock: createClock(), fetchJson: noFetch }, options);
  try {
    await keySet.verify(token);
    return "ok";
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    const timely = error.fault === "expired" || error.fault === "not_yet_valid";
    expect(error.code).toBe(timely ? "token_expired" : "invalid_token");
    return error.fault;
  }
}

describe("the fault of a token", () => {
  const key: SigningKey = { ...hmacKey, kid: "one", issuer: "https://i", audience: "a" };
  const good = { ...claims, iss: "https://i", aud: ["b", "a"] };

  test.each([
    ["ok", hs256(good)],
    ["malformed", "a.b"],
    ["algorithm", hs256(good, "other", { alg: "HS512" })],
    ["key", hs256(good, undefined, { kid: "two" })],
    ["issuer", hs256({ ...good, iss: "https://j" })],
    ["issuer", hs256(claims)],
    ["audience", hs256({ ...good, aud: "b" })],
    ["signature", hs256(good, "other")],
    ["expired", hs256({ ...good, exp: NOW_SECONDS })],
    ["not_yet_valid", hs256({ ...good, nbf: NOW_SECONDS + 1 })],
  ])("%s", async (fault, token) => {
    expect(await faultOf(token, [key])).toBe(fault);
  });

  test("is that of the key that comes nearest", async () => {
    const keys = [pemKey(pairs.RS256), key, { ...key, issuer: "https://j" }];
    expect(await faultOf(hs256({ ...good, iss: "https://j", aud: "b" }), keys)).toBe("audience");
    expect(await faultOf(hs256(good), [])).toBe("algorithm");
  });
});

describe("a fault's detail", () => {
  const key: SigningKey = { ...hmacKey, kid: "one", issuer: "https://i", audience: "a" };
  const good = { ...claims, iss: "https://i", aud: "a", secret: "s3cret" };

  test.each([
    ['the algorithm "HS512"', hs256(good, "other", { alg: "HS512" })],
    ['the id "two"', hs256(good, undefined, { kid: "two" })],
    ['its claim "iss"', hs256({ ...good, iss: "https://j" })],
    ['its claim "aud"', hs256({ ...good, aud: "b" })],
    ["its signature is another key's", hs256(good, "other")],
    [
      `its claim "exp" is ${new Date(NOW_SECONDS * 1000).toISOString()}`,
      hs256({ ...good, exp: NOW_SECONDS }),
    ],
    ['its claim "nbf" is', hs256({ ...good, nbf: NOW_SECONDS + 1 })],
    ['its claim "exp" is -271821-04-20', hs256({ ...good, exp: -1e300 })],
    ['claim "iat" must be a number', hs256({ ...good, iat: "now" })],
    ['claim "sub" is spelled in another case', hs256({ ...good, sub: undefined, Sub: "u" })],
  ])("names %s, and the claims without their values", async (named, token) => {
    const keySet = createKeySet([key], { clock: createClock(), fetchJson: noFetch });
    const error: unknown = await keySet.verify(token).catch((thrown: unknown) => thrown);
    if (!(error instanceof TokenError)) throw error;
    expect(error.detail).toContain(named);
    expect(error.detail).toContain('"secret" (string)');
    expect(error.detail + error.message).not.toContain("s3cret");
  });
});

describe("leeway", () => {
  const options = { leewayMs: 30_000, refuseFutureIat: true };

  test.each([
    ["ok", { exp: NOW_SECONDS - 29 }],
    ["expired", { exp: NOW_SECONDS - 30 }],
    ["ok", { nbf: NOW_SECONDS + 30 }],
    ["not_yet_valid", { nbf: NOW_SECONDS + 31 }],
    ["ok", { iat: NOW_SECONDS + 30 }],
    ["not_yet_valid", { iat: NOW_SECONDS + 31 }],
  ])("%s: %o", async (fault, times) => {
    expect(await faultOf(hs256({ ...claims, ...times }), [hmacKey], options)).toBe(fault);
  });

  test("is none, and iat does not count, unless asked for", async () => {
    expect(await faultOf(hs256({ exp: NOW_SECONDS - 1 }), [hmacKey])).toBe("expired");
    expect(await faultOf(hs256({ nbf: NOW_SECONDS + 1 }), [hmacKey])).toBe("not_yet_valid");
    expect(await faultOf(hs256({ iat: NOW_SECONDS + 99 }), [hmacKey])).toBe("ok");
  });
});
