import { afterAll, expect, test } from "bun:test";
import { randomBytes } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createMasterKeys, keptMasterKey, MASTER_KEY_BYTES, parseMasterKey } from "./master-key.ts";

const root = mkdtempSync(join(tmpdir(), "carillon-key-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));

const COUNTING = Uint8Array.from({ length: MASTER_KEY_BYTES }, (_, index) => index);

test("derive() is HKDF-SHA256 without a salt", () => {
  // task-tokens.md §3.1
  expect(createMasterKeys(COUNTING).derive("envoy.task-id.v1|demo")[0].toHex()).toBe(
    "d30be16f6b31a528b79345a570f4da5e054497e856d4981e1e0cf1ffec5eb0b6",
  );
});

test("derive() answers the current key first, then the previous ones", () => {
  const former = new Uint8Array(MASTER_KEY_BYTES);
  const keys = createMasterKeys(COUNTING, [former]).derive("p");
  expect(keys).toEqual([
    createMasterKeys(COUNTING).derive("p")[0],
    createMasterKeys(former).derive("p")[0],
  ]);
  expect(createMasterKeys(COUNTING).derive("q")[0]).not.toEqual(keys[0]);
});

test("parseMasterKey() takes hexadecimal and base64 of exactly 32 bytes", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => 255 - index);
  const base64 = key.toBase64();
  const forms = [key.toHex(), key.toHex().toUpperCase(), base64, base64.slice(0, -1)];
  for (const text of [...forms, base64.replaceAll("+", "-").replaceAll("/", "_")]) {
    expect(parseMasterKey(text)).toEqual(key);
  }
  for (const bytes of [31, 33]) {
    const other = new Uint8Array(bytes);
    expect(parseMasterKey(other.toHex())).toBeUndefined();
    expect(parseMasterKey(other.toBase64())).toBeUndefined();
  }
  expect(parseMasterKey("")).toBeUndefined();
  expect(parseMasterKey("g".repeat(64))).toBeUndefined();
});

test("keptMasterKey() makes a key once, for its owner alone", () => {
  const dataDir = join(root, "made", "deep");
  const key = keptMasterKey(dataDir, randomBytes);
  expect(key).toHaveLength(MASTER_KEY_BYTES);
  expect(keptMasterKey(dataDir, randomBytes)).toEqual(key);
  expect(readdirSync(dataDir)).toEqual(["master.key"]);
  expect(statSync(join(dataDir, "master.key")).mode & 0o777).toBe(0o600);
});

test("of two that make one at the same time, both get the same", () => {
  const dataDir = join(root, "race");
  let first: Uint8Array | undefined;
  const second = keptMasterKey(dataDir, (count) => {
    // The other one comes between looking for the file and making it.
    if (count === MASTER_KEY_BYTES) first ??= keptMasterKey(dataDir, randomBytes);
    return randomBytes(count);
  });
  expect(first).toEqual(second);
  expect(readdirSync(dataDir)).toEqual(["master.key"]);
});

test("a file that holds no key is an error and stays", () => {
  const dataDir = join(root, "broken");
  mkdirSync(dataDir);
  const path = join(dataDir, "master.key");
  writeFileSync(path, "");
  expect(() => keptMasterKey(dataDir, randomBytes)).toThrow("is not 64 hexadecimal digits");
  expect(readFileSync(path, "utf8")).toBe("");
});

test("a directory that cannot be made is one clear sentence", () => {
  const file = join(root, "file");
  writeFileSync(file, "");
  expect(() => keptMasterKey(file, randomBytes)).toThrow(
    /^The master key ".*" cannot be read or made: /,
  );
});
