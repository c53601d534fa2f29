/** Whose a request is, by its host and its path. */
import { describe, expect, test } from "bun:test";
import { createMounts, hostOf } from "./mounts.ts";

const NOBODY = { app: undefined, exclusive: true };

describe("createMounts()", () => {
  const find = createMounts(
    [
      { app: "any", hosts: [], pathPrefix: "" },
      { app: "shop", hosts: [], pathPrefix: "/shop" },
      { app: "deep", hosts: [], pathPrefix: "/shop/deep" },
      { app: "red", hosts: ["red.example", "rot.example"], pathPrefix: "" },
      { app: "blue", hosts: ["both.example"], pathPrefix: "/blue" },
      { app: "green", hosts: ["both.example"], pathPrefix: "/green" },
    ],
    NOBODY,
  );
  const found = (host: string, path: string) => {
    const { mount, path: rest } = find(host, path);
    return [mount.app, mount.exclusive, rest];
  };

  test("an app without hosts and prefix has what is no other's, and others may be named there", () => {
    expect(found("x.example", "/a/b")).toEqual(["any", false, "/a/b"]);
    expect(found("x.example", "/shopping")).toEqual(["any", false, "/shopping"]);
  });

  test("a prefix is whole segments, is taken off, and the longest counts", () => {
    expect(found("x.example", "/shop/a")).toEqual(["shop", true, "/a"]);
    expect(found("x.example", "/shop")).toEqual(["shop", true, "/"]);
    expect(found("x.example", "/shop/deep/a")).toEqual(["deep", true, "/a"]);
  });

  test("a host decides before a prefix", () => {
    expect(found("rot.example", "/shop/a")).toEqual(["red", true, "/shop/a"]);
    expect(found("both.example", "/green/a")).toEqual(["green", true, "/a"]);
    expect(found("both.example", "/a")).toEqual([undefined, true, "/a"]);
  });
});

describe("hostOf()", () => {
  test.each([
    ["Push.Example.COM:8000", "push.example.com"],
    ["push.example.com.", "push.example.com"],
    ["127.0.0.1", "127.0.0.1"],
    ["[::1]:80", "[::1]"],
    ["my_service", "my_service"],
  ])("of %s is %s", (header, host) => {
    expect(hostOf(header)).toBe(host);
  });

  test.each([
    ...["", "a, b", "a b", "x/metrics?", "x?", "x#", "a:b@c", "a\\b", "b%41", "a:", "a:123456"],
    ...["[::1", "::1", "ä.example"],
  ])("of %p is none", (header) => {
    expect(hostOf(header)).toBeUndefined();
  });
});
