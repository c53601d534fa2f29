/** `carillon doctor` finds what is planted, and nothing at a healthy server. Open files and exit codes: src/cli/doctor.test.ts. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { createHash } from "node:crypto";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { DIALECTS } from "../../src/dialects/list.ts";
import { examined, idsOf, presentRuntime, type Examined } from "../support/doctor.ts";
import { plantProxy, type PlantedFault } from "../support/planted-proxy.ts";
import type { TestRuntime } from "../support/runtime.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";
import { hs256 } from "../support/tokens.ts";

const TLS = { cert: "test/fixtures/tls/cert.pem", key: "test/fixtures/tls/key.pem" };

let runtime: TestRuntime;
let server: BootedServer;
beforeAll(async () => {
  runtime = presentRuntime();
  server = await bootServer({ runtime });
});
afterAll(() => server[Symbol.asyncDispose]());

function hashOf(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** At the healthy server. */
const look = (options: Examined = {}) => examined(server, { runtime, ...options });

/** Through a proxy with this fault. */
async function through(fault: PlantedFault, options: Examined = {}) {
  await using proxy = await plantProxy(server.clientsUrl, fault);
  return await look({ clientsUrl: proxy.url, ...options });
}

/** Lets time pass, and what travels meanwhile arrive. */
async function passTime(isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await runtime.advance(500);
    await fetch(`${server.apiUrl}/health`);
  }
}

describe("a healthy server", () => {
  test("is tried by each dialect's client, and nothing is found", async () => {
    const report = await look();
    expect(report).toMatchObject({ severity: "healthy", findings: [] });
    const tried = report.measured.map(({ dialect, published, lost }) => [dialect, published, lost]);
    expect(tried).toEqual([
      ["events", 0, 0],
      ...["gusher", "messaging", "sora", "streaming", "tasks"].map((name) => [name, 13, 0]),
    ]);
  });

  test("is not asked to recover what it does not offer", async () => {
    const without = { dialects: ["streaming"], history_size: 10, history_ttl: "60s" };
    const file = { channel: { without_namespace: without } };
    await using other = await bootServer({ config: file, runtime: presentRuntime() });
    const dialects = DIALECTS.filter(({ name }) => name === "streaming");
    expect(await examined(other, { file, dialects })).toMatchObject({
      findings: [],
      measured: [{ dialect: "streaming", published: 13, lost: 0 }],
    });
  });

  test("with apps below prefixes and the API on clients is healthy as well", async () => {
    const secret = "0123456789012345678901234567890123456789";
    const file = {
      api: { port: 0, on_clients: true },
      apps: ["shop", "other"].map((id) => ({ id, path_prefix: `/${id}` })),
      api_keys: [{ id: "shop", app: "shop", hash: hashOf("evk_shop_1"), scopes: ["*"] }],
      signing_keys: ["streaming", "gusher", "tasks"].map((use, index) => ({
        ...{ use, app: "shop", hmac_secret: `${secret}${index}` },
      })),
    };
    const development = false;
    const enabled = { enabled: true };
    const services = { gusher: enabled, tasks: enabled, messaging: enabled, sora: enabled };
    const channel = { without_namespace: { dialects: ["streaming", "gusher", "sora"] } };
    const config = { ...file, ...services, development, channel, events: {} };
    await using other = await bootServer({ config, runtime: presentRuntime() });
    const [clientsUrl, apiUrl] = [`${other.clientsUrl}/shop`, `${other.apiUrl}/shop`];
    const report = await examined(other, {
      ...{ file: config, clientsUrl, apiUrl, key: "evk_shop_1", developmentKey: undefined },
    });
    expect(report.findings).toEqual([]);
    expect(report.measured.map(({ dialect, lost }) => [dialect, lost])).toEqual(
      ["gusher", "messaging", "sora", "streaming", "tasks"].map((name) => [name, 0]),
    );
  });

  test("is found healthy by the whole run, which waits for a ping", async () => {
    let over = false;
    const waiting = Promise.withResolvers<void>();
    const looking = look({ quick: false, onWait: () => waiting.resolve() }).finally(
      () => (over = true),
    );
    await waiting.promise;
    await passTime(() => over);
    expect(await looking).toMatchObject({ severity: "healthy", findings: [] });
  });
});

test("a run ends after 60 seconds, whatever does not answer", async () => {
  const asked = Promise.withResolvers<void>();
  const never = new Promise<never>(() => {});
  const looking = look({
    post() {
      asked.resolve();
      return never;
    },
  });
  await asked.promise;
  await runtime.advance(60_000);
  expect(idsOf(await looking)).toEqual(["time"]);
});

describe("a proxy", () => {
  test("that keeps answers until their end is found", async () => {
    await using proxy = await plantProxy(server.clientsUrl, { kind: "buffers" });
    const looking = look({ clientsUrl: proxy.url });
    await proxy.struck;
    await runtime.advance(3000);
    expect(idsOf(await looking)).toEqual(["buffering"]);
  });

  test("that cuts quiet connections before the server's ping is found", async () => {
    const idle = { kind: "cuts", idleMs: 10_000, timers: runtime.timers } as const;
    await using proxy = await plantProxy(server.clientsUrl, idle);
    const waiting = Promise.withResolvers<void>();
    let over = false;
    const looking = look({
      ...{ clientsUrl: proxy.url, quick: false, onWait: () => waiting.resolve() },
    }).finally(() => (over = true));
    await waiting.promise;
    await passTime(() => over);
    const report = await looking;
    expect(idsOf(report)).toEqual(["idle"]);
    expect(report.findings[0]?.message).toMatch(/cut after \d+ s, before .* every 25 s/);
  });

  test("that drops upgrades is found once, for all dialects", async () => {
    const { findings } = await through({ kind: "drops upgrades" });
    expect(findings).toHaveLength(1);
    expect(findings[0]).toMatchObject({ id: "upgrade", severity: "error" });
    expect(findings[0]?.about.toSorted()).toEqual([
      "events",
      "gusher",
      "messaging",
      "sora",
      "streaming",
      "tasks",
    ]);
  });

  test("without a server behind it is found", async () => {
    expect(idsOf(await through({ kind: "answers 502" }))).toEqual(["clients-unreachable"]);
  });

  test("that loses a publication is found", async () => {
    await using proxy = await plantProxy(server.clientsUrl, { kind: "loses", text: "-4." });
    let over = false;
    // WebRTC takes its own time, and no test's.
    const dialects = DIALECTS.filter(({ name }) => name !== "sora");
    const looking = look({ clientsUrl: proxy.url, dialects }).finally(() => (over = true));
    await proxy.struck;
    await passTime(() => over);
    // The time that passes is latency to whichever dialect is not done when the first has lost its publication.
    const findings = (await looking).findings.filter(({ id }) => id !== "latency");
    expect(findings).toMatchObject([{ id: "lost", message: "1 of 10 publications were lost" }]);
    expect(findings[0]?.remedy).toContain("one cluster");
    // A task's message is base64, in which the proxy does not find it.
    expect(findings[0]?.about.toSorted()).toEqual(["gusher", "messaging", "streaming"]);
  });
});

describe("keys and tokens", () => {
  test("a wrong API key is found", async () => {
    const { findings } = await look({ key: "evk_other_1", developmentKey: undefined });
    const found = findings.find(({ id }) => id === "key");
    expect(found?.severity).toBe("error");
    expect(found?.about.toSorted()).toEqual(["messaging", "streaming"]);
  });

  test("without an API key clients connect all the same, and a note says what is missing", async () => {
    const { severity, findings, measured } = await look({
      ...{ key: undefined, developmentKey: undefined },
      dialects: DIALECTS.filter(({ name }) => name === "streaming"),
    });
    expect(severity).toBe("note");
    expect(findings).toMatchObject([{ id: "not-tried", about: ["streaming"] }]);
    expect(measured).toMatchObject([{ dialect: "streaming", published: 0, lost: 0 }]);
  });

  test("an API key without the scope is found, with the command that makes one", async () => {
    const key = "evk_narrow_1";
    const narrow = { id: "narrow", hash: hashOf(key), scopes: ["gusher"] };
    const file = { api_keys: [narrow] };
    await using other = await bootServer({ config: file, runtime: presentRuntime() });
    const { findings } = await examined(other, { file, key, developmentKey: undefined });
    expect(findings).toContainEqual(
      expect.objectContaining({
        ...{ id: "key-scope", message: 'The API key lacks the scope "streaming"' },
        ...{
          about: ["streaming"],
          remedy: expect.stringContaining("carillon key --scope streaming"),
        },
      }),
    );
  });

  test("a signing key that has ended is found", async () => {
    const [streaming] = [{ use: "streaming", hmac_secret: "x".repeat(32) }];
    const file = { signing_keys: [{ ...streaming, until: "2026-01-01T00:00:00Z" }] };
    await using other = await bootServer({ config: file, runtime: presentRuntime() });
    const report = await examined(other, { file });
    expect(report.severity).toBe("error");
    expect(report.findings[0]).toMatchObject({ id: "key-expired", about: ["streaming"] });
    expect(report.findings[0]?.message).toContain("2026-01-01T00:00:00.000Z");
  });

  test("a token that has ended is found before anything is tried with it", async () => {
    const token = hs256({ sub: "u1", exp: Math.floor(Date.now() / 1000) - 60 });
    const report = await look({ token });
    expect(idsOf(report)).toEqual(["token-expired"]);
    expect(report.measured).toEqual([]);
  });

  test("a token by another key is found", async () => {
    const token = hs256({ sub: "u1" }, "another secret of thirty-two bytes");
    const { findings } = await look({ token });
    expect(findings).toMatchObject([{ id: "token", severity: "error" }]);
    expect(findings[0]?.about.toSorted()).toEqual(["messaging", "streaming"]);
  });

  test("nothing is printed of a token or key", async () => {
    const token = hs256({ sub: "u1" }, "another secret of thirty-two bytes");
    const report = await look({ token, key: "evk_other_secret", developmentKey: undefined });
    const text = JSON.stringify(report);
    expect(text).not.toContain(token);
    expect(text).not.toContain("evk_other_secret");
  });
});

describe("addresses, clocks and pages", () => {
  test("an API that does not answer is found, and clients are not blamed", async () => {
    const report = await look({ apiUrl: "http://127.0.0.1:9" });
    expect(idsOf(report)).toEqual(["api-unreachable"]);
  });

  test("the clients' address in place of the API's is found", async () => {
    expect(idsOf(await look({ apiUrl: server.clientsUrl }))).toEqual(["not-api"]);
  });

  test("a name that does not exist is found", async () => {
    const { findings } = await look({ clientsUrl: "http://carillon.invalid" });
    expect(findings).toMatchObject([{ id: "clients-unreachable" }]);
    expect(findings[0]?.remedy).toContain("DNS");
  });

  test("plain http where TLS is spoken is found, with the address to use", async () => {
    await using secure = await bootServer({ config: { clients: { port: 0, tls: TLS } } });
    const { host } = new URL(secure.clientsUrl);
    const { findings } = await examined(secure, { clientsUrl: `http://${host}` });
    expect(findings).toMatchObject([{ id: "tls-plain" }]);
    expect(findings[0]?.remedy).toContain(`https://${host}`);
  });

  test("a certificate that nobody trusts is found", async () => {
    await using secure = await bootServer({ config: { clients: { port: 0, tls: TLS } } });
    expect(idsOf(await examined(secure, {}))).toEqual(["tls-certificate"]);
  });

  test("TLS where plain http is spoken is found", async () => {
    const clientsUrl = server.clientsUrl.replace("http:", "https:");
    expect(idsOf(await look({ clientsUrl }))).toEqual(["tls-missing"]);
  });

  test("a clock that is 10 minutes off is found", async () => {
    const { findings } = await look({ clockOffMs: 600_000 });
    expect(findings).toContainEqual(expect.objectContaining({ id: "clock", severity: "error" }));
    expect(findings.find(({ id }) => id === "clock")?.message).toContain("10 min apart");
  });

  test("a page's origin that is not listed is found, and one that is is not", async () => {
    const apps = [{ id: "dev", allowed_origins: ["https://a.example"] }];
    await using other = await bootServer({ config: { apps }, runtime: presentRuntime() });
    const origins = ["https://a.example", "https://b.example"];
    const { findings } = await examined(other, { file: { apps }, origins });
    expect(findings).toMatchObject([{ id: "origin", about: ["https://b.example"] }]);
  });
});

test("an engine that is not ready is found with its reason, and nothing else is looked at", async () => {
  const dataDir = temporaryDir();
  const own = presentRuntime();
  const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime: own });
  await using other = await bootServer({ dataDir, engine, runtime: own });
  rmSync(join(dataDir, "carillon.db"));
  const report = await examined(other, { runtime: own });
  expect(idsOf(report)).toEqual(["not-ready"]);
  expect(report.findings[0]?.message).toContain("was removed or replaced");
});
