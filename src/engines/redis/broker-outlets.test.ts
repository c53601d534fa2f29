/** What is remembered of the channels that a node sends to. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { Outlets, OUTLETS_MAX } from "./broker-outlets.ts";
import { createRedisServers } from "./client/servers.ts";

function create() {
  const runtime = createTestRuntime();
  const servers = createRedisServers({ url: "redis://127.0.0.1", runtime, onBug() {} });
  const context = { servers, prefix: "p", runtime, now: () => "" as const };
  return new Outlets({ ...context, onBug() {}, requireOpen() {} });
}

test("a channel's numbers go on, and say what was confirmed", () => {
  const { outlet } = create().space("app", "channels");
  const first = outlet("a").next();
  const second = outlet("a").next();
  outlet("a").confirm(second);
  outlet("a").confirm(first);
  expect(outlet("a").next()).toEqual({ sender: first.sender, number: 3, confirmed: 2 });
  expect(outlet("b").next()).toMatchObject({ number: 1, confirmed: 0 });
});

test("channels of one name in two apps and spaces are kept apart", () => {
  const outlets = create();
  const found = [
    outlets.space("app", "channels"),
    outlets.space("app", "tasks"),
    outlets.space("other", "channels"),
  ].map(({ outlet }) => outlet("a"));
  expect(found.map(({ place }) => place.topic)).toEqual([
    "p:{app:channels:a}",
    "p:{app:tasks:a}",
    "p:{other:channels:a}",
  ]);
  expect(new Set(found.map((outlet) => outlet.next().sender)).size).toBe(3);
});

test("what is used is remembered up to the bound over all spaces, and what is not is forgotten beyond", () => {
  const outlets = create();
  const { outlet } = outlets.space("app", "channels");
  const others = outlets.space("app", "tasks");
  const fill = (count: number, name: string) => {
    for (let index = 0; index < count; index += 1) others.outlet(`${name}${index}`);
  };
  const { sender } = outlet("used").next();
  outlet("unused").next();
  // The two and these are half of the bound.
  fill(OUTLETS_MAX / 2 - 2, "first");
  expect(outlet("used").next()).toMatchObject({ sender, number: 2 });
  fill(1, "beyond");
  expect(outlet("used").next()).toMatchObject({ sender, number: 3 });
  fill(OUTLETS_MAX / 2 - 1, "second");
  expect(outlet("unused").next().number).toBe(1);
  expect(outlet("used").next()).toMatchObject({ sender, number: 4 });
  fill(OUTLETS_MAX, "third");
  expect(outlet("used").next().number).toBe(1);
});
