/** What docs/operations.md promises of the log: each refusal is provoked, in every dialect, and its line is found. */
import { describe, expect, test } from "bun:test";
import { MODEL, developmentFile } from "../../src/dialects/configuration.ts";
import { sectionsOf } from "../../src/config/fields.ts";
import { LIMIT_NAMES } from "../../src/dialects/dialect.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { QUIET_MS } from "../../src/operations/told.ts";
import { allErrors } from "../../src/cli/errors.ts";
import { until } from "../support/hostile.ts";
import { connectRaw, handshake } from "../support/raw-websocket.ts";
import { createTestRuntime } from "../support/runtime.ts";
import { bootServer, temporaryDir, type BootedServer } from "../support/server.ts";
import { connectTask } from "../support/tasks-socket.ts";
import { issueToken } from "../support/tasks-rpc.ts";
import { hs256 } from "../support/tokens.ts";

const APP = { id: "dev", allowed_origins: ["https://shop.example"] };
const EVIL = "https://evil.example";
const WARN = 40;
const ERROR = 50;

const boot = (config: object = {}) => bootServer({ config: { apps: [APP], ...config } });

type Line = Readonly<Record<string, unknown>>;

const WORDS: ReadonlySet<unknown> = new Set((await allErrors()).map(({ word }) => word));
/** All but `Connection opened` are refusals, ends, or what was left out. */
const TOLD = /refused$|ended$|left out$/;

/** Each has a word that the page of errors explains. */
function expectWords(lines: readonly Line[]): void {
  const told = lines.filter(({ msg }) => TOLD.test(String(msg)));
  expect(told.filter(({ word }) => !WORDS.has(word))).toEqual([]);
}

/** What was logged while `act` ran, of refusals and ends. */
async function linesOf(server: BootedServer, act: () => unknown): Promise<readonly Line[]> {
  const from = server.logged.length;
  await act();
  const lines = server.logged.slice(from);
  expectWords(lines);
  return lines;
}

const callsCounted = async ({ apiUrl }: BootedServer) =>
  (await (await fetch(`${apiUrl}/metrics`)).text())
    .split("\n")
    .filter((line) => line.startsWith("carillon_api_requests_total{"));

const call = (url: string, headers: Record<string, string>, body?: string, method = "POST") =>
  fetch(url, { method, headers, ...(body === undefined ? {} : { body }) });

describe("a refused origin is one warning for each app, that names allowed_origins", () => {
  test("on every way in", async () => {
    await using server = await boot();
    const { clientToken } = await issueToken(server);
    const tries: Record<string, (origin: string) => Promise<unknown>> = {
      streaming: (Origin) => handshake(server.websocketUrl, { headers: { Origin } }),
      tasks: async (origin) => {
        using client = await connectTask(server, clientToken, { headers: { origin } });
        await client.ended;
      },
      events: (Origin) =>
        fetch(`${server.clientsUrl}/events/connection_token`, { headers: { Origin } }),
      gusher: (Origin) => call(`${server.apiUrl}/gusher/push/dev/c/e`, { Origin }),
      rpc: (Origin) => call(`${server.apiUrl}/rpc`, { Origin }, "{}"),
      metrics: (Origin) => call(`${server.apiUrl}/metrics`, { Origin }, undefined, "GET"),
    };
    for (const [way, attempt] of Object.entries(tries)) {
      const origin = `https://${way}.example`;
      const lines = await linesOf(server, async () => {
        for (let time = 0; time < 3; time++) await attempt(origin);
      });
      const warnings = lines.filter(({ level }) => level === WARN);
      expect([way, warnings]).toMatchObject([
        way,
        [
          {
            msg: "Origin refused",
            word: "origin_refused",
            origin,
            detail: expect.stringContaining("allowed_origins"),
          },
        ],
      ]);
      expect(warnings[0]?.["app"]).toBe(way === "metrics" ? undefined : "dev");
    }
    // Not the app's own pages, nor calls without one.
    const lines = await linesOf(server, async () => {
      for (const origin of ["https://shop.example", undefined]) {
        const sent = origin === undefined ? {} : { Origin: origin };
        (await connectRaw(server.websocketUrl, { headers: sent })).destroy();
        await call(`${server.apiUrl}/gusher/push/dev/c/e`, { ...sent }, "data=1");
      }
    });
    expect(lines.filter(({ level }) => level === WARN)).toEqual([]);
  });
});

describe("each refused call is a line at level debug", () => {
  const refusal = { msg: "API call refused", level: 20 };
  const key = { "X-API-Key": "dev-api-key" };
  const wrong = { "X-API-Key": "wrong-key-0123456789" };

  test.each<[string, (server: BootedServer) => Promise<unknown>, Line]>([
    [
      "streaming: a wrong key",
      ({ apiUrl }) => call(`${apiUrl}/api/info`, wrong, "{}"),
      {
        ...{ dialect: "streaming", status: 401, detail: expect.stringContaining("API key") },
      },
    ],
    [
      "streaming: an unknown method",
      ({ apiUrl }) => call(`${apiUrl}/api/x`, key, "{}"),
      {
        ...{ dialect: "streaming", method: "x", status: 404 },
      },
    ],
    [
      "streaming: no body",
      ({ apiUrl }) => call(`${apiUrl}/api/publish`, key),
      {
        ...{ dialect: "streaming", method: "publish", status: 400 },
      },
    ],
    [
      "streaming: a large body",
      ({ apiUrl }) => call(`${apiUrl}/api/publish`, key, "x".repeat(600_000)),
      {
        ...{ dialect: "streaming", method: "publish", status: 413 },
      },
    ],
    [
      "streaming: no JSON",
      ({ apiUrl }) => call(`${apiUrl}/api/publish`, key, "{"),
      {
        ...{ dialect: "streaming", method: "publish", status: 400 },
      },
    ],
    [
      "streaming: a command",
      ({ apiUrl }) => call(`${apiUrl}/api/publish`, key, "{}"),
      {
        ...{ dialect: "streaming", method: "publish", code: 107 },
      },
    ],
    [
      "gusher: a parameter",
      ({ apiUrl }) => call(`${apiUrl}/gusher/push/dev/c/e`, {}),
      {
        ...{ dialect: "gusher", method: "push", status: 400, detail: "empty data" },
      },
    ],
    [
      "gusher: a large body",
      ({ apiUrl }) => call(`${apiUrl}/gusher/push/dev/c/e`, {}, "x".repeat(131_073)),
      {
        ...{ dialect: "gusher", method: "push", status: 413 },
        detail: expect.stringContaining("gusher.body_size_limit"),
      },
    ],
    [
      "tasks: a wrong key",
      ({ apiUrl }) => call(`${apiUrl}/rpc`, wrong, "{}"),
      {
        ...{ dialect: "tasks", code: -32001, detail: expect.stringContaining("API key") },
      },
    ],
    [
      "tasks: no JSON",
      ({ apiUrl }) => call(`${apiUrl}/rpc`, key, "{"),
      {
        ...{ dialect: "tasks", code: -32700, detail: expect.stringContaining("Not valid JSON") },
      },
    ],
    [
      "tasks: no method",
      ({ apiUrl }) => call(`${apiUrl}/rpc`, key, '{"method":"x"}'),
      {
        ...{ dialect: "tasks", code: -32601 },
      },
    ],
    [
      "tasks: a large body",
      ({ apiUrl }) => call(`${apiUrl}/rpc`, key, "x".repeat(300_000)),
      {
        ...{ dialect: "tasks", status: 413 },
      },
    ],
    [
      "tasks: a parameter",
      ({ apiUrl }) => call(`${apiUrl}/rpc`, key, '{"method":"invoke_envoy","params":{}}'),
      {
        ...{ dialect: "tasks", method: "invoke_envoy", code: -32602, param: "task_id" },
      },
    ],
    [
      "events: no credential",
      ({ apiUrl }) => call(`${apiUrl}/events/publish`, {}, "{}"),
      {
        ...{ dialect: "events", method: "publish", status: 401, code: "authentication_required" },
      },
    ],
    [
      "events: a wrong key",
      ({ apiUrl }) => call(`${apiUrl}/events/publish`, wrong, "{}"),
      {
        ...{ dialect: "events", method: "publish", status: 401, code: "invalid_token" },
      },
    ],
    [
      "events: a wrong method",
      ({ apiUrl }) => call(`${apiUrl}/events/publish`, key, undefined, "GET"),
      {
        ...{ dialect: "events", method: "publish", status: 405 },
      },
    ],
    [
      "events: a parameter",
      ({ apiUrl }) => call(`${apiUrl}/events/publish`, key, "{}"),
      {
        ...{ dialect: "events", method: "publish", status: 400, detail: expect.any(String) },
      },
    ],
    [
      "events: a large body",
      ({ apiUrl }) => call(`${apiUrl}/events/publish`, key, "x".repeat(600_000)),
      {
        ...{ dialect: "events", method: "publish", status: 413, code: "payload_too_large" },
      },
    ],
    [
      "events: one of a batch",
      ({ apiUrl }) => call(`${apiUrl}/events/publish/batch`, key, "[{}]"),
      {
        ...{ dialect: "events", method: "publish_batch", item: 0, status: 400 },
      },
    ],
    [
      "events: on clients",
      ({ clientsUrl }) => call(`${clientsUrl}/events/connection_token`, {}),
      {
        ...{ dialect: "events", method: "connection_token", status: 401 },
      },
    ],
    [
      "events: no such path",
      ({ apiUrl }) => call(`${apiUrl}/events/x`, key),
      {
        ...{ dialect: "events", method: "unknown", status: 404 },
      },
    ],
    [
      "webhooks",
      ({ apiUrl }) => call(`${apiUrl}/webhooks/endpoints`, wrong, "{}"),
      {
        ...{ dialect: "events", method: "webhooks", status: 401 },
      },
    ],
    [
      "the key set",
      ({ apiUrl }) => call(`${apiUrl}/.well-known/jwks.json`, {}),
      {
        ...{ dialect: "events", method: "jwks", status: 405 },
      },
    ],
    [
      "metrics: another app's page",
      ({ apiUrl }) => call(`${apiUrl}/metrics`, { Origin: EVIL }, undefined, "GET"),
      { status: 403 },
    ],
  ])("%s", async (_name, act, line) => {
    await using server = await boot({
      events: developmentFile().events,
      ...{ gusher: { enabled: true }, tasks: { enabled: true } },
    });
    const lines = await linesOf(server, () => act(server));
    const refusals = lines.filter(({ msg }) => msg === refusal.msg);
    const { word, item } = refusals[0] ?? {};
    // Where the app is known to the call, it is counted by its word; a batch with a refused item is a success.
    const counted = await callsCounted(server);
    expect(
      counted.filter((one) => item === undefined && !one.includes(`word="${String(word)}"`)),
    ).toEqual([]);
    expect(refusals).toMatchObject([{ ...refusal, ...line }]);
    const log = JSON.stringify(server.logged);
    for (const secret of ["wrong-key", "dev-api-key"]) expect(log).not.toContain(secret);
  });
});

describe("clients", () => {
  /** The lines of what is sent to streaming's socket in one frame, up to its end. */
  async function ended(server: BootedServer, frame: unknown): Promise<readonly Line[]> {
    return linesOf(server, async () => {
      const client = await connectRaw(server.websocketUrl);
      client.send(typeof frame === "string" ? frame : JSON.stringify(frame));
      await client.next();
      client.destroy();
      await until(() => server.logged.at(-1)?.["msg"] === "Connection ended");
    });
  }

  test("close 3500 is told with its reason", async () => {
    await using server = await boot();
    const bad = `${hs256({ sub: "42" }).slice(0, -4)}AAAA`;
    for (const token of [bad, "no-token", hs256({ sub: 42 })]) {
      const lines = await ended(server, { id: 1, connect: { token } });
      const end = lines.find(({ msg }) => msg === "Connection ended");
      expect(end).toMatchObject({ dialect: "streaming", code: 3500 });
      // More than the words of the close frame, and nothing of the token.
      expect(end?.["detail"]).toMatch(/^(?:The token's|Token) .{8}/);
      expect(JSON.stringify(lines)).not.toContain(token.slice(-20));
    }
  });

  test.each<[string, unknown, string]>([
    ["no token", { id: 1, connect: {} }, "no token"],
    ["a command before the connect", { id: 1, subscribe: { channel: "a" } }, "must be connect"],
    ["a frame that is none", "{", "Frame refused"],
  ])("streaming: %s", async (_name, frame, told) => {
    await using server = await boot({
      streaming: { allow_anonymous_connect_without_token: false },
    });
    expect(JSON.stringify(await ended(server, frame))).toContain(told);
  });

  test("refused handshakes are told by every dialect, and so are connections and their ends", async () => {
    await using server = await boot({
      streaming: { connection_limit: 1, allow_anonymous_connect_without_token: true },
    });
    const clientsUrl = server.clientsUrl.replace("http", "ws");
    const { clientToken } = await issueToken(server);
    const lines = await linesOf(server, async () => {
      await handshake(`${clientsUrl}/gusher/ws/dev?token=x`);
      await handshake(server.websocketUrl, { headers: { Origin: EVIL } });
      const first = await connectRaw(server.websocketUrl);
      first.send('{"id":1,"connect":{}}');
      await first.next();
      await handshake(server.websocketUrl);
      first.destroy();
      const task = await connectTask(server, "AAAA");
      await task.ended;
      const waiting = await connectTask(server, clientToken);
      await waiting.next();
      waiting.raw.destroy();
      await until(() => server.logged.at(-1)?.["msg"] === "Connection ended");
    });
    const told = lines
      .filter(({ level }) => level !== WARN)
      .map(({ dialect, msg, status, code }) => [dialect, msg, status ?? code]);
    for (const line of [
      ["gusher", "Connect refused", 401],
      ["streaming", "Connect refused", 403],
      ["streaming", "Connection opened", undefined],
      ["streaming", "Connect refused", 503],
      ["streaming", "Connection ended", expect.any(Number)],
      ["tasks", "Connection opened", undefined],
      ["tasks", "Connect refused", undefined],
      ["tasks", "Connection ended", 4502],
      ["tasks", "Connection ended", expect.any(Number)],
    ]) {
      expect(told).toContainEqual(line);
    }
    const refusals = lines.filter(({ msg }) => msg === "Connect refused");
    for (const refusal of refusals) {
      expect(refusal).toMatchObject({ address: "127.0.0.1", detail: expect.any(String) });
    }
  });
});

test("an outage is one error, and a line when it is over, however many calls it fails", async () => {
  const dataDir = temporaryDir();
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({
    ...{ dataDir, durability: "normal", runtime, fileBytesMax: 200 * 4096 },
  });
  let away = false;
  const health = () =>
    away ? Promise.resolve({ ready: false, reason: "full" }) : Promise.resolve({ ready: true });
  await using server = await bootServer({
    ...{ dataDir, runtime, engine: Object.assign(engine, { health }) },
    config: { channel: { without_namespace: { history_size: 1000, history_ttl: "1h" } } },
  });
  const data = "x".repeat(20_000);
  const publish = () => server.api("publish", { channel: "c", data });
  await until(async () => (await publish()).error?.code === 100);
  away = true;
  for (let call = 0; call < 100; call++) expect((await publish()).error?.code).toBe(100);
  const errors = () => server.logged.filter(({ level }) => level === ERROR);
  expect(errors()).toMatchObject([{ dialect: "streaming", doing: "publish" }]);
  expect(server.logged.filter(({ msg }) => msg === "API call refused").length).toBeGreaterThan(100);
  away = false;
  await server.advance(2 * QUIET_MS);
  expect(server.logged.filter(({ msg }) => msg === "A failure is over")).toMatchObject([
    { reason: expect.stringContaining("Cannot write to the database"), times: 101 },
  ]);
  await publish();
  expect(errors()).toHaveLength(2);
});

test("limits are counted by the names that the configuration has for them", () => {
  const names = new Set(
    sectionsOf(MODEL.schema).flatMap(({ path, fields }) =>
      fields.map((field) => {
        const [key = ""] = field.path.slice(-1);
        return ["gusher", "streaming", "tasks", "events", "messaging"].includes(path[0] ?? "")
          ? key
          : field.path.join(".");
      }),
    ),
  );
  // A bound of the core's, and one that messaging's protocol sets: they cannot be configured.
  expect(LIMIT_NAMES.filter((name) => !names.has(name))).toEqual(["queue_jobs_max", "watch_limit"]);
});
