/** The data file at a start: who may use it, and what is said of one that cannot be used. */
import { Database } from "bun:sqlite";
import { describe, expect, test } from "bun:test";
import {
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { data, LIMITS, ROOM, start, startError, useDirs } from "./test-engine.ts";
import { killMidPublishing } from "./test-kill.ts";

const newDir = useDirs();

describe("a start", () => {
  async function filledDir(): Promise<string> {
    const dataDir = newDir();
    await using run = await start({ dataDir });
    for (let number = 0; number < 100; number += 1) {
      await run.broker.publish(ROOM, data("x".repeat(1000)), { history: LIMITS });
    }
    return dataDir;
  }

  test("makes directory and file for their owner alone, and a clean close leaves two files", async () => {
    const dataDir = join(newDir(), "deeper");
    {
      await using run = await start({ dataDir });
      await run.records.put("k", "v");
      expect(statSync(dataDir).mode & 0o777).toBe(0o700);
      for (const file of readdirSync(dataDir)) {
        expect(statSync(join(dataDir, file)).mode & 0o777).toBe(0o600);
      }
    }
    expect(readdirSync(dataDir).toSorted()).toEqual(["carillon.db", "carillon.lock"]);
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
      "a newer version wrote it (schema 99, this one reads up to 4)",
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

function changeWith(path: string, sql: string): void {
  using db = new Database(path);
  db.run(sql);
}
