/**
 * `compose.yaml` and `Dockerfile`, as far as they can be tried without an engine for containers: what they say to Carillon and
 * to Redis is understood by both, and what they name is there.
 */
import { loadConfig } from "../../src/dialects/configuration.ts";
import { expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { z } from "zod";

import { imageEnvironment } from "../support/image.ts";
import { startRedis } from "../support/redis.ts";

const ROOT = join(import.meta.dir, "../..");
const read = (name: string) => readFileSync(join(ROOT, name), "utf8");

const service = z.object({
  image: z.string().optional(),
  build: z.string().optional(),
  command: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).optional(),
  ports: z.array(z.string()).optional(),
  stop_grace_period: z.string().optional(),
});
const composeFile = z.object({
  services: z.record(z.string(), service),
  configs: z.object({ caddyfile: z.object({ content: z.string() }) }),
});

function compose() {
  const document = parseDocument(read("compose.yaml"));
  expect([...document.errors, ...document.warnings]).toEqual([]);
  return composeFile.parse(document.toJS());
}

/** What a shell would leave of `${NAME:-default}` and `${NAME:?message}`. */
function substitute(text: string, values: Readonly<Record<string, string>>): string {
  return text.replaceAll(
    /\$\{(\w+)(?::-([^}]*)|:\?[^}]*)?\}/g,
    (_, name: string, fallback?: string) => values[name] ?? fallback ?? "",
  );
}

test("two nodes, whose environment is a configuration of the Redis engine", () => {
  const { services } = compose();
  const nodes = Object.entries(services).filter(([, { build }]) => build !== undefined);
  expect(nodes.map(([name]) => name)).toEqual(["node-1", "node-2"]);
  for (const [, { environment = {} }] of nodes) {
    const env: Record<string, string> = { ...imageEnvironment() };
    for (const [name, text] of Object.entries(environment)) {
      env[name] = substitute(text, { CARILLON_MASTER_KEY: "0".repeat(64) });
    }
    const config = loadConfig({
      path: "carillon.toml",
      env,
      readFile: (path) => (path === "carillon.toml" ? "" : undefined),
    });
    expect(config).toMatchObject({ engine: "redis", workers: 1, data_dir: "/data" });
    expect(config.clients).toMatchObject({ host: "0.0.0.0", port: 8000 });
    expect(config.api).toMatchObject({ host: "0.0.0.0", port: 9000 });
    expect(Object.keys(services)).toContain(new URL(String(config.redis.url)).hostname);
  }
});

test("Redis takes its directives, and keeps each write", async () => {
  const [server, ...directives] = compose().services["redis"]?.command ?? [];
  expect(server).toBe("redis-server");
  await using redis = await startRedis({ directives });
  for (const [name, value] of [
    ["appendonly", "yes"],
    ["appendfsync", "always"],
    ["maxmemory-policy", "noeviction"],
  ] as const) {
    expect(await redis.command("CONFIG", "GET", name)).toEqual({ [name]: value });
  }
});

test("the proxy sends to both nodes what comes to its ports", () => {
  const { services, configs } = compose();
  const { content } = configs.caddyfile;
  expect(content).toContain("reverse_proxy node-1:{args[0]} node-2:{args[0]} {");
  for (const published of services["proxy"]?.ports ?? []) {
    const port = published.split(":").at(-1);
    expect(content).toContain(`:${port} {\n  import nodes ${port}\n}`);
  }
});

test("the image's files and command are there", () => {
  const lines = read("Dockerfile").split("\n");
  const copied = lines.flatMap(
    (line) => /^COPY (?!--from)(.+) \S+$/.exec(line)?.[1]?.split(" ") ?? [],
  );
  expect(copied.length).toBeGreaterThan(0);
  const kept = read(".dockerignore").split("\n");
  for (const name of copied) {
    expect(existsSync(join(ROOT, name))).toBe(true);
    expect(kept).toContain(`!${name}`);
  }
  const entry = lines.find((line) => line.startsWith("ENTRYPOINT")) ?? "";
  for (const name of JSON.parse(entry.slice("ENTRYPOINT ".length)) as string[]) {
    expect(existsSync(join(ROOT, name))).toBe(true);
  }
});
