import { describe, expect, test } from "bun:test";
import { ApiRefusal, createApiCallers, reachOf } from "./api-callers.ts";
import { createApiKeys, hashApiKey, type ApiKey } from "./api-keys.ts";

const key = (id: string, more: Partial<ApiKey> = {}): ApiKey => ({
  ...{ id, hash: hashApiKey(id), scopes: ["gusher"], organisation: "*", app: "shop" },
  ...more,
});

const callers = createApiCallers({
  keys: createApiKeys([
    key("gusher"),
    key("every", { scopes: ["*"] }),
    key("streaming", { scopes: ["streaming"] }),
    key("other", { app: "other" }),
    key("confined", { scopes: ["*"], organisation: "org_A" }),
    key("known", { scopes: ["*"] }),
  ]),
  apps: [
    { id: "shop", allowed_origins: ["*", "https://shop.example"] },
    { id: "other", allowed_origins: ["https://other.example"] },
  ],
  publicHash: hashApiKey("known"),
});

const SHOP = { scope: "gusher", app: "shop" };

function request(headers: Readonly<Record<string, string>>): Request {
  return new Request("http://127.0.0.1:9000/x", { method: "POST", headers });
}

const by = (id: string, more: Readonly<Record<string, string>> = {}) =>
  request({ "X-API-Key": id, ...more });

/** The key's id, the refusal's status, or undefined. */
function resultOf(result: ApiKey | ApiRefusal | undefined): string | number | undefined {
  return result instanceof ApiRefusal ? result.status : result?.id;
}

describe("admit()", () => {
  test.each([
    ["gusher", "gusher"],
    ["every", "every"],
    ["streaming", 401],
    ["other", 401],
    ["confined", 401],
    ["unknown", 401],
  ])("a call with the key %s: %s", (id, expected) => {
    expect(resultOf(callers.admit(by(id), SHOP))).toBe(expected);
  });

  test("without a key is refused, and without a scope any key of any app will do", () => {
    expect(resultOf(callers.admit(request({}), {}))).toBe(401);
    expect(resultOf(callers.admit(by("other"), {}))).toBe("other");
  });

  test("a page of another site may call with a key of one's own, and not with one that everybody knows", () => {
    const foreign = { Origin: "https://evil.example" };
    expect(resultOf(callers.admit(by("every", foreign), SHOP))).toBe("every");
    expect(resultOf(callers.admit(by("known"), SHOP))).toBe("known");
    expect(resultOf(callers.admit(by("known", foreign), SHOP))).toBe(403);
  });
});

describe("admitOpen()", () => {
  test.each([
    ["gusher", "gusher"],
    ["streaming", "streaming"],
    ["other", undefined],
    ["unknown", undefined],
    ["confined", 401],
  ])("a call with the key %s: %s", (id, expected) => {
    expect(resultOf(callers.admitOpen(by(id), "shop"))).toBe(expected);
  });

  test.each([
    [{}, undefined],
    [{ "Sec-Fetch-Site": "none" }, undefined],
    [{ "Sec-Fetch-Site": "same-site" }, undefined],
    [{ "Sec-Fetch-Site": "cross-site" }, 403],
    [{ Origin: "https://shop.example" }, undefined],
    [{ Origin: "https://shop.example", "Sec-Fetch-Site": "cross-site" }, 403],
    [{ Origin: "https://other.example" }, 403],
    [{ Origin: "https://evil.example" }, 403],
    [{ Origin: "null" }, 403],
    [{ Origin: "http://127.0.0.1:9000", Host: "127.0.0.1:9000" }, undefined],
    [{ Origin: "http://localhost:9000", Host: "localhost:9000" }, undefined],
    [{ Origin: "http://[::1]:9000", Host: "[::1]:9000" }, undefined],
    [{ Origin: "http://127.0.0.1:9001", Host: "127.0.0.1:9000" }, 403],
    // A name of the page's own that leads to this address.
    [{ Origin: "http://evil.example:9000", Host: "evil.example:9000" }, 403],
    [{ Origin: "http://127.0.0.1.evil.example", Host: "127.0.0.1.evil.example" }, 403],
  ])("of a page: %j is %s", (headers, expected) => {
    expect(resultOf(callers.admitOpen(request(headers), "shop"))).toBe(expected);
    expect(resultOf(callers.admitOpen(by("unknown", headers), "shop"))).toBe(expected);
    expect(resultOf(callers.admitOpen(by("other", headers), "shop"))).toBe(expected);
  });

  test("where no app is named, any app's pages may", () => {
    const other = request({ Origin: "https://other.example" });
    expect(resultOf(callers.admitOpen(other))).toBeUndefined();
  });
});

test("reachOf() is the dialect, and what the key's scopes add", () => {
  expect(reachOf("gusher", undefined)).toEqual(["gusher"]);
  expect(reachOf("gusher", key("k", { scopes: ["*"] }))).toBe("all");
  const scopes = ["streaming", "events:publish", "tasks:get_envoy_token"];
  expect(reachOf("gusher", key("k", { scopes }))).toEqual([
    ...["gusher", "streaming", "events", "tasks:get_envoy_token"],
  ]);
});

describe("on a loopback address", () => {
  const here = createApiCallers({
    keys: createApiKeys([key("every", { scopes: ["*"] }), key("known", { scopes: ["*"] })]),
    apps: [{ id: "shop", allowed_origins: [], hosts: ["api.shop.example"] }],
    publicHash: hashApiKey("known"),
    onLoopback: true,
  });

  test.each([
    ["127.0.0.1:9000", undefined],
    ["localhost:9000", undefined],
    ["[::1]:9000", undefined],
    ["api.shop.example", undefined],
    // Anyone's page, whose name was made to lead here: what it reads is asked for without an origin.
    ["evil.example:9000", 403],
    ["127.0.0.1.evil.example", 403],
    ["localhost@evil.example", 403],
  ])("a call to %s without a key, or with one that everybody knows: %p", (Host, expected) => {
    expect(resultOf(here.admitOpen(request({ Host }), "shop"))).toBe(expected);
    expect(resultOf(here.admit(by("known", { Host }), {}))).toBe(expected ?? "known");
    expect(resultOf(here.admit(by("every", { Host }), {}))).toBe("every");
  });

  test("elsewhere any name will do, since a network has its own", () => {
    expect(resultOf(callers.admitOpen(request({ Host: "carillon:9000" }), "shop"))).toBeUndefined();
  });
});
