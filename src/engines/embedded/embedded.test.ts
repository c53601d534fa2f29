import { afterAll, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Database } from "bun:sqlite";

import { testEngine } from "../../../test/conformance/engine.ts";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import type { ChannelEvent, HistoryLimits } from "../../core/engine.ts";
import { HubError } from "../../core/errors.ts";
import { createEmbeddedEngine, type EmbeddedEngineOptions } from "./index.ts";

const LIMITS: HistoryLimits = { size: 1000, ttlMs: 60_000, metaTtlMs: 600_000 };
const ROOM = { space: "channels", name: "room" };
const ALL = { limit: 1_000_000 };
const root = mkdtempSync(join(tmpdir(), "carillon-embedded-"));
let dirs = 0;
let seeds = 0;

afterAll(() => rmSync(root, { recursive: true, force: true }));

function newDir(): string {
  return join(root, `data-${(dirs += 1)}`);
}

async function start(options: Partial<EmbeddedEngineOptions> = {}) {
  // A seed of its own for each run: two runs of one seed would renew an epoch to the same letters.
  const runtime = createTestRuntime((seeds += 1));
  const bugs: unknown[] = [];
  const engine = createEmbeddedEngine({
    dataDir: undefined,
    durability: "normal",
    runtime,
    onBug: (error) => void bugs.push(error),
    ...options,
  });
  await engine.start();
  return {
    engine,
    runtime,
    bugs,
    ...engine.app("app"),
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

async function startError(options: Partial<EmbeddedEngineOptions>): Promise<string> {
  const error: unknown = await start(options).catch((reason: unknown) => reason);
  return error instanceof Error ? error.message : "started";
}

function data(value: unknown) {
  return { data: { json: JSON.stringify(value) } };
}

for (const kind of ["in memory", "in a file"]) {
  testEngine(
    `embedded engine ${kind}`,
    async () => {
      const { engine, runtime } = await start(kind === "in a file" ? { dataDir: newDir() } : {});
      return {
        engine,
        advance: (ms) => runtime.advance(ms),
        [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
      };
    },
    { movesTime: true },
  );
}

describe("a restart", () => {
  async function publishOnce(options: Partial<EmbeddedEngineOptions>) {
    await using run = await start(options);
    const position = await run.broker.publish(ROOM, data("kept"), { history: LIMITS });
    return position?.epoch ?? "";
  }

  async function readOnce(options: Partial<EmbeddedEngineOptions>) {
    await using run = await start(options);
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    return {
      epoch: page.position.epoch,
      offset: page.position.offset,
      count: page.publications.length,
    };
  }

  test("keeps history, epoch, records and idempotency keys", async () => {
    const dataDir = newDir();
    const options = { history: LIMITS, idempotencyKey: "k" };
    let first, version;
    {
      await using run = await start({ dataDir });
      first = await run.broker.publish(ROOM, data("once"), options);
      version = await run.records.put("key", "value");
      await run.records.put("gone", "value");
      await run.records.delete("gone");
    }
    await using run = await start({ dataDir });
    expect(await run.broker.publish(ROOM, data("retried"), options)).toEqual(first);
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    expect(page.position).toEqual({ epoch: first?.epoch ?? "", offset: 1 });
    expect(page.publications.map((publication) => publication.data)).toEqual([{ json: '"once"' }]);
    expect(await run.records.get("key")).toEqual({
      key: "key",
      value: "value",
      version: version ?? 0,
    });
    expect(await run.records.put("gone", "again")).toBeGreaterThan((version ?? 0) + 1);
  });

  test("after a clean close keeps the epoch across boots", async () => {
    const dataDir = newDir();
    const epoch = await publishOnce({ dataDir, bootId: () => "one" });
    expect(await readOnce({ dataDir, bootId: () => "two" })).toEqual({
      epoch,
      offset: 1,
      count: 1,
    });
    expect(await readOnce({ dataDir, bootId: () => undefined })).toMatchObject({ epoch });
  });

  test.each([
    ["in the same boot keeps the epoch", "normal", "one", "one", true],
    ["in another boot renews it", "normal", "one", "two", false],
    ["in an unknown boot renews it", "normal", "one", undefined, false],
    ["after an unknown boot renews it", "normal", undefined, undefined, false],
    ["in another boot keeps it where every commit was synced", "full", "one", "two", true],
  ] as const)("after a kill %s", async (_, durability, before, after, kept) => {
    const dataDir = newDir();
    const [acknowledged] = await killMidPublishing(dataDir, { durability, bootId: before });
    const read = await readOnce({ dataDir, bootId: () => after });
    expect(read.offset).toBeGreaterThan(0);
    expect(read.epoch === acknowledged?.epoch).toBe(kept);
    expect((await readOnce({ dataDir, bootId: () => "three" })).epoch).toBe(read.epoch);
  });

  test("after a kill of a publishing process finds every acknowledged publication and record", async () => {
    const dataDir = newDir();
    const acknowledged = await killMidPublishing(dataDir, { acknowledged: 2000, bootId: "one" });
    expect(acknowledged.length).toBeGreaterThanOrEqual(2000);
    await using run = await start({ dataDir, bootId: () => "one", runtime: systemRuntime });
    const page = await run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    const stored = new Map(
      page.publications.map(({ position, data: payload }) => [position?.offset, payload]),
    );
    expect(page.position.offset).toBe(page.publications.length);
    for (const { epoch, offset, text } of acknowledged) {
      expect(epoch).toBe(page.position.epoch);
      expect(stored.get(offset)).toEqual({ json: text });
    }
    const record = await run.records.get("last");
    expect(Number(record?.value)).toBeGreaterThanOrEqual(Number(acknowledged.at(-1)?.text));
    const next = await run.broker.publish(ROOM, data("next"), { history: LIMITS });
    expect(next).toEqual({ epoch: page.position.epoch, offset: page.position.offset + 1 });
  });

  test("on a copy of the file renews the epoch", async () => {
    const dataDir = newDir();
    const epoch = await publishOnce({ dataDir });
    const copyDir = newDir();
    mkdirSync(copyDir);
    copyFileSync(join(dataDir, "carillon.db"), join(copyDir, "carillon.db"));
    const copy = await readOnce({ dataDir: copyDir });
    expect(copy).toMatchObject({ offset: 1, count: 1 });
    expect(copy.epoch).not.toBe(epoch);
    expect(await readOnce({ dataDir: copyDir })).toEqual(copy);
    expect((await readOnce({ dataDir })).epoch).toBe(epoch);
  });
});

describe("a start", () => {
  async function filledDir(): Promise<string> {
    const dataDir = newDir();
    await using run = await start({ dataDir });
    for (let number = 0; number < 100; number += 1) {
      await run.broker.publish(ROOM, data("x".repeat(1000)), { history: LIMITS });
    }
    return dataDir;
  }

  test("makes directory and file for their owner alone, and a clean close leaves one file", async () => {
    const dataDir = join(newDir(), "deeper");
    {
      await using run = await start({ dataDir });
      await run.records.put("k", "v");
      expect(statSync(dataDir).mode & 0o777).toBe(0o700);
      for (const file of readdirSync(dataDir)) {
        expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600);
      }
    }
    expect(readdirSync(dataDir)).toEqual(["carillon.db"]);
  });

  test("is refused while another engine has the file, and possible after its end", async () => {
    const dataDir = newDir();
    const path = join(dataDir, "carillon.db");
    {
      await using run = await start({ dataDir });
      const refused = `Cannot open the database "${path}": another process is using it`;
      expect(await startError({ dataDir })).toBe(refused);
      expect(await run.records.put("k", "v")).toBeDefined();
      expect(await startError({ dataDir })).toBe(refused);
    }
    await using run = await start({ dataDir });
    expect((await run.records.get("k"))?.value).toBe("v");
  });

  test("is refused while another process has the file, and possible once that is killed", async () => {
    const dataDir = newDir();
    await killMidPublishing(dataDir, {
      async whileRunning() {
        expect(await startError({ dataDir })).toEndWith(": another process is using it");
      },
    });
    await using run = await start({ dataDir });
    expect((await run.engine.health()).ready).toBe(true);
  });

  test.each([
    [
      "not a database",
      (path: string) => writeFileSync(path, "hello world, ".repeat(1000)),
      "it is not a SQLite database",
    ],
    [
      "a damaged one",
      (path: string) => {
        const bytes = readFileSync(path);
        // Behind the header: the first table's page.
        writeFileSync(path, bytes.fill(0xa5, 100, 20_000));
      },
      "it is damaged; restore a backup or remove it",
    ],
    [
      "a truncated one",
      (path: string) => truncateSync(path, 8192),
      "it is damaged; restore a backup or remove it",
    ],
    [
      "a directory",
      (path: string) => {
        rmSync(path);
        mkdirSync(path);
      },
      "it cannot be opened for reading and writing",
    ],
    [
      "a newer version's",
      (path: string) => changeWith(path, "PRAGMA user_version = 99"),
      "a newer version wrote it (schema 99, this one reads up to 1)",
    ],
    [
      "another program's",
      (path: string) => changeWith(path, "PRAGMA application_id = 7"),
      "it belongs to another program",
    ],
  ])("on a file that is %s says so in one sentence", async (_, spoil, reason) => {
    const dataDir = await filledDir();
    const path = join(dataDir, "carillon.db");
    spoil(path);
    expect(await startError({ dataDir })).toBe(`Cannot open the database "${path}": ${reason}`);
  });

  test("in a directory's place taken by a file says so", async () => {
    const dataDir = newDir();
    writeFileSync(dataDir, "");
    expect(await startError({ dataDir })).toBe(
      `Cannot open the database "${join(dataDir, "carillon.db")}": the data directory's path is taken by a file`,
    );
  });
});

describe("the group commit", () => {
  test("writes all publishes of a turn in one transaction", async () => {
    const dataDir = newDir();
    await using run = await start({ dataDir, fileBytesMax: FILE_BYTES_MAX });
    const small = () => run.broker.publish(ROOM, data("small"), { history: LIMITS });
    const large = () => run.broker.publish(ROOM, data(LARGE), { history: LIMITS });
    // One write that cannot be made undoes those of its turn, and of no other.
    const before = small();
    await before;
    const turn = await Promise.allSettled([small(), large(), small()]);
    expect(turn.map(({ status }) => status)).toEqual(["rejected", "rejected", "rejected"]);
    expect((await small())?.offset).toBe(2);
  });

  test("that fails rejects what writes, hands none of it out, and lets the rest through", async () => {
    const dataDir = newDir();
    await using run = await start({ dataDir, fileBytesMax: FILE_BYTES_MAX });
    const events: ChannelEvent[] = [];
    await run.broker.listen(ROOM, { onEvent: (event) => void events.push(event) });
    await run.records.put("k", "before");
    const joined = { type: "join", client: { connectionId: "c", userId: "" } } as const;
    const [kept, live, keyed, put, announced, page] = await Promise.allSettled([
      run.broker.publish(ROOM, data(LARGE), { history: LIMITS }),
      run.broker.publish(ROOM, data("live")),
      run.broker.publish(ROOM, data("keyed"), { idempotencyKey: "k" }),
      run.records.put("k", "after"),
      run.broker.announce(ROOM, joined),
      run.broker.history(ROOM, ALL, LIMITS.metaTtlMs),
    ]);
    for (const outcome of [kept, keyed, put, page]) {
      const error: unknown = outcome.status === "rejected" ? outcome.reason : undefined;
      expect(error).toBeInstanceOf(HubError);
      expect(error).toMatchObject({ code: "unavailable", cause: { code: "SQLITE_FULL" } });
    }
    expect(live.status).toBe("fulfilled");
    expect(announced.status).toBe("fulfilled");
    expect(events.map(({ type }) => type)).toEqual(["publication", "join"]);
    expect(events[0]).toHaveProperty("publication.data.json", '"live"');
    expect((await run.records.get("k"))?.value).toBe("before");
    expect(run.bugs).toEqual([]);
  });

  test("that failed shows in health() until the disk takes a write again", async () => {
    await using run = await start({ dataDir: newDir(), fileBytesMax: FILE_BYTES_MAX });
    await run.broker.publish(ROOM, data(LARGE), { history: LIMITS }).catch(() => {});
    expect(await run.engine.health()).toEqual({ ready: true });
    const room = () => run.records.put(`k${(seeds += 1)}`, "x".repeat(4000));
    let full: unknown;
    while (full === undefined)
      full = await room().then(
        () => undefined,
        (error: unknown) => error,
      );
    expect(full).toMatchObject({ code: "unavailable" });
    expect(await run.engine.health()).toEqual({
      ready: false,
      reason: "Cannot write to the database: database or disk is full",
    });
    for (const { key } of await run.records.list("", { limit: 1000 }))
      await run.records.delete(key);
    expect(await run.engine.health()).toEqual({ ready: true });
    await room();
  });

  test("serves the other listeners when one throws, and reports what it threw", async () => {
    await using run = await start();
    const bug = new Error("listener's own");
    const heard: string[] = [];
    await run.broker.listen(ROOM, {
      onEvent() {
        throw bug;
      },
    });
    const other = { ...ROOM, name: "other" };
    await run.broker.listen(other, { onEvent: ({ type }) => void heard.push(type) });
    const published = await Promise.all([
      run.broker.publish(ROOM, data(1), { history: LIMITS }),
      run.broker.publish(other, data(2), { history: LIMITS }),
    ]);
    expect(published.map((position) => position?.offset)).toEqual([1, 1]);
    expect(heard).toEqual(["publication"]);
    expect(run.bugs).toEqual([bug]);
  });
});

test("ask() of a handler that throws gathers no answer and reports the error", async () => {
  await using run = await start();
  const bug = new Error("handler's own");
  run.control.serve(() => {
    throw bug;
  });
  expect(await run.control.ask(1, 1000)).toEqual({ answers: [], nodesAsked: 1 });
  expect(run.bugs).toEqual([bug]);
});

test("a sweep deletes what has expired, so that the file does not grow", async () => {
  const dataDir = newDir();
  {
    await using run = await start({ dataDir });
    for (let number = 0; number < 50; number += 1) {
      await run.broker.publish({ ...ROOM, name: `room ${number}` }, data(number), {
        history: LIMITS,
        idempotencyKey: "k",
      });
      await run.records.put(`k${number}`, "v", { ttlMs: 1000 });
    }
    await run.runtime.advance(LIMITS.metaTtlMs + 20_000);
  }
  using db = new Database(join(dataDir, "carillon.db"));
  for (const table of ["stream", "publication", "idempotency", "record"]) {
    expect(db.query(`SELECT count(*) AS rows FROM ${table}`).get()).toEqual({ rows: 0 });
  }
});

test("a publish deletes what has expired before the sweep comes to it", async () => {
  const dataDir = newDir();
  {
    await using run = await start({ dataDir });
    const history = { ...LIMITS, ttlMs: 1000 };
    for (const name of ["one", "two"])
      await run.broker.publish({ ...ROOM, name }, data(1), { history });
    await run.runtime.advance(1000);
    await run.broker.publish(ROOM, data(2), { history });
  }
  using db = new Database(join(dataDir, "carillon.db"));
  expect(db.query("SELECT count(*) AS rows FROM publication").get()).toEqual({ rows: 1 });
});

test("a close leaves no timer behind", async () => {
  const run = await start();
  await run.control.ask(1, 1000);
  expect(run.runtime.pendingTimers).toBe(1);
  await run.engine[Symbol.asyncDispose]();
  expect(run.runtime.pendingTimers).toBe(0);
});

/** Room for the tables and a little more, but not for LARGE. */
const FILE_BYTES_MAX = 40 * 4096;
const LARGE = "x".repeat(60 * 4096);

function changeWith(path: string, sql: string): void {
  using db = new Database(path);
  db.run(sql);
}

interface KillOptions {
  readonly durability?: "normal" | "full";
  readonly bootId?: string | undefined;
  /** Answers to wait for before the kill. */
  readonly acknowledged?: number;
  readonly whileRunning?: () => Promise<void>;
}

/** What a publishing child process had been answered when `kill -9` ended it. */
async function killMidPublishing(dataDir: string, options: KillOptions = {}) {
  const { durability = "normal", bootId, acknowledged = 1, whileRunning } = options;
  const script = join(import.meta.dir, "../../../test/support/publishing-child.ts");
  const args = [dataDir, durability, ...(bootId === undefined ? [] : [bootId])];
  await using child = Bun.spawn([process.execPath, script, ...args], { stderr: "inherit" });
  const decoder = new TextDecoder();
  let output = "";
  let running = true;
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (!running || output.split("\n").length <= acknowledged) continue;
    running = false;
    await whileRunning?.();
    child.kill("SIGKILL");
  }
  await child.exited;
  // What stands behind the last line break was cut off by the kill.
  const lines = output.split("\n").slice(0, -1);
  return lines.map((line) => {
    const [epoch = "", offset = "", text = ""] = line.split(" ");
    return { epoch, offset: Number(offset), text };
  });
}
