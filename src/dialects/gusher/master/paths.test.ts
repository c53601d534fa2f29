import { describe, expect, test } from "bun:test";
import { Paths } from "./paths.ts";

const paths = new Paths([
  { method: "POST", path: "/push/user/:app/:user", handler: "user" },
  { method: "POST", path: "/push/:app/:channel/:event", handler: "channel" },
  { method: "POST", path: "/push/:app", handler: "pattern" },
  { method: "GET", path: "/:app/channels", handler: "list" },
  { method: "GET", path: "/ping", handler: "ping" },
]);

/** The handler and the parameters for this method. */
const find = (method: string, path: string) => {
  const match = paths.find(path)?.get(method);
  return match && [match.handler, match.params];
};

describe("find()", () => {
  test.each([
    ["POST", "/push/a/b/c", ["channel", { app: "a", channel: "b", event: "c" }]],
    ["POST", "/push/user/a/b", ["user", { app: "a", user: "b" }]],
    ["POST", "/push/USER/a/b", ["channel", { app: "USER", channel: "a", event: "b" }]],
    ["POST", "/push/a/%20%23%3F%25/%C3%A9", ["channel", { app: "a", channel: " #?%", event: "é" }]],
    ["POST", "/p%75sh/a", ["pattern", { app: "a" }]],
    ["POST", "/push/a+b", ["pattern", { app: "a+b" }]],
    // One path, two routes by method.
    ["GET", "/push/channels", ["list", { app: "push" }]],
    ["POST", "/push/channels", ["pattern", { app: "channels" }]],
    ["GET", "/ping", ["ping", {}]],
  ])("%s %s", (method, path, found) => {
    expect(find(method, path)).toEqual(found as ReturnType<typeof find>);
  });

  test.each([
    "",
    "/",
    "/ping/",
    "//ping",
    "/push",
    "/push/",
    "/push//b/c",
    "/push/a/b",
    "/push/a/b/c/",
    "/push/a/b%2Fc/d",
    "/push/a%2Fb",
    "/push/a/%zz/c",
    "/push/a/%ff/c",
    "/pong",
    "/a/channel",
  ])("%s is no path", (path) => {
    expect(paths.find(path)).toBeUndefined();
  });

  test("a known path with another method is found without it", () => {
    expect([...(paths.find("/ping")?.keys() ?? [])]).toEqual(["GET"]);
    expect([...(paths.find("/push/channels")?.keys() ?? [])].sort()).toEqual(["GET", "POST"]);
  });
});
