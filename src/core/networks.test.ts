import { describe, expect, test } from "bun:test";
import { inNetworks, isLoopback, isNetwork, networkOf } from "./networks.ts";

describe("networks", () => {
  test("an address or a range with at most its family's bits", () => {
    for (const good of ["10.0.0.0/0", "10.0.0.0/32", "10.0.0.1", "::/0", "fd00::/128", "::1"]) {
      expect([good, isNetwork(good)]).toEqual([good, true]);
    }
    const bad = [
      "",
      "a",
      "10.0.0.0/33",
      "10.0.0.0/",
      "10.0.0.0/-1",
      "::/129",
      "/8",
      "10.0.0.0/8/8",
    ];
    for (const text of [...bad, "10.0.0.0/ 8", "10.0.0/8", "[::1]", "fe80::1%eth0", "::/0128"]) {
      expect([text, isNetwork(text)]).toEqual([text, false]);
    }
  });

  test("bits count to the bit", () => {
    const isIn = inNetworks(["10.0.0.0/13", "fd00:8000::/17"]);
    for (const address of ["10.0.0.0", "10.7.255.255", "::ffff:10.7.0.1", "FD00:8000::1"]) {
      expect([address, isIn(address)]).toEqual([address, true]);
    }
    for (const address of ["10.8.0.0", "9.255.255.255", "fd00:7fff::1", "::10.0.0.1", "a", ""]) {
      expect([address, isIn(address)]).toEqual([address, false]);
    }
  });

  test("a range of one family holds no address of the other, save for mapped ones", () => {
    expect(inNetworks(["::/0"])("10.0.0.1")).toBe(false);
    expect(inNetworks(["::ffff:0:0/95"])("10.0.0.1")).toBe(false);
    expect(inNetworks(["0.0.0.0/0"])("::1")).toBe(false);
    expect(networkOf("::ffff:10.0.0.0/104")).toEqual({
      ...{ address: "10.0.0.0", family: "ipv4", bits: 8 },
    });
    expect(inNetworks(["::ffff:10.0.0.1"])("10.0.0.1")).toBe(true);
  });
});

test("loopback hosts, however they are written", () => {
  for (const host of ["localhost", "LocalHost", "127.0.0.1", "127.255.0.9", "::1", "[::1]"]) {
    expect([host, isLoopback(host)]).toEqual([host, true]);
  }
  const others = [
    "",
    "0.0.0.0",
    "::",
    "128.0.0.1",
    "127.0.0.1.example",
    "localhost.example",
    "::2",
  ];
  for (const host of others) expect([host, isLoopback(host)]).toEqual([host, false]);
});
