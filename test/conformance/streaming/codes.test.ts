/** Every code that the dialect can send (centrifugo-protocol.md §8), and the rule by which SDKs reconnect. */
import { expect, test } from "bun:test";
import { DISCONNECT_RECONNECTS, type DisconnectCode } from "../../../src/core/errors.ts";
import {
  DISCONNECTS,
  UNSUBSCRIBE_CODES,
  WIRE_ERRORS,
} from "../../../src/dialects/streaming/errors.ts";
import { CLOSES, ERRORS } from "../../support/streaming.ts";

test("§8.1: error codes, messages, and which are temporary", () => {
  const sent = new Map(Object.values(WIRE_ERRORS).map((error) => [`${error.code}`, error]));
  expect<unknown>(Object.fromEntries(sent)).toEqual({
    ...ERRORS,
    107: { code: 107, message: "bad request" },
    101: { code: 101, message: "unauthorized" },
    113: { code: 113, message: "concurrent pagination", temporary: true },
  });
});

test("§8.2: close codes and reasons", () => {
  const sent = Object.values(DISCONNECTS).map((close) => [`${close.code}`, close]);
  expect(Object.fromEntries(sent)).toEqual({
    ...CLOSES,
    3004: { code: 3004, reason: "internal server error" },
    3008: { code: 3008, reason: "slow" },
    3009: { code: 3009, reason: "write error" },
    3011: { code: 3011, reason: "force reconnect" },
    3509: { code: 3509, reason: "too many errors" },
  });
});

test.each(Object.entries(DISCONNECTS))(
  "§3.5, §8.2: %s fits a close frame, is no JSON, and is reconnected from as the core means it",
  (name, { code, reason }) => {
    expect(reason.length).toBeWithin(1, 124);
    expect(() => JSON.parse(reason)).toThrow();
    expect(code < 3500).toBe(DISCONNECT_RECONNECTS[name as DisconnectCode]);
  },
);

test("§8.3: unsubscribe codes", () => {
  expect(UNSUBSCRIBE_CODES).toEqual({
    server: { code: 2000, reason: "server unsubscribe" },
    insufficientState: { code: 2500, reason: "insufficient state" },
    expired: { code: 2501, reason: "subscription expired" },
  });
});
