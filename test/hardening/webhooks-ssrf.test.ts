/** Requests never reach an address that is not allowed, at creation and at every attempt (webhooks.md §9). */
import { describe, expect, test } from "bun:test";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { allowingNetworks } from "../../src/outbound/addresses.ts";
import { startReceiver } from "../support/webhook-receiver.ts";
import { bootWebhooks, refusal } from "../support/webhooks.ts";

const STRICT = {
  settings: { allowHttp: false, allowHosts: [] },
  policy: { allowAddress: allowingNetworks([]) },
};

/** One address of every range of the table, and each as it hides in another form. */
const BLOCKED = [
  ...["0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.169.254", "172.16.0.1"],
  ...["192.0.0.1", "192.0.2.1", "192.88.99.1", "192.168.0.1", "198.18.0.1", "198.51.100.1"],
  ...["203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255"],
];
const BLOCKED_IPV6 = [
  ...["::", "::1", "64:ff9b::8.8.8.8", "64:ff9b:1::1", "100::1", "2001::1", "2001:db8::1"],
  ...[
    "3fff::1",
    "2002:808:808::1",
    "5f00::1",
    "fc00::1",
    "fdff::1",
    "fe80::1",
    "fec0::1",
    "ff02::1",
  ],
];

function decimal(address: string): string {
  return `${address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0)}`;
}

function hex(address: string): string {
  return address
    .split(".")
    .map((part) => `0x${Number(part).toString(16)}`)
    .join(".");
}

function mapped(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return `[::ffff:${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}]`;
}

const LITERALS = [
  ...BLOCKED.flatMap((address) => [address, decimal(address), hex(address), mapped(address)]),
  ...BLOCKED_IPV6.map((address) => `[${address}]`),
];

test("at creation every blocked range is refused, in every form, without naming an address", async () => {
  await using under = await bootWebhooks(STRICT);
  const { webhooks, owner } = under;
  for (const host of LITERALS) {
    const error = await refusal(webhooks.endpoints.create(owner, { url: `https://${host}/` }));
    expect([host, error.code, error.details]).toEqual([
      ...[host, "invalid_url", { reason: "blocked_address" }],
    ]);
    expect(error.message).not.toMatch(/\d/);
  }
});

test.each([...BLOCKED, ...BLOCKED_IPV6, "::ffff:127.0.0.1"])(
  "a name that leads to %s is refused at creation, and at the attempt",
  async (address) => {
    let leadsTo: readonly string[] = [address];
    const lookup = async () => leadsTo;
    await using under = await bootWebhooks({ ...STRICT, policy: { ...STRICT.policy, lookup } });
    const { webhooks, owner } = under;
    const url = "https://hooks.example.org/";
    const create = () => webhooks.endpoints.create(owner, { url });
    expect((await refusal(create())).details).toEqual({ reason: "blocked_address" });
    leadsTo = ["8.8.8.8", address];
    expect((await refusal(create())).details).toEqual({ reason: "blocked_address" });
    leadsTo = ["8.8.8.8"];
    const { endpoint } = await create();
    leadsTo = [address];
    const update = webhooks.endpoints.update(owner, endpoint.id, { url: `${url}new` });
    expect((await refusal(update)).details).toEqual({ reason: "blocked_address" });
    await under.accept();
    expect(await under.attempted(1)).toMatchObject({
      ...{ status: "failed", error: "blocked_address", responseStatus: null, responseBody: null },
    });
  },
);

test.each([
  ["http://hooks.example.org/", "scheme"],
  ["https://hooks.example.org:22/", "port"],
  ["https://localhost/", "host"],
  ["https://foo.internal/", "host"],
  ["https://bare/", "host"],
  ["https://push.example.org/", "host"],
  ["https://hooks.example.org/#x", "fragment"],
  ["not a url", "syntax"],
])("'%s' is refused: %s", async (url, reason) => {
  const settings = { ...STRICT.settings, ownHosts: ["push.example.org"] };
  const lookup = async () => ["8.8.8.8"];
  await using under = await bootWebhooks({ settings, policy: { ...STRICT.policy, lookup } });
  const { webhooks, owner } = under;
  const error = await refusal(webhooks.endpoints.create(owner, { url }));
  expect([error.code, error.details]).toEqual(["invalid_url", { reason }]);
});

test("an unresolvable host is refused as such", async () => {
  const lookup = () => Promise.reject(new Error("ENOTFOUND"));
  await using under = await bootWebhooks({ ...STRICT, policy: { ...STRICT.policy, lookup } });
  const create = under.webhooks.endpoints.create(under.owner, { url: "https://nowhere.test/" });
  expect((await refusal(create)).details).toEqual({ reason: "unresolvable" });
});

describe("addresses that change", () => {
  test("public first and loopback next never reaches loopback, whenever it changes", async () => {
    await using receiver = await startReceiver();
    for (const turn of [1, 2, 3]) {
      let asked = 0;
      // Counts as public here, so that nothing leaves the machine; nobody answers there.
      const publicAddress = "127.9.9.9";
      const lookup = async () => ((asked += 1) > turn ? ["127.0.0.1"] : [publicAddress]);
      await using under = await bootWebhooks({
        policy: { allowAddress: (address) => address === publicAddress, lookup },
      });
      await under.endpoint({ url: `http://rebind.example.org:${receiver.port}/` });
      await under.accept();
      for (let count = 1; ; count += 1) {
        const { nextAttemptAtMs, error } = await under.attempted(count);
        expect(error).toBe(count < turn ? "connect" : "blocked_address");
        if (nextAttemptAtMs === null) break;
        await under.advanceTo(nextAttemptAtMs);
      }
      // Nothing asked a second time between a check and its connection.
      expect(asked).toBe(1 + under.attempts.length);
    }
    expect(receiver.connections).toBe(0);
  });

  test("a kept connection is of no use once its name leads elsewhere", async () => {
    await using receiver = await startReceiver();
    let leadsTo = ["127.0.0.1"];
    await using under = await bootWebhooks({
      policy: {
        allowAddress: (address) => address === "127.0.0.1",
        lookup: async () => leadsTo,
      },
    });
    await under.endpoint({ url: `http://hooks.example.org:${receiver.port}/` });
    await under.accept();
    expect((await under.attempted(1)).status).toBe("succeeded");
    leadsTo = ["127.0.0.2"];
    await under.runtime.advance(100);
    await under.accept();
    expect((await under.attempted(2)).error).toBe("blocked_address");
    expect(receiver.received).toHaveLength(1);
  });
});

test("a blocked target is retried twice, and nothing that is shown names an address", async () => {
  let allowed = true;
  await using receiver = await startReceiver();
  await using under = await bootWebhooks({
    policy: { allowAddress: () => allowed, lookup: async () => ["127.0.0.1"] },
  });
  const { webhooks, owner } = under;
  const endpoint = await under.endpoint({ url: `http://hooks.example.org:${receiver.port}/` });
  allowed = false;
  const id = await under.accept();
  for (let count = 1; count <= 3; count += 1) {
    const { nextAttemptAtMs } = await under.attempted(count);
    if (nextAttemptAtMs !== null) await under.advanceTo(nextAttemptAtMs);
  }
  await under.runtime.advance(86_400_000);
  expect(under.attempts).toHaveLength(3);
  const shown = JSON.stringify([
    await webhooks.messages.get(owner, id),
    await webhooks.messages.attempts(owner, id, { limit: 10 }),
    await webhooks.deadLetters.list(owner, {}, { limit: 10 }),
    await webhooks.endpoints.get(owner, endpoint.id),
    ...[under.notices, under.errors.map(String)],
  ]);
  expect(shown).toContain("blocked_address");
  expect(shown).not.toContain("127.0.0");
  expect(receiver.connections).toBe(0);
});

test("proxy variables of the environment have no effect", async () => {
  let proxied = 0;
  const proxy = createServer((_, response) => {
    proxied += 1;
    response.end();
  });
  proxy.on("connect", () => (proxied += 1));
  await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
  const at = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const names = ["http_proxy", "HTTP_PROXY", "https_proxy", "HTTPS_PROXY", "ALL_PROXY"];
  const before = names.map((name) => [name, process.env[name]] as const);
  for (const name of names) process.env[name] = at;
  try {
    await using receiver = await startReceiver();
    await using under = await bootWebhooks();
    await under.endpoint({ url: receiver.url });
    await under.accept();
    expect((await under.attempted(1)).status).toBe("succeeded");
    expect(receiver.received).toHaveLength(1);
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
    proxy.close();
  }
  expect(proxied).toBe(0);
});
