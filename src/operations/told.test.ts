import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { HubError } from "../core/errors.ts";
import { createLogger } from "./log.ts";
import { createTold, QUIET_MS, REASONS_MAX, WARNED_ORIGINS_MAX } from "./told.ts";

const [DEBUG, INFO, WARN, ERROR] = [20, 30, 40, 50];

function setUp() {
  const lines: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>),
  };
  const log = createLogger({ level: "debug", format: "json", destination });
  const runtime = createTestRuntime();
  const engine = { ready: true };
  const told = createTold({ log, runtime, ready: async () => engine.ready });
  const at = (level: number) => lines.filter((line) => line["level"] === level);
  return { told, runtime, engine, lines, at };
}

const away = (message: string, cause?: string) =>
  new HubError("unavailable", message, cause === undefined ? {} : { cause: new Error(cause) });

describe("a failure that goes on", () => {
  test("is one error for each reason, whoever meets it, and a line when it is over", async () => {
    const { told, runtime, engine, at } = setUp();
    engine.ready = false;
    for (let call = 0; call < 1000; call++) {
      told.failed(
        away("Redis is away"),
        { dialect: "streaming", connection: `${call}` },
        "A command failed",
      );
      told.failed(away("Redis is away"), { doing: "x" }, "Unexpected error");
      if (call % 2 === 1) told.failed(away("Cannot write", "disk full"), {}, "A call failed");
    }
    told.failed(away("Cannot write", "read-only"), {}, "A call failed");
    expect(at(ERROR)).toMatchObject([
      {
        msg: "A command failed",
        dialect: "streaming",
        connection: "0",
        err: { message: "Redis is away" },
      },
      { msg: "A call failed" },
      { msg: "A call failed" },
    ]);
    // Nobody calls, but the engine is not there yet.
    await runtime.advance(10 * QUIET_MS);
    told.failed(away("Redis is away"), {}, "A command failed");
    expect(at(ERROR)).toHaveLength(3);
    expect(at(INFO)).toEqual([]);
    engine.ready = true;
    await runtime.advance(2 * QUIET_MS);
    expect(at(INFO)).toMatchObject([
      { msg: "A failure is over", reason: "Redis is away", times: 2001 },
      { msg: "A failure is over", reason: "Cannot write: disk full", times: 500 },
      { msg: "A failure is over", reason: "Cannot write: read-only", times: 1 },
    ]);
    expect(runtime.pendingTimers).toBe(0);
    told.failed(away("Redis is away"), {}, "A command failed");
    expect(at(ERROR)).toHaveLength(4);
    told.close();
    expect(runtime.pendingTimers).toBe(0);
  });

  test("of more reasons than are remembered is one more line", async () => {
    const { told, runtime, at } = setUp();
    for (let reason = 0; reason < REASONS_MAX; reason++) told.failed(away(`${reason}`), {}, "x");
    expect(at(ERROR)).toHaveLength(REASONS_MAX);
    for (let reason = 0; reason < 3 * REASONS_MAX; reason++)
      told.failed(away(`${reason}`), {}, "x");
    expect(at(ERROR)).toHaveLength(REASONS_MAX + 1);
    await runtime.advance(2 * QUIET_MS);
    expect(at(INFO)).toHaveLength(REASONS_MAX + 1);
    told.close();
  });

  test("is no bug, of which each is told", () => {
    const { told, runtime, at } = setUp();
    for (const error of [new Error("a"), new Error("a"), new HubError("bad_request", "a"), "a"]) {
      told.failed(error, {}, "Unexpected error");
    }
    expect(at(ERROR)).toHaveLength(4);
    expect(runtime.pendingTimers).toBe(0);
  });
});

describe("events", () => {
  test("are lines at level debug, by their names", () => {
    const { told, lines } = setUp();
    told.onEvent("tasks")("Connect refused", { detail: "bad request" });
    expect(lines).toMatchObject([
      { level: DEBUG, dialect: "tasks", detail: "bad request", msg: "Connect refused" },
    ]);
  });

  test("a refused origin is one warning for each app, which says what to do", () => {
    const { told, at } = setUp();
    for (const [dialect, app, origin] of [
      ["streaming", "shop", "https://a.example"],
      ["streaming", "shop", "https://a.example"],
      ["tasks", "shop", "https://a.example"],
      ["streaming", "news", "https://a.example"],
      ["streaming", "shop", "https://b.example"],
    ] as const) {
      told.onEvent(dialect)("Origin refused", { app, origin, address: "192.0.2.1" });
    }
    told.originRefused({ app: "shop", origin: "https://b.example" });
    const detail = expect.stringContaining("allowed_origins");
    expect(at(WARN)).toMatchObject([
      { dialect: "streaming", app: "shop", origin: "https://a.example", detail },
      { dialect: "streaming", app: "news", origin: "https://a.example", detail },
      { dialect: "streaming", app: "shop", origin: "https://b.example", detail },
    ]);
    expect(at(DEBUG)).toHaveLength(3);
  });

  test("origins that anyone makes up fill neither the log nor the memory", () => {
    const { told, at } = setUp();
    for (let number = 0; number < WARNED_ORIGINS_MAX - 1; number++) {
      told.originRefused({ app: "shop", origin: `https://${number}.example` });
    }
    expect(at(WARN)).toHaveLength(WARNED_ORIGINS_MAX - 1);
    const long = `https://${"x".repeat(10_000)}.example`;
    told.originRefused({ app: "shop", origin: long });
    expect(at(WARN)).toHaveLength(WARNED_ORIGINS_MAX + 1);
    expect(String(at(WARN).at(-2)?.["origin"])).toHaveLength(200);
    expect(at(WARN).at(-1)?.["msg"]).toContain("further ones");
    told.originRefused({ app: "shop", origin: "https://another.example" });
    expect(at(WARN)).toHaveLength(WARNED_ORIGINS_MAX + 1);
    expect(at(DEBUG)).toHaveLength(1);
  });
});
