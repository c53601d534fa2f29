/** A server's start on Redis: one that is away is waited for, in the open; one that cannot be used ends it with one line. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { afterAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { probePorts } from "../../src/transports/listen-failure.ts";
import { runServe, spawnServer } from "../support/child-server.ts";
import { startRedis, until } from "../support/redis.ts";
import { temporaryDir } from "../support/server.ts";

// Several processes have to start.
setDefaultTimeout(30_000);

const directory = temporaryDir();
afterAll(() => rmSync(directory, { recursive: true, force: true }));

function configOf(url: string | readonly string[]) {
  return { engine: "redis", master_key: "00".repeat(32), redis: { url } };
}

test.each([1, 2])(
  "Redis away at the start of %d: alive and not ready, until it is there",
  async (workers) => {
    await using redis = await startRedis();
    await redis.kill();
    const [port = 0] = await probePorts([{ hostname: "127.0.0.1", port: 0 }]);
    const starting = spawnServer({ config: { ...configOf(redis.url), workers, api: { port } } });
    const api = `http://127.0.0.1:${port}`;
    // The process is another one, and tells nobody when it listens.
    await until("the server answers", async () => (await fetch(`${api}/health`)).ok);
    const reason = `Redis at ${redis.host}:${redis.port} is away: connection refused`;
    await until("it has tried", async () => {
      const ready = await fetch(`${api}/ready`);
      expect(ready.status).toBe(503);
      return ((await ready.json()) as { reason: string }).reason === reason;
    });
    const publish = await fetch(`${api}/api/publish`, { method: "POST", body: "{}" });
    expect(publish.status).toBe(503);

    await redis.restart();
    await using server = await starting;
    expect(await (await fetch(`${api}/ready`)).json()).toEqual({ ready: true });
    expect(await server.api("publish", { channel: "public:a", data: 1 })).toMatchObject({
      result: { offset: 1 },
    });
    const told = server.logged.filter(({ msg }) => String(msg).startsWith("Redis at"));
    expect(told.map(({ msg, level }) => ({ msg, level }))).toEqual([
      { msg: reason, level: 40 },
      { msg: `Redis at ${redis.host}:${redis.port} is back`, level: 30 },
    ]);
  },
);

describe("a Redis that cannot be used is one line and a non-zero exit", () => {
  let files = 0;

  /** Without the name of the command. */
  async function refusal(url: string | readonly string[]): Promise<string> {
    const path = join(directory, `${(files += 1)}.json`);
    const file = { ...developmentFile(), clients: { port: 0 }, api: { port: 0 }, ...configOf(url) };
    writeFileSync(path, JSON.stringify(file));
    const { code, out, err } = await runServe(["--config", path], directory);
    expect({ code, out }).toEqual({ code: 1, out: "" });
    const [line = "", ...more] = err.split("\n").filter((each) => each !== "");
    expect(more).toEqual([]);
    expect(line).not.toContain("secret");
    return line.replace(/^carillon: |^.*\.json: /, "").replace(/ \[config_\w+\]$/, "");
  }

  test("the URL is none, or none that serves", async () => {
    expect(await refusal("http://me:secret@localhost")).toStartWith("redis.url: must begin with");
    expect(await refusal("redis://me:secret@local host")).toBe(
      'bad host or port in "redis://local host" [redis_url_invalid]',
    );
    expect(await refusal("redis://me:secret@127.0.0.1:70000")).toContain("bad host or port");
    expect(await refusal(["redis://127.0.0.1", "redis://127.0.0.1"])).toContain("given twice");
  });

  test("the password is wrong, or missing", async () => {
    await using redis = await startRedis({ password: "right" });
    const at = `Cannot use Redis at ${redis.host}:${redis.port}`;
    expect(await refusal(redis.url.replace("right", "secret"))).toBe(
      `${at}: wrong user name or password [redis_login_failed]`,
    );
    expect(await refusal(redis.url.replace(":right@", ""))).toBe(
      `${at}: it asks for a password [redis_login_failed]`,
    );
  });

  test("it is a read-only replica", async () => {
    await using master = await startRedis();
    await using replica = await startRedis({ replicaOf: master });
    expect(await refusal(replica.url)).toBe(
      `Cannot use Redis at ${replica.host}:${replica.port}: it is a read-only replica [redis_unsuitable]`,
    );
  });
});
