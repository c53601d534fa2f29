/**
 * The master key, from which every sealing and id key of the server is derived. It comes from the configuration, or is
 * made once in the data directory.
 */
import { hkdfSync } from "node:crypto";
import {
  linkSync,
  mkdirSync,
  readFileSync,
  unlinkSync,
  writeFileSync,
  constants,
  copyFileSync,
} from "node:fs";
import { join } from "node:path";
import { StartError } from "../core/start-error.ts";

export const MASTER_KEY_BYTES = 32;
/** In the data directory, with mode 0600: the key in hexadecimal and a line feed. */
const FILE_NAME = "master.key";

/** Derived keys, newest master key first: what seals uses the first, what opens tries all. */
export type DerivedKeys = readonly [current: Uint8Array, ...previous: Uint8Array[]];

export interface MasterKeys {
  /** HKDF-SHA256 (RFC 5869) without a salt, 32 bytes. Keys of different purposes tell nothing of each other. */
  derive(purpose: string): DerivedKeys;
}

/** `previous`: former keys, newest first. Each has `MASTER_KEY_BYTES`. */
export function createMasterKeys(
  current: Uint8Array,
  previous: readonly Uint8Array[] = [],
): MasterKeys {
  const derived = (key: Uint8Array, purpose: string) =>
    new Uint8Array(hkdfSync("sha256", key, new Uint8Array(), purpose, 32));
  return {
    derive: (purpose) => [
      derived(current, purpose),
      ...previous.map((key) => derived(key, purpose)),
    ],
  };
}

/** 64 hexadecimal digits, or base64 of 32 bytes in either alphabet. Undefined for anything else. */
export function parseMasterKey(text: string): Uint8Array | undefined {
  if (/^[0-9a-f]{64}$/i.test(text)) return Uint8Array.fromHex(text);
  if (!/^[-A-Za-z0-9+/_]{43}=?$/.test(text)) return undefined;
  return new Uint8Array(Buffer.from(text, "base64"));
}

/**
 * The data directory's key, made when there is none; of two processes that make one at the same time both get the same.
 * Throws an Error with one clear sentence when it cannot be read or made.
 */
export function keptMasterKey(
  dataDir: string,
  randomBytes: (count: number) => Uint8Array,
): Uint8Array {
  const path = join(dataDir, FILE_NAME);
  try {
    return readKey(path) ?? makeKey(path, dataDir, randomBytes);
  } catch (error) {
    if (!isFileError(error)) throw error;
    const message = `The master key "${path}" cannot be read or made: ${error.message}`;
    throw new StartError("master_key_unusable", message, { cause: error });
  }
}

/** Into another data directory. False: there is none, as where the configuration has the key. */
export function copyKeptKey(dataDir: string, directory: string): boolean {
  try {
    copyFileSync(join(dataDir, FILE_NAME), join(directory, FILE_NAME), constants.COPYFILE_EXCL);
    return true;
  } catch (error) {
    if (isFileError(error) && error.code === "ENOENT") return false;
    throw error;
  }
}

function readKey(path: string): Uint8Array | undefined {
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch (error) {
    if (isFileError(error) && error.code === "ENOENT") return undefined;
    throw error;
  }
  const key = parseMasterKey(text.trim());
  // Another one in its place would make every id and token of before worthless: that is the operator's to decide.
  if (key === undefined) throw unusable(path, "is not 64 hexadecimal digits");
  return key;
}

function makeKey(
  path: string,
  dataDir: string,
  randomBytes: (count: number) => Uint8Array,
): Uint8Array {
  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const made = `${path}.${randomBytes(8).toHex()}`;
  writeFileSync(made, `${randomBytes(MASTER_KEY_BYTES).toHex()}\n`, {
    ...{ mode: 0o600, flag: "wx", flush: true },
  });
  try {
    // Whole or not at all, and never over one that is there.
    linkSync(made, path);
  } catch (error) {
    if (!isFileError(error) || error.code !== "EEXIST") throw error;
  } finally {
    unlinkSync(made);
  }
  const key = readKey(path);
  if (key === undefined) throw unusable(path, "vanished while it was made");
  return key;
}

function unusable(path: string, why: string): StartError {
  return new StartError("master_key_unusable", `The master key "${path}" ${why}`);
}

function isFileError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error;
}
