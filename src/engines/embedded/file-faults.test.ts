/** What is said and done about a data file that is damaged, gone, or on a full disk. */
import { describe, expect, test } from "bun:test";
import {
  closeSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { createTestRuntime } from "../../../test/support/runtime.ts";
import type { Runtime } from "../../core/runtime.ts";
import { systemRuntime } from "../../system-runtime.ts";
import { ALL, data, LIMITS, ROOM, start, useDirs } from "./test-engine.ts";

const newDir = useDirs();

async function startFilled(runtime: Runtime = createTestRuntime()) {
  const dataDir = newDir();
  const path = join(dataDir, "carillon.db");
  {
    await using run = await start({ dataDir, runtime });
    await run.records.put("k", "before");
    for (let number = 0; number < 1_000; number += 1) {
      await run.broker.publish(ROOM, data("x".repeat(4_000)), { history: LIMITS });
    }
  }
  return { run: await start({ dataDir }), path };
}

/** In place, as no tool should. */
function overwrite(path: string, { at, bytes }: { readonly at: number; readonly bytes: number }) {
  const file = openSync(path, "r+");
  writeSync(file, Buffer.alloc(bytes, 0xa5), 0, bytes, at);
  closeSync(file);
}

const gone = (path: string) =>
  `The database "${path}" was removed or replaced while the server runs; what is stored now is lost when it ends`;
const damaged = (path: string) =>
  `The database "${path}" is damaged; stop the server and restore a backup or remove it`;

describe("health() says no, and names the file, when it", () => {
  test.each([
    ["was removed", rmSync],
    [
      "was replaced",
      (path: string) => {
        writeFileSync(`${path}.new`, "");
        renameSync(`${path}.new`, path);
      },
    ],
  ])("%s, and the engine closes all the same", async (_, spoil) => {
    const { run, path } = await startFilled();
    expect(await run.engine.health()).toEqual({ ready: true });
    spoil(path);
    expect(await run.engine.health()).toEqual({ ready: false, reason: gone(path) });
    await run[Symbol.asyncDispose]();
  });

  test("was overwritten from its beginning", async () => {
    const { run, path } = await startFilled();
    await using _ = run;
    overwrite(path, { at: 0, bytes: 100 });
    expect(await run.engine.health()).toEqual({ ready: false, reason: damaged(path) });
  });

  test("was overwritten further behind, once that is read; and it stays, whatever else goes well", async () => {
    const { run, path } = await startFilled();
    await using _ = run;
    const { size } = statSync(path);
    overwrite(path, { at: size / 4, bytes: size / 2 });
    const page = run.broker.history(ROOM, ALL, LIMITS.metaTtlMs);
    expect(await page.then(String, ({ code }: { readonly code: string }) => code)).toBe(
      "unavailable",
    );
    await run.broker.publish(ROOM, data("live"));
    expect((await run.records.get("k"))?.value).toBe("before");
    expect(await run.engine.health()).toEqual({ ready: false, reason: damaged(path) });
  });
});

test("a record that cannot be read is refused as unavailable, and health() says why", async () => {
  const { run, path } = await startFilled();
  await using _ = run;
  for (let key = 0; key < 2_000; key += 1) void run.records.put(`key ${key}`, "x".repeat(4_000));
  await run.records.put("last", "");
  await run[Symbol.asyncDispose]();
  const { size } = statSync(path);
  await using again = await start({ dataDir: join(path, "..") });
  overwrite(path, { at: size / 4, bytes: size - size / 4 });
  const refused = again.records.list("", { limit: 10_000 });
  expect(await refused.then(String, ({ code }: { readonly code: string }) => code)).toBe(
    "unavailable",
  );
  expect(await again.engine.health()).toEqual({ ready: false, reason: damaged(path) });
});

test("on a disk that takes no writes an engine starts, serves what it can read, and says why it is not ready", async () => {
  const { run, path } = await startFilled(systemRuntime);
  await run[Symbol.asyncDispose]();
  const dir = join(path, "..");
  const child = Bun.spawn({
    // Nothing is written to any file, and the child is told of it by an error instead of a signal.
    cmd: [
      ...["sh", "-c", 'trap "" XFSZ; ulimit -f 0; exec "$@"', "sh"],
      ...[process.execPath, join(import.meta.dir, "../../../test/support/full-disk-child.ts"), dir],
    ],
    stderr: "inherit",
  });
  expect(JSON.parse(await new Response(child.stdout).text())).toEqual({
    health: {
      ready: false,
      reason: `Cannot write to the database "${path}": the disk reports an error`,
    },
    publications: 10,
    record: "before",
    put: "unavailable",
  });
  await using later = await start({ dataDir: dir });
  expect(await later.engine.health()).toEqual({ ready: true });
  expect((await later.records.get("k"))?.value).toBe("before");
});
