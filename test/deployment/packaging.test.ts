/** What is handed on: the npm package, run by a plain Node, and the single file of `npm run build`. */
import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import lock from "../../package-lock.json" with { type: "json" };
import manifest from "../../package.json" with { type: "json" };
import { spawnServer, type ChildServer } from "../support/child-server.ts";
import { startRedis } from "../support/redis.ts";
import { temporaryDir } from "../support/server.ts";
import { callSora, push, TARGETS } from "../support/sora.ts";
import { moved } from "../support/sora-peer.ts";

const ROOT = join(import.meta.dir, "../..");
const BUILD_TIMEOUT_MS = 60_000;
const directory = temporaryDir();
const elsewhere = temporaryDir();
afterAll(() => {
  for (const made of [directory, elsewhere]) rmSync(made, { recursive: true });
});

/** Its standard output. */
async function run(command: readonly string[], cwd = directory): Promise<string> {
  const env = { PATH: process.env["PATH"], HOME: process.env["HOME"] };
  const child = Bun.spawn([...command], { cwd, env, stdout: "pipe", stderr: "pipe" });
  const texts = [child.stdout, child.stderr].map((stream) => new Response(stream).text());
  const [out = "", err] = await Promise.all(texts);
  if ((await child.exited) !== 0) throw new Error(`${command.join(" ")}: ${err}`);
  return out;
}

describe("the npm package", () => {
  const folder = join(directory, "node_modules/carillon");
  const launcher = join(folder, "bin/carillon.js");

  test(
    "holds what runs and what is read, and no tests",
    async () => {
      await run(["npm", "pack", "--pack-destination", directory], ROOT);
      mkdirSync(folder, { recursive: true });
      const tarball = join(directory, `carillon-${manifest.version}.tgz`);
      await run(["tar", "-xzf", tarball, "--strip-components=1", "-C", folder]);
      expect(readdirSync(folder).toSorted()).toEqual([
        ...["LICENSE", "README.md", "bin", "docs", "lib", "package.json", "src"],
      ]);
      // Compiled beforehand, and not left behind where a checkout would run it instead of its sources.
      const lib = readdirSync(join(folder, "lib"));
      const parts = lib.filter((name) => name.endsWith(".js"));
      expect(parts).toContain("main.js");
      expect(lib.toSorted()).toEqual(parts.flatMap((name) => [name, `${name}.jsc`]).toSorted());
      expect(existsSync(join(ROOT, "lib"))).toBe(false);
      const files = readdirSync(folder, { recursive: true }).map(String);
      expect(files.filter((name) => /(^|\/)(test-[^/]*|[^/]*\.test)\.ts$/.test(name))).toEqual([]);
      expect(files).toContain("src/engines/redis/scripts/publish.lua");
      // As npm lays them out beside it.
      for (const name of readdirSync(join(ROOT, "node_modules"))) {
        symlinkSync(join(ROOT, "node_modules", name), join(directory, "node_modules", name));
      }
    },
    BUILD_TIMEOUT_MS,
  );

  test("runs by a plain Node, and ends by a signal to it", async () => {
    expect(await run(["node", launcher, "--version"])).toStartWith(`carillon ${manifest.version} `);
    await using server = await spawnServer({
      command: ["node", launcher],
      config: { sora: { port: 0 } },
    });
    const published = await server.api("publish", { channel: "public:a", data: 1 });
    expect(published).toMatchObject({ result: { offset: 1 } });
    await showsPage(server.clientsUrl);
    await showsPage(`${server.apiUrl}/admin`);
    await opensPeers(server);
    server.kill("SIGTERM");
    expect(await server.exited).toBe(0);
    expect(server.logged.at(-1)).toMatchObject({ msg: "Stopped" });
  });

  test("serves with workers on Redis", () => servesWithWorkers(["node", launcher]));

  test("finds the runtime where npm ran no install scripts", async () => {
    // Away from the other one, whose packages would be found as well.
    const packages = join(elsewhere, "node_modules");
    cpSync(folder, join(packages, "carillon"), { recursive: true });
    for (const name of readdirSync(join(ROOT, "node_modules"))) {
      if (name === "bun" || name === "@oven") continue;
      symlinkSync(join(ROOT, "node_modules", name), join(packages, name));
    }
    const bun = join(packages, "bun");
    mkdirSync(join(bun, "bin"), { recursive: true });
    await Bun.write(join(bun, "package.json"), '{"name":"bun"}');
    // A text that says so, in the program's place, which is in the platform's package still.
    await Bun.write(join(bun, "bin/bun.exe"), "The install script did not run.");
    for (const name of readdirSync(join(ROOT, "node_modules/@oven"))) {
      const platform = join(packages, "@oven", name);
      mkdirSync(join(platform, "bin"), { recursive: true });
      await Bun.write(join(platform, "package.json"), `{"name":"@oven/${name}"}`);
      symlinkSync(process.execPath, join(platform, "bin/bun"));
    }
    const command = ["node", join(packages, "carillon/bin/carillon.js"), "version"];
    expect(await run(command)).toStartWith(`carillon ${manifest.version} `);
    rmSync(bun, { recursive: true });
    await expect(run(command)).rejects.toThrow("carillon: Bun for this platform is not installed");
  });
});

/** WebRTC is there, whose native part no bundle has by itself. */
async function opensPeers(server: ChildServer): Promise<void> {
  await using client = await moved(server);
  await callSora(server.apiUrl, TARGETS.channel, { channel_id: "sora", data: { spam: "egg" } });
  expect(await client.on("push")).toEqual(push({ spam: "egg" }));
}

/** Two workers, each of which has to find its part in the one module that there is. */
async function servesWithWorkers(command: readonly string[]): Promise<void> {
  await using redis = await startRedis();
  await using server = await spawnServer({
    command,
    config: {
      engine: "redis",
      workers: 2,
      redis: { url: redis.url },
      master_key: "0".repeat(64),
    },
  });
  expect(server.logged.filter(({ worker }) => worker !== undefined).length).toBe(2);
  const published = await server.api("publish", { channel: "public:a", data: 1 });
  expect(published).toMatchObject({ result: { offset: 1 } });
  expect(await server.metric("carillon_workers")).toBe(2);
  await showsPage(server.clientsUrl);
  server.kill("SIGTERM");
  expect(await server.exited).toBe(0);
}

/** It was bundled beforehand: there are no sources of it. */
async function showsPage(url: string): Promise<void> {
  const page = await fetch(url);
  expect(page.status).toBe(200);
  const [, script = ""] = /src="([^"]+)"/.exec(await page.text()) ?? [];
  expect((await fetch(new URL(script, url))).status).toBe(200);
}

describe("the single file", () => {
  test(
    "serves with workers on Redis, with nothing beside it",
    async () => {
      const file = join(directory, "carillon");
      const build = manifest.scripts.build.replace(/^bun /, "").replace("dist/carillon", file);
      await run([process.execPath, ...build.split(" ")], ROOT);
      expect(existsSync(file)).toBe(true);
      expect(await run([file, "--version"])).toStartWith(`carillon ${manifest.version} `);
      await servesWithWorkers([file]);
      await using server = await spawnServer({ command: [file], config: { sora: { port: 0 } } });
      await opensPeers(server);
    },
    BUILD_TIMEOUT_MS,
  );
});

test("a file for another platform: what it takes is in the lock, and what is none is refused", async () => {
  const build = manifest.scripts["build:binary"].replace(/^bun /, "");
  const refused = run([process.execPath, build, "linux-x64", "plan9"], ROOT);
  await expect(refused).rejects.toThrow(
    'Unknown target "plan9": name some of linux-x64, linux-arm64, darwin-arm64',
  );
  for (const name of [
    ...["@oven/bun-linux-x64", "@oven/bun-linux-aarch64", "@oven/bun-darwin-aarch64"],
    ...["linux-x64-gnu", "linux-arm64-gnu", "darwin-arm64"].map((it) => `@node-datachannel/${it}`),
  ]) {
    expect(lock.packages).toHaveProperty([`node_modules/${name}`, "integrity"]);
  }
});
