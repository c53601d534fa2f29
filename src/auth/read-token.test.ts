/** What a token's header and claims say before anything vouches for them. */
import { describe, expect, test } from "bun:test";
import { TokenError } from "./key-set.ts";
import { createHeaderReader, readToken, spellingOf } from "./read-token.ts";
import { encode } from "./test-key-set.ts";

const encodeText = (text: string) => Buffer.from(text).toString("base64url");
const tokenOf = (text: string, header: object = {}) =>
  `${encode({ alg: "HS256", ...header })}.${encodeText(text)}.x`;
const claimsOf = (text: string) => readToken(tokenOf(text)).claims;

function faultOf(act: () => unknown): string {
  try {
    act();
    return "ok";
  } catch (error) {
    if (!(error instanceof TokenError)) throw error;
    return error.fault;
  }
}

describe("claims", () => {
  test("are at hand as they were signed, and as values", () => {
    const text = '{"n":9007199254740993,"d":1.10,"__proto__":{"a":1E2},"a":" \\u00e9 "}';
    const { json, claims: read } = readToken(tokenOf(text));
    expect(json.source).toBe(text);
    expect(json.member("__proto__")?.raw).toBe('{"a":1E2}');
    expect(Object.hasOwn(read, "__proto__")).toBe(true);
    expect(read["a"]).toBe(" é ");
  });

  test("that are null are absent", () => {
    expect(claimsOf('{"sub":null,"exp":null,"nbf":null,"iat":null,"x":{"y":null}}')).toEqual({
      x: { y: null },
    });
  });

  test("with a number that no double holds make no token, wherever it stands", () => {
    for (const text of ['{"exp":1e400}', '{"info":{"n":[1e400]}}', `{"nbf":-${"9".repeat(400)}}`]) {
      expect(faultOf(() => claimsOf(text))).toBe("malformed");
    }
  });

  test("nested too deeply to be passed on make no token", () => {
    const nested = (depth: number) => `{"info":${"[".repeat(depth)}${"]".repeat(depth)}}`;
    expect(faultOf(() => claimsOf(nested(999)))).toBe("ok");
    expect(faultOf(() => claimsOf(nested(1000)))).toBe("malformed");
  });
});

describe("the spelling of claims", () => {
  test.each(["Iss", "SUB", "sUb", "Aud", "Exp", "EXP", "Nbf", "Iat", "Jti"])(
    "%s is refused alone, and not beside the right one",
    (name) => {
      const value = ["exp", "nbf", "iat"].includes(name.toLowerCase()) ? 1 : "a";
      const right = name.toLowerCase();
      expect(faultOf(() => claimsOf(JSON.stringify({ [name]: value })))).toBe("malformed");
      expect(faultOf(() => claimsOf(JSON.stringify({ [name]: value, [right]: null })))).toBe(
        "malformed",
      );
      expect(faultOf(() => claimsOf(JSON.stringify({ [name]: value, [right]: value })))).toBe("ok");
      expect(faultOf(() => claimsOf(JSON.stringify({ [name]: null })))).toBe("ok");
    },
  );

  test("of a dialect's own names is its to check", () => {
    const check = spellingOf(["userId"]);
    expect(faultOf(() => check({ userid: "1" }))).toBe("malformed");
    expect(faultOf(() => check({ userId: "1", USERID: "2", other: 1 }))).toBe("ok");
    expect(faultOf(() => check({ toString: "1" }))).toBe("ok");
  });
});

test("header members that are null are absent, of which an algorithm may be none", () => {
  const nulls = { typ: null, kid: null, cty: null, jku: null, jwk: null, x5c: null, crit: null };
  expect(readToken(tokenOf("{}", nulls)).header).toEqual({ alg: "HS256" });
  expect(faultOf(() => readToken(tokenOf("{}", { alg: null })))).toBe("malformed");
});

test("a header that is read for many tokens is each token's own", () => {
  const readHeader = createHeaderReader();
  const headerOf = (header: object) => readToken(tokenOf("{}", header), readHeader).header;
  const other = { alg: "HS512", kid: "a" };
  expect(headerOf({})).toBe(headerOf({}));
  expect([{}, other, other, {}].map(headerOf)).toEqual([
    ...[{ alg: "HS256" }, other],
    ...[other, { alg: "HS256" }],
  ]);
  expect(faultOf(() => headerOf({ crit: ["b64"] }))).toBe("malformed");
  expect(faultOf(() => headerOf({ crit: ["b64"] }))).toBe("malformed");
  expect(headerOf({})).toEqual({ alg: "HS256" });
});
