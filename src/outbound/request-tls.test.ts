/** Requests over HTTPS: the names and certificates that are good. */
import { afterAll, describe, expect, test } from "bun:test";
import { ask, reasonOf, seen } from "./test-asking.ts";
import { cert, createSecureEchoServer, listen, startEchoServers } from "./test-servers.ts";

const { http, https, close } = await startEchoServers();
afterAll(close);

describe("https", () => {
  test("sends the URL's name as server name and Host", async () => {
    const sent = await seen(ask(`https://localhost:${https}/`, { ca: cert }));
    expect(sent).toMatchObject({
      servername: "localhost",
      headers: { host: `localhost:${https}` },
    });
  });

  test("checks a literal address against the certificate's addresses, without server name", async () => {
    const sent = await seen(ask(`https://127.0.0.1:${https}/`, { ca: cert }));
    expect(sent.servername || null).toBeNull();
    const unnamed = createSecureEchoServer();
    const port = await listen(unnamed, "127.0.0.2");
    expect(await reasonOf(ask(`https://127.0.0.2:${port}/`, { ca: cert }))).toBe("tls");
    unnamed.close();
  });

  test("refuses a certificate for another name, whatever the address", async () => {
    expect(await reasonOf(ask(`https://other.test:${https}/`, { ca: cert }))).toBe("tls");
  });

  test("refuses a certificate it does not trust, also when the environment says otherwise", async () => {
    const before = process.env.NODE_TLS_REJECT_UNAUTHORIZED;
    process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
    try {
      expect(await reasonOf(ask(`https://localhost:${https}/`))).toBe("tls");
    } finally {
      if (before === undefined) delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
      else process.env.NODE_TLS_REJECT_UNAUTHORIZED = before;
    }
  });

  test("to a server that speaks plain HTTP is a tls error", async () => {
    expect(await reasonOf(ask(`https://localhost:${http}/`, { ca: cert }))).toBe("tls");
  });
});
