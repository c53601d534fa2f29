/** What a URL alone may be, and what its addresses decide. The ranges themselves are `outbound/addresses.test.ts`'s. */
import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { WEBHOOK_LIMITS, WebhookError } from "./contract.ts";
import { allowingNetworks } from "../outbound/addresses.ts";
import { checkTarget, maskedUrl, targetProblem, type TargetRules } from "./target.ts";

const STRICT: TargetRules = { allowHttp: false, allowHosts: [], denyPorts: [], ownHosts: [] };

function longUrl(characters: number): string {
  const start = "https://hooks.example.org/";
  return start + "a".repeat(characters - start.length);
}

test.each([
  ["https://hooks.example.org/in", undefined],
  ["https://user:pass@hooks.example.org/in", undefined],
  ["https://hooks.example.org./in", undefined],
  ["https://hooks.example.org:443/", undefined],
  ["https://hooks.example.org:80/", undefined],
  ["https://hooks.example.org:1024/", undefined],
  ["https://hooks.example.org:65535/", undefined],
  ["https://8.8.8.8/", undefined],
  ["https://[2606:4700::1111]/", undefined],
  [longUrl(WEBHOOK_LIMITS.urlCharacters), undefined],
  [longUrl(WEBHOOK_LIMITS.urlCharacters + 1), "too_long"],
  ["http://hooks.example.org/", "scheme"],
  ["ftp://hooks.example.org/", "scheme"],
  ["javascript:alert(1)", "scheme"],
  ["hooks.example.org", "syntax"],
  ["https://", "syntax"],
  ["https://1.2.3.400/", "syntax"],
  ["https://[fe80::1%25eth0]/", "syntax"],
  ["https://hooks.example.org:65536/", "syntax"],
  ["https://hooks.example.org/#a", "fragment"],
  ["https://hooks.example.org/#", "fragment"],
  ["https://hooks.example.org:22/", "port"],
  ["https://hooks.example.org:1023/", "port"],
  ["https://hooks.example.org:0/", "port"],
  ["https://localhost/", "host"],
  ["https://LOCALHOST./", "host"],
  ["https://a.localhost/", "host"],
  ["https://printer.local/", "host"],
  ["https://foo.internal/", "host"],
  ["https://foo.INTERNAL./", "host"],
  ["https://router.home.arpa/", "host"],
  ["https://abc.onion/", "host"],
  ["https://intranet/", "host"],
] as const)("'%s' by itself: %p", (url, problem) => {
  expect(targetProblem(url, STRICT)).toBe(problem);
});

test("what the operator lets through, or adds", () => {
  const rules: TargetRules = {
    allowHttp: true,
    allowHosts: ["localhost", "*.internal"],
    denyPorts: [8080],
    ownHosts: ["push.example.org"],
  };
  expect(targetProblem("http://hooks.example.org/", rules)).toBeUndefined();
  expect(targetProblem("http://localhost:3000/", rules)).toBeUndefined();
  expect(targetProblem("https://a.b.internal/", rules)).toBeUndefined();
  expect(targetProblem("https://internal/", rules)).toBe("host");
  expect(targetProblem("https://a.localhost/", rules)).toBe("host");
  expect(targetProblem("https://hooks.example.org:8080/", rules)).toBe("port");
  expect(targetProblem("https://push.example.org/", rules)).toBe("host");
});

describe("addresses at creation", () => {
  const runtime = createTestRuntime();
  const policyOf = (addresses: readonly string[] | Error | undefined) => ({
    allowAddress: allowingNetworks([]),
    lookup: () =>
      addresses === undefined
        ? new Promise<never>(() => {})
        : addresses instanceof Error
          ? Promise.reject(addresses)
          : Promise.resolve(addresses),
  });
  const refusal = async (
    url: string,
    addresses: readonly string[] | Error | undefined = new Error("Must not be asked"),
  ) => {
    const checked = checkTarget(url, STRICT, policyOf(addresses), runtime.timers);
    if (addresses === undefined) await runtime.advance(5_000);
    const error: unknown = await checked.catch((thrown: unknown) => thrown);
    return error instanceof WebhookError ? error : undefined;
  };
  const reason = async (...args: Parameters<typeof refusal>) =>
    (await refusal(...args))?.details["reason"];

  test("must all be public, and there must be one", async () => {
    const url = "https://hooks.example.org/";
    expect(await reason(url, ["8.8.8.8", "2606:4700::1111"])).toBeUndefined();
    expect(await reason(url, ["8.8.8.8", "10.0.0.1"])).toBe("blocked_address");
    expect(await reason(url, ["::ffff:127.0.0.1"])).toBe("blocked_address");
    expect(await reason(url, [])).toBe("unresolvable");
    expect(await reason(url, new Error("ENOTFOUND"))).toBe("unresolvable");
    expect(await reason(url, undefined)).toBe("unresolvable");
    expect(runtime.pendingTimers).toBe(0);
  });

  test.each([
    "https://127.0.0.1/",
    "https://2130706433/",
    "https://0x7f.1/",
    "https://0177.0.0.1/",
    "https://１２７.0.0.1/",
    "https://10.1.2.3/",
    "https://169.254.169.254/latest/meta-data/",
    "https://[::1]/",
    "https://[::ffff:10.0.0.1]/",
    "https://[::ffff:7f00:1]/",
    "https://[64:ff9b::7f00:1]/",
    "https://[2002:7f00:1::]/",
    "https://[fd00::1]/",
  ])("that are literal are judged without a resolver: %s", async (url) => {
    const error = await refusal(url);
    expect(error?.details).toEqual({ reason: "blocked_address" });
    expect(error?.message).not.toMatch(/\d/);
  });
});

test.each([
  ["https://a.test/x?y=1", "https://a.test/x?y=1"],
  ["https://user:s3cret@a.test/x", "https://***:***@a.test/x"],
  ["https://user@a.test/x", "https://***:***@a.test/x"],
  ["https://:s3cret@a.test/x", "https://***:***@a.test/x"],
])("'%s' is shown as '%s'", (url, shown) => {
  expect(maskedUrl(url)).toBe(shown);
});
