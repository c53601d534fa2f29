import { expect, test } from "bun:test";
import { FAILING_ADDRESSES_MAX } from "./limits.ts";
import { createTaskSockets } from "./sockets.ts";

test("an address that failed too often waits until its failures are a minute old", () => {
  const sockets = createTaskSockets({ failed_authentications_per_minute: 2 });
  sockets.failed("a", 0);
  expect(sockets.mayAuthenticate("a", 0)).toBe(true);
  sockets.failed("a", 1000);
  expect(sockets.mayAuthenticate("a", 59_999)).toBe(false);
  expect(sockets.mayAuthenticate("b", 59_999)).toBe(true);
  expect(sockets.mayAuthenticate("a", 60_000)).toBe(true);
});

test("beyond the addresses that are remembered the one that failed longest ago is forgotten", () => {
  const sockets = createTaskSockets({ failed_authentications_per_minute: 1 });
  for (let index = 0; index < FAILING_ADDRESSES_MAX; index++) sockets.failed(`${index}`, 0);
  sockets.failed("0", 1);
  expect(sockets.mayAuthenticate("1", 1)).toBe(false);
  sockets.failed("one more", 1);
  expect(sockets.mayAuthenticate("1", 1)).toBe(true);
  expect(["0", "2", "one more"].map((address) => sockets.mayAuthenticate(address, 1))).toEqual([
    ...[false, false, false],
  ]);
});
