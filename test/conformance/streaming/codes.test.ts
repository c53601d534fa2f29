/** Every code that the dialect can send (centrifugo-protocol.md §8), and the rule by which SDKs reconnect. */
import { expect, test } from "bun:test";
import {
  CLOSES as SENT,
  UNSUBSCRIBE_CODES,
  WIRE_ERRORS,
} from "../../../src/dialects/streaming/errors.ts";
import { CLOSES, ERRORS } from "../../support/streaming.ts";

test("§8.1: error codes, messages, and which are temporary", () => {
  const sent = new Map(Object.values(WIRE_ERRORS).map((error) => [`${error.code}`, error]));
  expect<unknown>(Object.fromEntries(sent)).toEqual({
    ...ERRORS,
    107: { code: 107, message: "bad request" },
  });
});

test("§8.2: close codes and reasons", () => {
  const sent = Object.values(SENT).map((close) => [`${close.code}`, close]);
  expect(Object.fromEntries(sent)).toEqual({
    ...CLOSES,
    3004: { code: 3004, reason: "internal server error" },
    3008: { code: 3008, reason: "slow" },
    3011: { code: 3011, reason: "force reconnect" },
  });
});

/** What would happen again: the client is not to come back. */
const FINAL = new Set([
  ...["invalid_token", "bad_request", "stale", "ended", "connection_limit", "channel_limit"],
  ...["uncarriable", "permission_denied", "not_available"],
]);

test.each(Object.entries(SENT))(
  "§3.5, §8.2: %s fits a close frame, is no JSON, and says whether to come back",
  (name, { code, reason }) => {
    expect(reason.length).toBeWithin(1, 124);
    expect(() => JSON.parse(reason)).toThrow();
    expect(code >= 3500).toBe(FINAL.has(name));
  },
);

test("§8.3: unsubscribe codes", () => {
  expect(UNSUBSCRIBE_CODES).toEqual({
    server: { code: 2000, reason: "server unsubscribe" },
    insufficientState: { code: 2500, reason: "insufficient state" },
    expired: { code: 2501, reason: "subscription expired" },
  });
});
