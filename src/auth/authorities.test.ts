import { expect, test } from "bun:test";
import { hs256 } from "../../test/support/tokens.ts";
import type { Authority, ConnectGrant, Standing } from "../core/authority.ts";
import { TOKEN_BYTES_MAX } from "./key-set.ts";
import { createAuthorities } from "./authorities.ts";

function named(userId: string): Authority {
  const grant: ConnectGrant = { userId, subscriptions: new Map() };
  return {
    connect: async () => grant,
    refresh: async () => grant,
    subscribe: async () => ({ userId, channel: "" }),
  };
}

const fallback = named("fallback");
const registered = { issuer: "https://i", audience: "a", authority: named("registered") };
const authorities = createAuthorities(fallback, [registered]);
const theirs = hs256({ iss: "https://i", aud: ["a", "b"] });

test.each([
  ["registered", "a list of audiences", theirs],
  ["registered", "one audience", hs256({ iss: "https://i", aud: "a" })],
  ["fallback", "another issuer", hs256({ iss: "https://j", aud: "a" })],
  ["fallback", "another audience", hs256({ iss: "https://i", aud: "b" })],
  ["fallback", "no audience", hs256({ iss: "https://i" })],
  ["fallback", "no token", ""],
  ["fallback", "text", "a.b.c"],
  ["fallback", "null", `x.${Buffer.from("null").toString("base64url")}.z`],
  ["fallback", "a token that is too long", `${theirs}${"x".repeat(TOKEN_BYTES_MAX)}`],
])("%s decides on %s", async (expected, _name, token) => {
  expect((await authorities.connect({ token })).userId).toBe(expected);
  const connection = { standing: undefined };
  expect((await authorities.refresh({ token, connection })).userId).toBe(expected);
  expect((await authorities.subscribe({ token, connection })).userId).toBe(expected);
});

test("who let a connection in decides on its later tokens, whatever they say", async () => {
  const standing: Standing = {
    ...{ authority: named("holder"), labels: [], issuedAtMs: 0, detail: undefined },
  };
  for (const token of [theirs, hs256({})]) {
    const request = { token, connection: { standing } };
    expect((await authorities.refresh(request)).userId).toBe("holder");
    expect((await authorities.subscribe(request)).userId).toBe("holder");
  }
});

test("nobody registered: the fallback itself", () => {
  expect(createAuthorities(fallback, [])).toBe(fallback);
});
