/**
 * Client tokens (task-tokens.md §3.2): opaque to clients, sealed so that any node of any restart opens them without a
 * store. What a token must still be held against (expiry, revocation, single use) is the session's to ask.
 */
import { createCipheriv, createDecipheriv, createHash } from "node:crypto";

/** What one call of `get_envoy_token` grants. Connections carry the options of the token they presented (§3). */
export interface TaskToken {
  /** 32 lower-case hexadecimal digits, random; what may be logged of a token. */
  readonly tokenId: string;
  /** The app's. */
  readonly publicId: string;
  /** As `TaskIds` makes them: 80 lower-case hexadecimal digits. */
  readonly taskId: string;
  readonly issuedMs: number;
  /** Epoch milliseconds from which on it opens no new socket; without leeway (§5.8). */
  readonly expiresMs: number;
  /** `reusable_minutes: 0`: it opens exactly one socket (§4.5). */
  readonly singleUse: boolean;
  /** Time of a connection without a message, milliseconds (§5.2). */
  readonly timeoutMs: number;
  readonly sendOfflineMessage: boolean;
  readonly singleInstance: boolean;
  readonly persistTimeout: boolean;
}

export interface ClientTokens {
  /** Standard base64 with padding; another text each time. */
  seal(token: TaskToken): string;
  /**
   * Takes standard and URL-safe base64, with and without padding. Undefined for what no key of this server sealed, in whatever way
   * it is broken. An expired token is opened too.
   */
  open(text: string): TaskToken | undefined;
}

export const TOKEN_ID_BYTES = 16;
/** Longer texts are not tokens of ours; an app's id has 64 bytes at the most. */
export const TOKEN_CHARACTERS_MAX = 512;
/** What the sealing keys are derived for. */
export const TOKEN_PURPOSE = "carillon.tasks.client-token.v1";

const VERSION = 1;
const HEADER_BYTES = 2;
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
/** Of the sealed bytes: token id, issued, expires, timeout, flags, task id; the app's id is the rest. */
const TASK_ID_BYTES = 40;
const AT = { issued: 16, expires: 24, timeout: 32, flags: 36, taskId: 37, publicId: 77 } as const;
const FLAGS = {
  singleUse: 1,
  sendOfflineMessage: 2,
  singleInstance: 4,
  persistTimeout: 8,
} as const;

export interface ClientTokensOptions {
  /** 32 bytes each: the first seals, all open. */
  readonly keys: readonly [Uint8Array, ...Uint8Array[]];
  /** Cryptographically secure: a nonce that came twice would give the key away. */
  readonly randomBytes: (count: number) => Uint8Array;
}

/** Version byte, key id byte, nonce, AES-256-GCM ciphertext and tag, with the first two bytes as additional data. */
export function createClientTokens({ keys, randomBytes }: ClientTokensOptions): ClientTokens {
  const identified = keys.map((key) => ({ key, id: keyId(key) }));
  return {
    seal(token) {
      const nonce = randomBytes(NONCE_BYTES);
      const header = Uint8Array.of(VERSION, keyId(keys[0]));
      const cipher = createCipheriv("aes-256-gcm", keys[0], nonce).setAAD(header);
      const sealed = [cipher.update(pack(token)), cipher.final(), cipher.getAuthTag()];
      return Buffer.concat([header, nonce, ...sealed]).toString("base64");
    },
    open(text) {
      const bytes = base64Bytes(text);
      if (bytes === undefined || bytes[0] !== VERSION) return undefined;
      for (const { key, id } of identified) {
        const packed = id === bytes[1] ? decrypt(bytes, key) : undefined;
        if (packed !== undefined) return unpack(packed);
      }
      return undefined;
    },
  };
}

/** Tells which key to try; two keys may share it. */
function keyId(key: Uint8Array): number {
  return createHash("sha256").update(key).digest().readUInt8(0);
}

function base64Bytes(text: string): Buffer | undefined {
  if (text.length > TOKEN_CHARACTERS_MAX || !/^[-A-Za-z0-9+/_]+={0,2}$/.test(text))
    return undefined;
  const bytes = Buffer.from(text, "base64");
  return bytes.length < HEADER_BYTES + NONCE_BYTES + AT.publicId + TAG_BYTES ? undefined : bytes;
}

function decrypt(bytes: Buffer, key: Uint8Array): Buffer | undefined {
  const nonceEnd = HEADER_BYTES + NONCE_BYTES;
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(HEADER_BYTES, nonceEnd), {
    authTagLength: TAG_BYTES,
  });
  decipher.setAAD(bytes.subarray(0, HEADER_BYTES)).setAuthTag(bytes.subarray(-TAG_BYTES));
  try {
    return Buffer.concat([decipher.update(bytes.subarray(nonceEnd, -TAG_BYTES)), decipher.final()]);
  } catch {
    // Not sealed by this key, or changed since.
    return undefined;
  }
}

function pack(token: TaskToken): Buffer {
  const publicId = Buffer.from(token.publicId);
  const bytes = Buffer.alloc(AT.publicId + publicId.length);
  bytes.write(token.tokenId, "hex");
  bytes.writeDoubleBE(token.issuedMs, AT.issued);
  bytes.writeDoubleBE(token.expiresMs, AT.expires);
  bytes.writeUInt32BE(token.timeoutMs, AT.timeout);
  let flags = 0;
  for (const [name, bit] of FLAG_BITS) if (token[name]) flags |= bit;
  bytes.writeUInt8(flags, AT.flags);
  bytes.write(token.taskId, AT.taskId, TASK_ID_BYTES, "hex");
  publicId.copy(bytes, AT.publicId);
  return bytes;
}

function unpack(bytes: Buffer): TaskToken {
  const flags = bytes.readUInt8(AT.flags);
  const flag = (name: keyof typeof FLAGS) => (flags & FLAGS[name]) !== 0;
  return {
    tokenId: bytes.toString("hex", 0, TOKEN_ID_BYTES),
    publicId: bytes.toString("utf8", AT.publicId),
    taskId: bytes.toString("hex", AT.taskId, AT.publicId),
    issuedMs: bytes.readDoubleBE(AT.issued),
    expiresMs: bytes.readDoubleBE(AT.expires),
    timeoutMs: bytes.readUInt32BE(AT.timeout),
    singleUse: flag("singleUse"),
    sendOfflineMessage: flag("sendOfflineMessage"),
    singleInstance: flag("singleInstance"),
    persistTimeout: flag("persistTimeout"),
  };
}

const FLAG_BITS = Object.entries(FLAGS) as readonly [keyof typeof FLAGS, number][];
