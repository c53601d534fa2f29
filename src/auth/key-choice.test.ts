/** Which of several keys a token is tried against: by kid, age, issuer and audience, and by use and kind of token. */
import { describe, expect, test } from "bun:test";
import { hs256 } from "../../test/support/tokens.ts";
import { selectKeys, type SigningKey } from "./key-set.ts";
import { claims, codeOf, createClock, hmacKey, keySet, NOW_MS } from "./test-key-set.ts";

describe("the choice of a key", () => {
  const one = { ...hmacKey, kid: "one", secret: { hmac: "1" } };
  const two = { ...hmacKey, kid: "two", secret: { hmac: "2" } };
  const unnamed = { ...hmacKey, secret: { hmac: "3" } };

  test("goes by kid when both have one, and tries all otherwise", async () => {
    const keys = keySet([one, two, unnamed]);
    const outcome = (secret: string, kid?: string) =>
      codeOf(keys.verify(hs256(claims, secret, kid === undefined ? {} : { kid })));
    expect(await outcome("1", "one")).toBe("ok");
    expect(await outcome("2", "two")).toBe("ok");
    expect(await outcome("2", "one")).toBe("invalid_token");
    expect(await outcome("2")).toBe("ok");
    expect(await outcome("3", "one")).toBe("ok");
    expect(await outcome("3", "unknown")).toBe("ok");
    expect(await outcome("1", "unknown")).toBe("invalid_token");
    expect(await outcome("1", "")).toBe("invalid_token");
  });

  test("leaves out a key from its untilMs on", async () => {
    const clock = createClock();
    const previous = { ...one, untilMs: NOW_MS + 1000 };
    const keys = keySet([two, previous], clock);
    clock.advance(999);
    expect(await codeOf(keys.verify(hs256(claims, "1")))).toBe("ok");
    clock.advance(1);
    expect(await codeOf(keys.verify(hs256(claims, "1")))).toBe("invalid_token");
    expect(await codeOf(keys.verify(hs256(claims, "2")))).toBe("ok");
  });

  test("goes by issuer and audience", async () => {
    const keys = keySet([
      { ...hmacKey, issuer: "https://a.test", audience: "events" },
      { ...hmacKey, issuer: "https://b.test" },
    ]);
    const outcome = (more: Record<string, unknown>) =>
      codeOf(keys.verify(hs256({ ...claims, ...more })));
    expect(await outcome({ iss: "https://a.test", aud: "events" })).toBe("ok");
    expect(await outcome({ iss: "https://a.test", aud: ["other", "events"] })).toBe("ok");
    expect(await outcome({ iss: "https://b.test" })).toBe("ok");
    for (const refused of [
      {},
      { iss: "https://a.test" },
      { iss: "https://a.test", aud: "event" },
      { iss: "https://a.test", aud: "events2" },
      { iss: "https://a.test", aud: [] },
      { iss: "https://a.test", aud: { events: true } },
      { iss: ["https://a.test"], aud: "events" },
      { iss: "https://a.test/", aud: "events" },
      { aud: "events" },
    ]) {
      expect(await outcome(refused)).toBe("invalid_token");
    }
  });
});

describe("selectKeys()", () => {
  const key = (more: Partial<SigningKey>) => ({ ...hmacKey, ...more });
  const both = key({ kid: "both" });
  const subscription = key({ kid: "subscription", tokens: "subscription" });
  const gusher = key({ kid: "gusher", use: "gusher" });

  test("keeps uses apart", () => {
    expect(selectKeys([both, gusher], "gusher")).toEqual([gusher]);
    expect(selectKeys([both, gusher], "tasks")).toEqual([]);
  });

  test("gives a kind its own keys, or those for both", () => {
    expect(selectKeys([both, subscription], "streaming", "subscription")).toEqual([subscription]);
    expect(selectKeys([both, subscription], "streaming", "connection")).toEqual([both]);
    expect(selectKeys([both, gusher], "streaming", "subscription")).toEqual([both]);
    expect(selectKeys([subscription], "streaming", "connection")).toEqual([]);
  });
});
