/** The peers' certificate, as another implementation reads it. */
import { expect, test } from "bun:test";
import { createPrivateKey, createPublicKey, X509Certificate } from "node:crypto";
import { createCertificate } from "./certificate.ts";

test("is signed by its own key, which comes with it, and lasts longer than any process", () => {
  const [{ pem, keyPem }, other] = [createCertificate(), createCertificate()];
  const certificate = new X509Certificate(pem);
  expect(certificate.verify(certificate.publicKey)).toBe(true);
  expect(createPublicKey(createPrivateKey(keyPem)).equals(certificate.publicKey)).toBe(true);
  expect(certificate.subject).toBe("CN=WebRTC");
  expect(certificate.issuer).toBe("CN=WebRTC");
  expect(certificate.validFromDate.getUTCFullYear()).toBe(2000);
  expect(certificate.validToDate.getUTCFullYear()).toBe(2049);
  expect(other.pem).not.toBe(pem);
});
