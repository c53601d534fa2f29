/** The addresses that a request connects to: resolved once, all checked, tried in turn. */
import { afterAll, describe, expect, test } from "bun:test";
import { isPublicAddress } from "./addresses.ts";
import { request } from "./request.ts";
import { ask, failureOf, reasonOf, seen } from "./test-asking.ts";
import { startEchoServers } from "./test-servers.ts";

const { http, close } = await startEchoServers();
afterAll(close);

describe("addresses", () => {
  test.each([
    "http://127.0.0.1/",
    "http://2130706433/",
    "http://0x7f.1/",
    "http://0177.0.0.1/",
    "http://１２７.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://[::ffff:a9fe:a9fe]/",
    "http://[64:ff9b::7f00:1]/",
    "http://169.254.169.254/latest/meta-data/",
  ])("literal %s is checked", async (url) => {
    const lookup = () => Promise.reject(new Error("Must not be asked"));
    const error = await failureOf(ask(url, { allowAddress: isPublicAddress, lookup }));
    expect(error.reason).toBe("blocked_address");
  });

  test("are all checked, and one that is blocked refuses the host without being named", async () => {
    const checked: string[] = [];
    const error = await failureOf(
      ask(`http://mixed.test:${http}/`, {
        lookup: async () => ["1.1.1.1", "::ffff:10.9.8.7"],
        allowAddress: (address) => {
          checked.push(address);
          return isPublicAddress(address);
        },
      }),
    );
    expect(error.reason).toBe("blocked_address");
    expect(checked).toEqual(["1.1.1.1", "10.9.8.7"]);
    expect(error.message).not.toContain("10.9.8.7");
  });

  test("with a zone suffix, or that are none, are refused", async () => {
    for (const address of ["fe80::1%eth0", "a.test", ""]) {
      const error = await failureOf(
        ask(`http://a.test:${http}/`, { lookup: async () => [address] }),
      );
      expect(error.reason).toBe("blocked_address");
    }
  });

  test("are resolved once, and the connection goes to the checked one", async () => {
    let asked = 0;
    const lookup = async (hostname: string) => {
      expect(hostname).toBe("rebinding.test");
      asked += 1;
      return asked === 1 ? ["127.0.0.1"] : ["192.0.2.1"];
    };
    expect((await ask(`http://rebinding.test:${http}/`, { lookup })).status).toBe(200);
    expect(asked).toBe(1);
  });

  test("that refuse the connection give way to the next one", async () => {
    const lookup = async () => ["127.0.0.2", "127.0.0.3", "127.0.0.1"];
    expect((await ask(`http://a.test:${http}/`, { lookup })).status).toBe(200);
  });

  test("are tried only so far", async () => {
    const lookup = async () => ["127.0.0.2", "127.0.0.3", "127.0.0.4", "127.0.0.5", "127.0.0.1"];
    expect(await reasonOf(ask(`http://a.test:${http}/`, { lookup }))).toBe("connect");
  });

  test("embedded in IPv6 are connected to as IPv4", async () => {
    const sent = await seen(ask(`http://[::ffff:127.0.0.1]:${http}/`));
    expect(sent.headers.host).toBe(`[::ffff:7f00:1]:${http}`);
  });

  test("of the system's resolver serve when none is given", async () => {
    const response = await request({
      url: `http://localhost:${http}/`,
      timeoutMs: 5000,
      responseBytesMax: 1000,
      allowAddress: () => true,
    });
    expect(response.status).toBe(200);
  });

  test("that cannot be found are a dns error", async () => {
    const lookup = () => Promise.reject(new Error("ENOTFOUND"));
    expect(await reasonOf(ask("http://a.test/", { lookup }))).toBe("dns");
    expect(await reasonOf(ask("http://a.test/", { lookup: async () => [] }))).toBe("dns");
  });
});
