import { describe, expect, test } from "bun:test";
import { createTrustedProxies } from "./trusted-proxies.ts";

describe("trusted proxies", () => {
  const proxies = createTrustedProxies(["10.0.0.0/8", "192.168.1.1", "fd00::/8", "::1"]);

  test("an untrusted peer is the client, whatever it says", () => {
    expect(proxies.clientAddress("1.2.3.4", "5.6.7.8")).toBe("1.2.3.4");
    expect(proxies.clientAddress("192.168.1.2", "5.6.7.8")).toBe("192.168.1.2");
    expect(createTrustedProxies([]).clientAddress("10.0.0.1", "5.6.7.8")).toBe("10.0.0.1");
  });

  test("behind trusted proxies the nearest untrusted hop is the client", () => {
    expect(proxies.clientAddress("10.1.1.1", "5.6.7.8")).toBe("5.6.7.8");
    expect(proxies.clientAddress("10.1.1.1", "6.6.6.6, 5.6.7.8")).toBe("5.6.7.8");
    expect(proxies.clientAddress("10.1.1.1", "6.6.6.6, 5.6.7.8, 192.168.1.1")).toBe("5.6.7.8");
    expect(proxies.clientAddress("::1", "fe80::1, fd12::5")).toBe("fe80::1");
  });

  test("without an untrusted hop the farthest one is the client", () => {
    expect(proxies.clientAddress("10.1.1.1", null)).toBe("10.1.1.1");
    expect(proxies.clientAddress("10.1.1.1", "10.2.2.2, 10.3.3.3")).toBe("10.2.2.2");
  });

  test("what lies beyond an unreadable entry is ignored", () => {
    expect(proxies.clientAddress("10.1.1.1", "5.6.7.8, unknown")).toBe("10.1.1.1");
    expect(proxies.clientAddress("10.1.1.1", "5.6.7.8, , 10.2.2.2")).toBe("10.2.2.2");
    expect(proxies.clientAddress("10.1.1.1", "")).toBe("10.1.1.1");
  });

  test("ports, brackets and IPv4 in IPv6 are the same address", () => {
    expect(proxies.clientAddress("::ffff:10.1.1.1", "5.6.7.8:1234")).toBe("5.6.7.8");
    expect(proxies.clientAddress("10.1.1.1", "[2001:db8::1]:443")).toBe("2001:db8::1");
    expect(proxies.clientAddress("::ffff:1.2.3.4", null)).toBe("1.2.3.4");
  });

  test("anything but an address or a range is refused", () => {
    for (const entry of ["", "proxy", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/-1", "::/129", "/8"]) {
      expect(() => createTrustedProxies([entry])).toThrow(
        `Trusted proxy "${entry}" is neither an IP address nor a CIDR range`,
      );
    }
  });
});
