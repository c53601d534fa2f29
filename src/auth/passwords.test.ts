import { expect, test } from "bun:test";
import { createPasswords, DECOY_HASH, HASHINGS_WAITING_MAX } from "./passwords.ts";

const settingsOf = (hash: string) => hash.split("$").slice(0, 4);

test("verify() knows the password of a hash, and of no other", async () => {
  const passwords = createPasswords({ atOnceMax: 1 });
  const hash = await passwords.hash("correct horse");
  expect(hash).toStartWith("$argon2id$");
  expect(await passwords.verify("correct horse", hash)).toBe(true);
  for (const wrong of ["", "Correct horse", "correct horse "]) {
    expect(await passwords.verify(wrong, hash)).toBe(false);
  }
  expect(await passwords.verify("", undefined)).toBe(false);
});

test("what has no hash is compared with one of the same cost", async () => {
  const hash = await createPasswords({ atOnceMax: 1 }).hash("a");
  expect(settingsOf(hash)).toEqual(settingsOf(DECOY_HASH));
});

test("as many wait as may, and one more is refused until a place is free", async () => {
  const passwords = createPasswords({ atOnceMax: 1 });
  const short = "$argon2id$v=19$m=8,t=1,p=1$";
  const hash = await Bun.password.hash("a", { algorithm: "argon2id", memoryCost: 8, timeCost: 1 });
  expect(hash).toStartWith(short);
  const all = Array.from({ length: 1 + HASHINGS_WAITING_MAX }, () => passwords.verify("a", hash));
  expect(passwords.busy).toBe(true);
  await expect(passwords.verify("a", hash)).rejects.toMatchObject({ code: "limit_exceeded" });
  expect((await Promise.all(all)).every(Boolean)).toBe(true);
  expect(passwords.busy).toBe(false);
  expect(await passwords.verify("a", hash)).toBe(true);
});

test("a hash that is none fails its own call, and gives its place back", async () => {
  const passwords = createPasswords({ atOnceMax: 1 });
  for (let times = 0; times < 3; times++) {
    await expect(passwords.verify("a", "no hash")).rejects.toThrow();
  }
  expect(await passwords.verify("a", await passwords.hash("a"))).toBe(true);
});
