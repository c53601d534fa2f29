/** `carillon backup` beside a server that takes writes, and without one: what the copy has, and who is refused. */
import { afterAll, expect, test } from "bun:test";
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { spawnServer } from "../../test/support/child-server.ts";
import { temporaryDir } from "../../test/support/server.ts";
import { carillon } from "./test-support.ts";

const root = temporaryDir();
afterAll(() => rmSync(root, { recursive: true }));

const CHANNEL = "public:news";
const ALL = { channel: CHANNEL, limit: -1 };
let directories = 0;

function directory(): string {
  return join(root, `${(directories += 1)}`);
}

const backUp = (dataDir: string, ...args: string[]) =>
  carillon(["backup", ...args], { CARILLON_DATA_DIR: dataDir });

test("a running server's backup has all that was answered before, and the server goes on", async () => {
  const backup = directory();
  await using server = await spawnServer({ dataDir: directory() });
  const { dataDir } = server;
  let stopped = false;
  const answered: { readonly offset?: unknown; readonly epoch?: unknown }[] = [];
  const publish = async () => {
    const { result } = await server.api("publish", { channel: CHANNEL, data: answered.length });
    answered.push(result ?? {});
  };
  await publish();
  const publishing = (async () => {
    while (!stopped) await publish();
  })();
  const before = answered.length;
  const told = await backUp(dataDir, backup);
  stopped = true;
  await publishing;

  expect(told).toMatchObject({ code: 0, err: "" });
  expect(told.out).toMatch(/^Wrote \S+: the database and the master key, \d+ bytes, checked\.\n$/);
  const { epoch } = answered[0] ?? {};
  expect(answered).toEqual(answered.map((_, index) => ({ offset: index + 1, epoch })));
  expect(readdirSync(backup).toSorted()).toEqual(["carillon.db", "master.key"]);
  for (const name of readdirSync(backup)) {
    expect(statSync(join(backup, name)).mode & 0o777).toBe(0o600);
  }
  expect(statSync(backup).mode & 0o777).toBe(0o700);
  expect(readFileSync(join(backup, "master.key"))).toEqual(
    readFileSync(join(dataDir, "master.key")),
  );

  await using restored = await spawnServer({ dataDir: backup });
  const { result } = await restored.api("history", ALL);
  expect(Number(result?.["offset"])).toBeGreaterThanOrEqual(before);
  expect(result?.["epoch"]).not.toBe(epoch);
});

test("a stopped server's backup is whole", async () => {
  const [dataDir, backup] = [directory(), join(directory(), "deeper")];
  {
    await using server = await spawnServer({ dataDir });
    await server.api("publish", { channel: CHANNEL, data: "kept" });
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
  }
  const told = await backUp(dataDir, backup, "--json");
  const { size } = statSync(join(backup, "carillon.db"));
  expect(JSON.parse(told.out)).toEqual({ directory: backup, bytes: size, hasKey: true });
  await using restored = await spawnServer({ dataDir: backup });
  const { result } = await restored.api("history", ALL);
  expect(result).toMatchObject({ offset: 1, publications: [{ data: "kept" }] });
});

test("a killed server's backup has what stands in its log alone", async () => {
  const [dataDir, backup] = [directory(), directory()];
  {
    await using server = await spawnServer({ dataDir });
    await server.api("publish", { channel: CHANNEL, data: "kept" });
  }
  expect(await backUp(dataDir, backup)).toMatchObject({ code: 0, err: "" });
  await using restored = await spawnServer({ dataDir: backup });
  const { result } = await restored.api("history", ALL);
  expect(result).toMatchObject({ offset: 1, publications: [{ data: "kept" }] });
});

test.each([
  [
    "where something is already",
    async () => ({ dataDir: directory(), backup: root }),
    /^carillon: \S+ is there already: name a new directory \[command_usage\]\n$/,
  ],
  [
    "of no database",
    async () => ({ dataDir: directory(), backup: directory() }),
    /^carillon: Cannot open the database "\S+": there is none \[database_unusable\]\n$/,
  ],
  [
    "of a file that is no database",
    async () => {
      const dataDir = temporaryDir();
      writeFileSync(join(dataDir, "carillon.db"), "not a database at all, ".repeat(100));
      return { dataDir, backup: directory() };
    },
    /^carillon: Cannot open the database "\S+": it is not a SQLite database \[database_unusable\]\n$/,
  ],
])("a backup %s is refused, and leaves nothing behind", async (_, make, line) => {
  const { dataDir, backup } = await make();
  const before = readdirSync(root);
  const told = await backUp(dataDir, backup);
  expect(told).toMatchObject({ code: 1, out: "" });
  expect(told.err).toMatch(line);
  expect(readdirSync(root)).toEqual(before);
});

test("with Redis the command says where the data is", async () => {
  const redis = { CARILLON_ENGINE: "redis", CARILLON_REDIS_URL: "redis://127.0.0.1:1" };
  const told = await carillon(["backup", directory()], {
    ...redis,
    CARILLON_MASTER_KEY: "00".repeat(32),
  });
  expect(told).toEqual({
    code: 1,
    out: "",
    err: "carillon: The data is in Redis: back it up there, as with redis-cli --rdb FILE [command_usage]\n",
  });
});
