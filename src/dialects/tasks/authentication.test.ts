import { createHmac } from "node:crypto";
import { expect, test } from "bun:test";
import { createSignatureCheck, type Hmac, type SignedCall } from "./authentication.ts";

const BODY = Buffer.from(
  '{"method":"invoke_envoy","params":{"task_id":"x","message":"aGVsbG8=","new_timeout":20}}',
);
/** §4.2. */
const SIGN =
  "c9d01a7941dad7243662d83aa1cfed6dd61fb75a19000cce511bc92afe3973ede2a1c1145369bd2b98656cd709aa5e17cc67acd60c14c53bafff95be436b179f";
const STAMPED =
  "8663d2131c157912e1a2095afe437ef9e2b97de455e1463ec5961b275f4f82490cc94c3b65432bc704607af1cc4d888bdce3758820eccf42037ce3b2beb8b33b";

const NOW = 1_700_000_000_000;
const apps = new Map([
  ["demo", [{ secret: "s3cret" }]],
  ["other", [{ secret: "new" }, { secret: "old", untilMs: NOW }]],
]);
const check = createSignatureCheck(apps);
const call = (changes: Partial<SignedCall> = {}): SignedCall => ({
  ...{ publicId: "demo", sign: SIGN, timestamp: undefined, body: BODY },
  ...changes,
});
const signed = (secret: string) => createHmac("sha512", secret).update(BODY).digest("hex");

test("the specification's vectors verify, in either case of the digits", () => {
  expect(check(call(), NOW)).toBe(true);
  expect(check(call({ sign: SIGN.toUpperCase() }), NOW)).toBe(true);
  expect(check(call({ sign: STAMPED, timestamp: "1700000000" }), NOW)).toBe(true);
});

test("one changed byte, another timestamp, a cut or longer signature do not", () => {
  for (let at = 0; at < BODY.length; at++) {
    const body = Buffer.from(BODY);
    body.writeUInt8(body.readUInt8(at) ^ 1, at);
    expect(check(call({ body }), NOW)).toBe(false);
  }
  for (const changes of [
    { timestamp: "1700000000" },
    { sign: STAMPED },
    { sign: STAMPED, timestamp: "1700000001" },
    { sign: SIGN.slice(0, -1) },
    { sign: SIGN.slice(0, -2) },
    { sign: `${SIGN}0` },
    { sign: `${SIGN}\n` },
    { sign: "" },
    { sign: undefined },
    { sign: "0".repeat(128) },
    { publicId: "other" },
    { publicId: "nobody" },
    { publicId: undefined },
  ]) {
    expect(check(call(changes), NOW)).toBe(false);
  }
});

test("of two secrets either verifies, a former one up to its end", () => {
  const by = (secret: string, nowMs: number) =>
    check(call({ publicId: "other", sign: signed(secret) }), nowMs);
  expect(by("new", NOW)).toBe(true);
  expect(by("old", NOW - 1)).toBe(true);
  expect(by("old", NOW)).toBe(false);
});

test("whatever is wrong, as many hashes over the same bytes are made as for what is right", () => {
  let work: string[] = [];
  const counting: Hmac = (secret, parts) => {
    work.push(parts.map((part) => part.length).join(" "));
    const mac = createHmac("sha512", secret);
    for (const part of parts) mac.update(part);
    return mac.digest();
  };
  const counted = createSignatureCheck(apps, counting);
  const right = call();
  expect(counted(right, NOW)).toBe(true);
  const expected = work;
  expect(expected).toEqual([`${BODY.length}`, `${BODY.length}`]);
  for (const changes of [
    { publicId: "nobody" },
    { publicId: undefined },
    { publicId: "other" },
    { sign: "0".repeat(128) },
    { sign: "none" },
    { sign: undefined },
  ]) {
    work = [];
    expect(counted({ ...right, ...changes }, NOW)).toBe(false);
    expect(work).toEqual(expected);
  }
});

test("the secret that stands in for an unknown app's verifies nothing", () => {
  for (const secret of ["no app's", ""]) {
    expect(check(call({ publicId: "nobody", sign: signed(secret) }), NOW)).toBe(false);
    expect(check(call({ sign: signed(secret) }), NOW)).toBe(false);
  }
});
