import { expect, test } from "bun:test";
import { createPrivateKey, generateKeyPairSync } from "node:crypto";
import { identityOf } from "./signing-key.ts";

const pem = (key: ReturnType<typeof createPrivateKey>, type: "spki" | "pkcs8") =>
  key.export({ type, format: "pem" }).toString();

test("one key has one identity in each of its forms, another has another", () => {
  const [ours, theirs] = [1, 2].map(() => generateKeyPairSync("ec", { namedCurve: "P-256" }));
  if (ours === undefined || theirs === undefined) throw new Error("No keys");
  const publicKeyPem = pem(ours.publicKey, "spki");
  const forms = [
    { publicKeyPem },
    { publicKeyPem: `\n${publicKeyPem}\n` },
    { privateKeyPem: pem(ours.privateKey, "pkcs8") },
    { privateKeyPem: ours.privateKey.export({ type: "sec1", format: "pem" }).toString() },
  ];
  expect(new Set(forms.map(identityOf)).size).toBe(1);
  const others = [
    { publicKeyPem: pem(theirs.publicKey, "spki") },
    ...["secret", "Secret"].map((hmac) => ({ hmac })),
    { jwksUrl: "https://a.example/keys" },
    { jwksUrl: "https://b.example/keys" },
  ];
  expect(new Set([...forms, ...others].map(identityOf)).size).toBe(1 + others.length);
  expect(identityOf({ hmac: Buffer.from("secret") })).toBe(identityOf({ hmac: "secret" }));
  expect(identityOf({ jwksUrl: "https://A.example:443/keys" })).toBe(
    identityOf({ jwksUrl: "https://a.example/keys" }),
  );
});
