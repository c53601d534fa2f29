import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../../test/support/runtime.ts";
import { createLogins } from "./logins.ts";
import { AuthError } from "../auth/errors.ts";

const login = { domain: "dev", subscriber: "101", password: "p", address: "192.0.2.1" };

function createFor(passwords: Partial<Parameters<typeof createLogins>[0]["passwords"]> = {}) {
  const asked: (string | undefined)[] = [];
  const limits: string[] = [];
  const check = createLogins({
    passwords: {
      hash: () => Promise.reject(new Error("Nothing is to be hashed")),
      verify: (_, hash) => {
        asked.push(hash);
        return Promise.resolve(hash === "good");
      },
      busy: false,
      ...passwords,
    },
    clock: createTestRuntime().clock,
    metrics: { count: (_, { limit = "" }) => void limits.push(limit) },
    perMinute: 2,
    failuresPerMinute: 2,
  });
  const codeOf = (work: Promise<void>) =>
    work.then(
      () => "ok",
      (error: unknown) => (error instanceof AuthError ? error.code : String(error)),
    );
  return { asked, limits, try: (given: Parameters<typeof check>) => codeOf(check(...given)) };
}

const record = {
  ...{ active: true, deleted: false, profile: "{}", passwordHash: "good" },
  ...{ generation: 0, endedMs: 0, createdMs: 0, changedMs: 0 },
};

test("while as many hashings wait as may, a login is refused before anything is looked for", async () => {
  const logins = createFor({ busy: true });
  const find = () => Promise.reject(new Error("Nobody is to be looked for"));
  for (let times = 0; times < 5; times++) {
    expect(await logins.try([login, find])).toBe("rate_limited");
  }
  expect(logins.limits).toEqual(Array(5).fill("password_hashes_at_once"));
});

test("who is not known, not active or has no password costs a hashing as well", async () => {
  const found = [
    undefined,
    { ...record, active: false },
    { ...record, deleted: true },
    { ...record, passwordHash: undefined },
    record,
  ];
  const answers = [];
  const hashes = [];
  for (const one of found) {
    const logins = createFor();
    answers.push(await logins.try([login, () => Promise.resolve(one as typeof record)]));
    hashes.push(...logins.asked);
  }
  expect(answers).toEqual([...Array(4).fill("invalid_grant"), "ok"]);
  expect(hashes).toEqual([undefined, undefined, undefined, undefined, "good"]);
});

test("right logins count for the subscriber, and not against the address", async () => {
  const logins = createFor();
  const good = () => Promise.resolve(record);
  for (const subscriber of ["1", "2", "3"]) {
    expect(await logins.try([{ ...login, subscriber }, good])).toBe("ok");
    expect(await logins.try([{ ...login, subscriber }, good])).toBe("ok");
    expect(await logins.try([{ ...login, subscriber }, good])).toBe("rate_limited");
  }
});
