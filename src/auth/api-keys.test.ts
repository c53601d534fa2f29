import { describe, expect, test } from "bun:test";
import { createHash, randomBytes } from "node:crypto";
import { HubError } from "../core/errors.ts";
import {
  API_KEY_BYTES_MAX,
  type ApiKey,
  createApiKeys,
  credentialOf,
  generateApiKey,
  hashApiKey,
} from "./api-keys.ts";

const entry = (id: string, key: string, more: Partial<ApiKey> = {}): ApiKey => ({
  id,
  hash: createHash("sha256").update(key).digest("hex"),
  scopes: ["events:publish"],
  organisation: "*",
  app: "dev",
  ...more,
});

describe("find()", () => {
  const first = entry("first", "dev-api-key");
  const second = entry("second", "evk_0a_secret", { organisation: "org_1", scopes: [] });
  const keys = createApiKeys([first, second]);

  test("finds the entry of a key", () => {
    expect(keys.find("dev-api-key")).toEqual(first);
    expect(keys.find("evk_0a_secret")).toEqual(second);
  });

  test.each(["", "dev-api-ke", "dev-api-keyy", "DEV-API-KEY", "evk_0a_other", first.hash])(
    "finds nothing for '%s'",
    (key) => {
      expect(keys.find(key)).toBeUndefined();
    },
  );

  test("takes a hash in upper case", () => {
    const upper = { ...first, hash: first.hash.toUpperCase() };
    expect(createApiKeys([upper]).find("dev-api-key")).toEqual(upper);
  });

  test("takes a key as long as the limit, and none that is one byte longer", () => {
    const longest = "k".repeat(API_KEY_BYTES_MAX);
    const long = createApiKeys([entry("a", longest), entry("b", `${longest}k`)]);
    expect(long.find(longest)?.id).toBe("a");
    expect(long.find(`${longest}k`)).toBeUndefined();
    expect(long.find("é".repeat(API_KEY_BYTES_MAX / 2 + 1))).toBeUndefined();
  });

  test("finds nothing without entries", () => {
    expect(createApiKeys([]).find("dev-api-key")).toBeUndefined();
  });
});

test.each([
  ["a short hash", [entry("a", "a", { hash: "abcd" })]],
  ["a hash with other characters", [entry("a", "a", { hash: "g".repeat(64) })]],
  ["a plain key in place of its hash", [entry("a", "a", { hash: "evk_a_s3cret" })]],
  ["one id twice", [entry("a", "a"), entry("a", "b")]],
  ["one hash twice", [entry("a", "a"), entry("b", "a", { hash: hashApiKey("a").toUpperCase() })]],
])("createApiKeys() refuses %s", (_, entries) => {
  const create = () => createApiKeys(entries);
  expect(create).toThrow(HubError);
  expect(create).not.toThrow(/s3cret/);
});

describe("generateApiKey()", () => {
  test("makes a key that is found by its hash", () => {
    const { id, key, hash } = generateApiKey(randomBytes);
    expect(key).toMatch(/^evk_[0-9a-f]{16}_[0-9a-f]{64}$/);
    expect(key.split("_")[1]).toBe(id);
    expect(createApiKeys([{ ...entry(id, ""), hash }]).find(key)?.id).toBe(id);
  });

  test("makes another one every time", () => {
    expect(generateApiKey(randomBytes).key).not.toBe(generateApiKey(randomBytes).key);
  });
});

describe("credentialOf()", () => {
  const of = (headers: Record<string, string>, url: string | URL = "http://a.test/api/publish") =>
    credentialOf(new Headers(headers), url);

  test.each([
    { "X-API-Key": "K" },
    { Authorization: "apikey K" },
    { Authorization: "ApiKey   K" },
    { Authorization: "Bearer K" },
    { Authorization: "bearer K " },
  ])("reads %p", (headers: Record<string, string>) => {
    expect(of(headers)).toBe("K");
  });

  test("reads the query, of a URL and of a path", () => {
    expect(of({}, "http://a.test/api?x=1&api_key=K%2F1")).toBe("K/1");
    expect(of({}, new URL("http://a.test/api?api_key=K"))).toBe("K");
    expect(of({}, "/api?api_key=K")).toBe("K");
  });

  test("prefers X-API-Key to Authorization to the query", () => {
    const url = "/?api_key=query";
    expect(of({ "X-API-Key": "header", Authorization: "apikey auth" }, url)).toBe("header");
    expect(of({ Authorization: "apikey auth" }, url)).toBe("auth");
    expect(of({ "X-API-Key": "", Authorization: "Basic YTpi" }, url)).toBe("query");
  });

  test.each([
    {},
    { "X-API-Key": " " },
    { Authorization: "" },
    { Authorization: "Basic YTpi" },
    { Authorization: "apikey" },
    { Authorization: "apikey a b" },
    { Authorization: "K" },
  ])("finds none in %p", (headers: Record<string, string>) => {
    expect(of(headers)).toBeUndefined();
  });

  test("finds none in an empty query value or a URL that cannot be parsed", () => {
    expect(of({}, "/?api_key=")).toBeUndefined();
    expect(of({}, "//?api_key=K")).toBeUndefined();
  });
});
