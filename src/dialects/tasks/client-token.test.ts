import { expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { createRandom } from "../../../test/support/random.ts";
import { createClientTokens, TOKEN_CHARACTERS_MAX, type TaskToken } from "./client-token.ts";

const KEY = new Uint8Array(32).fill(7);
const tokens = createClientTokens({ keys: [KEY], randomBytes });

const TOKEN: TaskToken = {
  tokenId: "00112233445566778899aabbccddeeff",
  publicId: "shop",
  taskId: "ab".repeat(40),
  issuedMs: 1_800_000_000_123,
  expiresMs: 1_800_604_800_123,
  singleUse: false,
  timeoutMs: 604_800_000,
  sendOfflineMessage: true,
  singleInstance: false,
  persistTimeout: true,
};

test("a token opens as it was sealed, and is another text each time", () => {
  const sealed = tokens.seal(TOKEN);
  expect(tokens.open(sealed)).toEqual(TOKEN);
  expect(sealed).toMatch(/^[A-Za-z0-9+/]+={0,2}$/);
  expect(sealed.length % 4).toBe(0);
  expect(tokens.seal(TOKEN)).not.toBe(sealed);
});

test.each(["singleUse", "sendOfflineMessage", "singleInstance", "persistTimeout"] as const)(
  "the flag %s is the token's own",
  (name) => {
    for (const value of [true, false]) {
      const token = { ...TOKEN, [name]: value };
      expect(tokens.open(tokens.seal(token))).toEqual(token);
    }
  },
);

test("an app's id may have its full length and any character of the rules", () => {
  const token = { ...TOKEN, publicId: "A".repeat(64) };
  const sealed = tokens.seal(token);
  expect(tokens.open(sealed)).toEqual(token);
  expect(sealed.length).toBeLessThan(TOKEN_CHARACTERS_MAX);
});

test("URL-safe base64 and missing padding open as well", () => {
  // Until the text holds what differs between the alphabets.
  let sealed = "";
  while (!sealed.includes("+") || !sealed.includes("/")) sealed = tokens.seal(TOKEN);
  const urlSafe = sealed.replaceAll("+", "-").replaceAll("/", "_");
  for (const text of [urlSafe, urlSafe.replaceAll("=", ""), sealed.replaceAll("=", "")]) {
    expect(tokens.open(text)).toEqual(TOKEN);
  }
});

test("every changed, missing or added byte is refused", () => {
  const bytes = Buffer.from(tokens.seal(TOKEN), "base64");
  for (let at = 0; at < bytes.length; at++) {
    const changed = Buffer.from(bytes);
    changed.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    expect(tokens.open(changed.toString("base64"))).toBeUndefined();
    expect(tokens.open(bytes.subarray(0, at).toString("base64"))).toBeUndefined();
  }
  const longer = Buffer.concat([bytes, Buffer.from([0])]);
  expect(tokens.open(longer.toString("base64"))).toBeUndefined();
});

test("random texts and bytes are refused", () => {
  const random = createRandom("client tokens");
  for (let round = 0; round < 2_000; round++) {
    const bytes = random.bytes(random.integer(400));
    expect(tokens.open(Buffer.from([1, ...bytes]).toString("base64"))).toBeUndefined();
    expect(tokens.open(random.string(200))).toBeUndefined();
  }
  for (const text of ["", "=", "====", "A".repeat(TOKEN_CHARACTERS_MAX + 1)]) {
    expect(tokens.open(text)).toBeUndefined();
  }
});

test("after a rotation former tokens open and new ones are sealed by the new key", () => {
  const next = new Uint8Array(32).fill(9);
  const rotated = createClientTokens({ keys: [next, KEY], randomBytes });
  expect(rotated.open(tokens.seal(TOKEN))).toEqual(TOKEN);
  expect(tokens.open(rotated.seal(TOKEN))).toBeUndefined();
  const later = createClientTokens({ keys: [next], randomBytes });
  expect(later.open(rotated.seal(TOKEN))).toEqual(TOKEN);
  expect(later.open(tokens.seal(TOKEN))).toBeUndefined();
});

test("two keys with one key id are told apart", () => {
  // Among 300 keys two share the byte.
  const keys = Array.from({ length: 300 }, (_, number) => {
    const key = new Uint8Array(32);
    new DataView(key.buffer).setUint16(0, number);
    return key;
  });
  const sealers = keys.map((key) => createClientTokens({ keys: [key], randomBytes }));
  const seen = new Map<number, number>();
  for (const [index, sealer] of sealers.entries()) {
    const id = Buffer.from(sealer.seal(TOKEN), "base64").readUInt8(1);
    const twin = seen.get(id);
    seen.set(id, index);
    const [key, former] = [keys[index], keys[twin ?? -1]];
    if (key === undefined || former === undefined) continue;
    const both = createClientTokens({ keys: [key, former], randomBytes });
    expect(both.open(sealers[twin ?? 0]?.seal(TOKEN) ?? "")).toEqual(TOKEN);
    return;
  }
  throw new Error("No two keys share an id");
});
