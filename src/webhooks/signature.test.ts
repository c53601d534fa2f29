import { describe, expect, test } from "bun:test";
import { createPublicKey, randomBytes, verify } from "node:crypto";
import { isSecret, makeKey, shownKey, signatureHeader } from "./signature.ts";

const bytes = (text: string) => new TextEncoder().encode(text);
const secretOf = (length: number) =>
  `whsec_${Buffer.from(Uint8Array.from({ length }, (_, index) => index)).toString("base64")}`;

/** webhooks.md §6. */
const VECTORS = [
  {
    secret: "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX",
    id: "msg_2b8eKq7yLr0TnVxYwZaBcDeFgHi",
    timestamp: 1_700_000_000,
    body: '{"type":"shipment.updated","timestamp":"2023-11-14T22:13:20.000Z","data":{"id":"shp_1"}}',
    signature: "v1,bQ+SCy1TQF4OCC6Y8w0BsvIUyoBkqz65EFx4UTUoto4=",
  },
  {
    secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
    id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
    timestamp: 1_614_265_330,
    body: '{"test": 2432232314}',
    signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
  },
];

test.each(VECTORS)("the vector of $id reproduces", ({ secret, signature, body, ...signed }) => {
  expect(signatureHeader([secret], { ...signed, body: bytes(body) })).toBe(signature);
});

test("each key signs, in order", () => {
  const [one, two] = VECTORS;
  if (one === undefined || two === undefined) throw new Error("No vectors");
  const signed = { id: one.id, timestamp: one.timestamp, body: bytes(one.body) };
  const header = signatureHeader([two.secret, one.secret], signed);
  expect(header).toBe(`${signatureHeader([two.secret], signed)} ${one.signature}`);
});

test("the bytes are signed as they are", () => {
  const secret = secretOf(24);
  const at = { id: "msg_1", timestamp: 1 };
  const body = bytes('{"n":9007199254740993,"s":"é😀\u2028"}');
  const again = Uint8Array.from(body);
  const header = signatureHeader([secret], { ...at, body });
  expect(signatureHeader([secret], { ...at, body: again })).toBe(header);
  again[3] = 0xff;
  expect(signatureHeader([secret], { ...at, body: again })).not.toBe(header);
});

test("an ed25519 signature verifies with the public key that is shown", () => {
  const key = makeKey("ed25519", randomBytes);
  const shown = shownKey(key);
  expect(shown).toMatch(/^whpk_[A-Za-z0-9+/]{43}=$/);
  const signed = { id: "msg_1", timestamp: 1_700_000_000, body: bytes('{"a":1}') };
  const [version, signature = ""] = signatureHeader([key], signed).split(",");
  expect(version).toBe("v1a");
  const x = Buffer.from(shown.slice("whpk_".length), "base64").toString("base64url");
  const publicKey = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const text = bytes('msg_1.1700000000.{"a":1}');
  expect(verify(null, text, publicKey, Buffer.from(signature, "base64"))).toBe(true);
});

describe("secrets", () => {
  test("are made of 24 random bytes, and shown as they are", () => {
    const made = Array.from({ length: 50 }, () => makeKey("hmac", randomBytes));
    expect(new Set(made).size).toBe(50);
    for (const secret of made) {
      expect(isSecret(secret)).toBe(true);
      expect(Buffer.from(secret.slice(6), "base64")).toHaveLength(24);
      expect(shownKey(secret)).toBe(secret);
    }
  });

  test.each([
    [secretOf(23), false],
    [secretOf(24), true],
    [secretOf(64), true],
    [secretOf(65), false],
    [secretOf(24).slice(6), false],
    [secretOf(25).replace(/=+$/, ""), false],
    [`${secretOf(24)} `, false],
    [`whsec_${"-_".repeat(20)}`, false],
    ["whsec_", false],
    ["", false],
  ])("'%s' is one: %p", (text, is) => {
    expect(isSecret(text)).toBe(is);
  });
});
