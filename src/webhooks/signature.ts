/** Standard Webhooks 1.0.0: secrets as they are written, and the signatures they make (webhooks.md §3.1, §6). */
import {
  createHmac,
  createPrivateKey,
  generateKeyPairSync,
  sign as signWith,
  type webcrypto,
} from "node:crypto";
import type { WebhookSignature } from "./contract.ts";

const SECRET_BYTES = { min: 24, max: 64, made: 24 };
const PREFIX = { secret: "whsec_", publicKey: "whpk_" };

/** Cryptographically random. */
export type RandomBytes = (length: number) => Uint8Array;

/** What is kept, sealed: `whsec_…`, or an ed25519 key pair as JWK text. */
export function makeKey(signature: WebhookSignature, randomBytes: RandomBytes): string {
  if (signature === "hmac") {
    const bytes = Buffer.from(randomBytes(SECRET_BYTES.made));
    return PREFIX.secret + bytes.toString("base64");
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  return JSON.stringify(privateKey.export({ format: "jwk" }));
}

/** Whether it is `whsec_` and standard base64 of 24 … 64 bytes. */
export function isSecret(text: string): boolean {
  if (!text.startsWith(PREFIX.secret)) return false;
  const encoded = text.slice(PREFIX.secret.length);
  const bytes = Buffer.from(encoded, "base64");
  const { min, max } = SECRET_BYTES;
  return bytes.toString("base64") === encoded && bytes.length >= min && bytes.length <= max;
}

/** What a receiver verifies with: the secret itself, or the public key. */
export function shownKey(key: string): string {
  if (key.startsWith(PREFIX.secret)) return key;
  const { x = "" } = JSON.parse(key) as webcrypto.JsonWebKey;
  return PREFIX.publicKey + Buffer.from(x, "base64url").toString("base64");
}

export interface Signed {
  readonly id: string;
  /** Unix seconds. */
  readonly timestamp: number;
  readonly body: Uint8Array;
}

/** The `webhook-signature` header: one signature per key, in their order. */
export function signatureHeader(keys: readonly string[], signed: Signed): string {
  return keys.map((key) => signatureBy(key, signed)).join(" ");
}

function signatureBy(key: string, { id, timestamp, body }: Signed): string {
  const text = Buffer.concat([Buffer.from(`${id}.${timestamp}.`), body]);
  if (key.startsWith(PREFIX.secret)) {
    const secret = Buffer.from(key.slice(PREFIX.secret.length), "base64");
    return `v1,${createHmac("sha256", secret).update(text).digest("base64")}`;
  }
  const jwk = JSON.parse(key) as webcrypto.JsonWebKey;
  return `v1a,${signWith(null, text, createPrivateKey({ key: jwk, format: "jwk" })).toString("base64")}`;
}
