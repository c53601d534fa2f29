import { describe, expect, test } from "bun:test";
import { normaliseAddress } from "../core/networks.ts";
import { allowingNetworks, isPublicAddress } from "./addresses.ts";

const PUBLIC = [
  "1.1.1.1",
  "8.8.8.8",
  "9.255.255.255",
  "11.0.0.0",
  "100.63.255.255",
  "100.128.0.0",
  "126.255.255.255",
  "128.0.0.0",
  "169.253.255.255",
  "169.255.0.0",
  "172.15.255.255",
  "172.32.0.0",
  "192.0.1.0",
  "192.167.255.255",
  "192.169.0.0",
  "198.17.255.255",
  "198.20.0.0",
  "223.255.255.255",
  "2606:4700:4700::1111",
  "2001:200::1",
  "2001:4860:4860::8888",
  "2a00:1450:4001::1",
  "3ffe:ffff::1",
  "::ffff:8.8.8.8",
  "::FFFF:0808:0808",
];

const NOT_PUBLIC = {
  unspecified: ["0.0.0.0", "0.255.255.255", "::", "0:0:0:0:0:0:0:0"],
  loopback: ["127.0.0.1", "127.255.255.255", "::1", "0:0:0:0:0:0:0:1"],
  private: [
    "10.0.0.0",
    "10.255.255.255",
    "172.16.0.0",
    "172.31.255.255",
    "192.168.0.0",
    "192.168.255.255",
  ],
  "link-local": ["169.254.0.0", "169.254.169.254", "169.254.255.255", "fe80::1", "febf:ffff::1"],
  "zone suffix": ["fe80::1%eth0", "2606:4700::1%eth0"],
  "site-local": ["fec0::1", "feff::1"],
  "carrier-grade NAT": ["100.64.0.0", "100.127.255.255"],
  multicast: ["224.0.0.1", "239.255.255.255", "ff02::1", "ffff:ffff::1"],
  "reserved and broadcast": ["240.0.0.0", "255.255.255.255"],
  documentation: [
    "192.0.2.1",
    "198.51.100.1",
    "203.0.113.1",
    "2001:db8::1",
    "3fff::1",
    "3fff:fff::1",
  ],
  benchmarking: ["198.18.0.0", "198.19.255.255", "2001:2::1"],
  "protocol assignments": ["192.0.0.1", "192.0.0.255", "2001:10::1", "2001:1ff:ffff::1"],
  "unique local": ["fc00::1", "fd12:3456::1", "fdff::1"],
  "discard, segment routing, unassigned": ["100::1", "5f00::1", "4000::1", "1fff::1", "e000::1"],
  "IPv4-mapped": [
    "::ffff:127.0.0.1",
    "::ffff:7f00:1",
    "::ffff:10.0.0.1",
    "0:0:0:0:0:ffff:a9fe:a9fe",
  ],
  "IPv4-compatible": ["::127.0.0.1", "::10.0.0.1", "::8.8.8.8"],
  NAT64: ["64:ff9b::7f00:1", "64:ff9b::10.0.0.1", "64:ff9b::8.8.8.8", "64:ff9b:1::1"],
  "6to4": ["2002:7f00:1::", "2002:a00:1::1", "2002:808:808::1", "192.88.99.1"],
  Teredo: ["2001::1", "2001:0:7f00:1::", "2001:0:4136:e378:8000:63bf:3fff:fdd2"],
  "no address": [
    "",
    "localhost",
    "127.1",
    "0x7f.0.0.1",
    "01.2.3.4",
    "1.2.3",
    "[::1]",
    "1.1.1.1 ",
    ":::",
    "::1/128",
  ],
};

test.each(PUBLIC)("isPublicAddress() is true for %s", (address) => {
  expect(isPublicAddress(address)).toBe(true);
});

for (const [kind, addresses] of Object.entries(NOT_PUBLIC)) {
  describe(kind, () => {
    test.each(addresses)("isPublicAddress() is false for '%s'", (address) => {
      expect(isPublicAddress(address)).toBe(false);
    });
  });
}

test.each([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:127.0.0.1", "127.0.0.1"],
  ["::FFFF:7F00:1", "127.0.0.1"],
  ["0:0:0:0:0:ffff:0808:0808", "8.8.8.8"],
  ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
  ["::", "::"],
  ["fe80::1%eth0", undefined],
  ["[::1]", undefined],
  ["127.1", undefined],
  ["example.test", undefined],
])("normaliseAddress() of '%s' is %p", (address, normalised) => {
  expect(normaliseAddress(address)).toBe(normalised as string);
});

test.each([
  [[], "1.1.1.1", true],
  [[], "10.1.2.3", false],
  [["10.0.0.0/8"], "10.1.2.3", true],
  [["10.0.0.0/8"], "11.1.2.3", true],
  [["10.0.0.0/8"], "192.168.0.1", false],
  [["10.0.0.0/8"], "::ffff:10.1.2.3", true],
  [["192.168.7.0/25"], "192.168.7.127", true],
  [["192.168.7.0/25"], "192.168.7.128", false],
  [["127.0.0.1"], "127.0.0.1", true],
  [["127.0.0.1"], "127.0.0.2", false],
  [["fd00::/8"], "fd12::1", true],
  [["fd00::/8"], "fe80::1", false],
  [["::1"], "::1", true],
  [["::1"], "::2", false],
  [["::/0"], "10.0.0.1", false],
  [["0.0.0.0/0"], "::1", false],
  [["0.0.0.0/0"], "127.0.0.1", true],
  [["0.0.0.0/0"], "no address", false],
])("allowing %p, '%s' is %p", (networks, address, allowed) => {
  expect(allowingNetworks(networks)(address)).toBe(allowed);
});
