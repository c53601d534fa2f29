/** The commands of docs/backup.md on a real server: taken of a running one, put back, and seen by its clients as another epoch. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { spawnServer } from "../support/child-server.ts";
import { blocksOf, ROOT, runBlocks } from "../support/printed.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryDir } from "../support/server.ts";

const page = "docs/backup.md";
const blocks = blocksOf(page, await Bun.file(join(ROOT, page)).text());
const [take, restore, snapshot] = blocks.filter(({ language }) => language === "sh");

const channel = "public:news";

test("a backup is what a restored server has", async () => {
  const directory = temporaryDir();
  const dataDir = join(directory, "data");
  const boot = () => spawnServer({ dataDir });
  try {
    const first = await boot();
    const kept = await first.api("publish", { channel, data: "kept" });
    expect(kept.result).toMatchObject({ offset: 1 });
    const [taken = ""] = await runBlocks([take!], { server: first, directory });
    expect(taken).toContain(": the database and the master key, ");
    const more = await first.api("publish", { channel, data: "later" });
    expect(more.result).toEqual({ offset: 2, epoch: kept.result?.["epoch"] });
    await first[Symbol.asyncDispose]();

    await runBlocks([restore!], { server: first, directory });
    await using second = await boot();
    const { result } = await second.api("history", { channel, limit: -1 });
    expect(result).toMatchObject({ offset: 1, publications: [{ data: "kept", offset: 1 }] });
    expect(result?.["epoch"]).not.toBe(kept.result?.["epoch"]);
  } finally {
    rmSync(directory, { recursive: true });
  }
}, 30_000);

test("a snapshot of Redis over the network", async () => {
  await using redis = await startRedis();
  const directory = temporaryDir();
  try {
    const server = { clientsUrl: "http://127.0.0.1:1", apiUrl: "http://127.0.0.1:2" };
    const { port } = new URL(redis.url);
    await runBlocks([snapshot!], {
      server,
      directory,
      replace: [["redis-cli --rdb ", `mkdir -p backup && redis-cli -p ${port} --rdb `]],
    });
    expect(Bun.file(join(directory, "backup/dump.rdb")).size).toBeGreaterThan(50);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
