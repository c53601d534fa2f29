/** What a terminal shows once the server serves. */
import { expect, test } from "bun:test";
import { rmSync } from "node:fs";
import { join } from "node:path";
import { temporaryDir } from "../../test/support/server.ts";
import { developmentFile, validate, type Config } from "../dialects/configuration.ts";
import { bootText, type Booted } from "./boot-text.ts";

const MAIN = join(import.meta.dir, "main.ts");
const GIGABYTE = 1024 ** 3;

function configOf(file: object): Config {
  const checked = validate(file);
  if (!("config" in checked)) throw new Error(JSON.stringify(checked.problems));
  return checked.config;
}

function text(file: object, more: Partial<Booted> = {}): string {
  return bootText({
    ...{ config: configOf(file), version: "1.2.3" },
    ...{ clientsUrl: "http://127.0.0.1:8000", apiUrl: "http://127.0.0.1:9000", nodes: [] },
    endpoints: [
      { dialect: "one", clients: ["/a", "/b"], api: ["/x/*"] },
      { dialect: "two", clients: [], api: ["/"], own: "http://127.0.0.1:3000" },
    ],
    machine: { openFilesMax: 65_536, memoryBytes: 2 * GIGABYTE },
    ...more,
  });
}

test("development mode shows every address, endpoint and limit, and warns of its secrets", () => {
  expect(text(developmentFile())).toBe(`
Carillon 1.2.3 in development mode, for this machine only (embedded engine: ./data)
  clients     http://127.0.0.1:8000
  playground  http://127.0.0.1:8000/
  api         http://127.0.0.1:9000
  console     http://127.0.0.1:9000/admin
  health      http://127.0.0.1:9000/ready   /metrics   /openapi.json

  DIALECT  ON CLIENTS  ON API
  one      /a /b       /x/*
  two      -           / http://127.0.0.1:3000

  limits      65536 open files, 2.0 GB of memory, 1000 publishing calls at once, channel names of 255 bytes
  warning     development keys and secrets, which everybody knows: carillon init makes your own

Open the playground in a browser to watch each protocol's client. Or try, each in a terminal of its own:
  npx carillon subscribe public:news --url http://127.0.0.1:8000
  npx carillon publish public:news '{"text":"Hello"}' --url http://127.0.0.1:9000
  curl http://127.0.0.1:9000/api/publish -H 'X-API-Key: dev-api-key' -d '{"channel":"public:news","data":{"text":"Hello"}}'
  npx carillon doctor http://127.0.0.1:8000 --api http://127.0.0.1:9000 --quick
`);
});

test("of several nodes each one's addresses are shown", () => {
  const at = (by: number) => {
    return { clientsUrl: `http://127.0.0.1:${8000 + by}`, apiUrl: `http://127.0.0.1:${9000 + by}` };
  };
  const shown = text(developmentFile(), { nodes: [at(0), at(1), at(2)] });
  expect(shown).toContain("(3 nodes, which share a Redis until they end)");
  expect(shown).toContain(`
  node 1      http://127.0.0.1:8000   http://127.0.0.1:9000
  node 2      http://127.0.0.1:8001   http://127.0.0.1:9001
  node 3      http://127.0.0.1:8002   http://127.0.0.1:9002
`);
});

const LIVE = {
  apps: [{ id: "main", allowed_origins: ["*"] }],
  channel: { without_namespace: { dialects: ["streaming"] } },
};

test("elsewhere the configuration's warnings stand there, no playground and nothing to try", () => {
  const shown = text(LIVE);
  expect(shown).toContain(
    'warning     apps[0].allowed_origins: "*" lets the pages of every site connect',
  );
  expect(shown).not.toContain("playground");
  expect(shown).not.toContain("development");
  expect(shown).not.toContain("curl");
});

test.each([
  [4095, true],
  [4096, false],
])("%d open files", (openFilesMax, warns) => {
  const shown = text(LIVE, { machine: { openFilesMax, memoryBytes: GIGABYTE } });
  const warning = `warning     ${openFilesMax} open files, each connection being one: raise it`;
  expect(shown.includes(warning)).toBe(warns);
});

test.each([
  [255, true],
  [256, false],
])("%d MB of memory", (megabytes, warns) => {
  const memoryBytes = megabytes * 1024 ** 2;
  const shown = text(LIVE, { machine: { openFilesMax: undefined, memoryBytes } });
  expect(shown.includes(`warning     ${megabytes} MB of memory are few`)).toBe(warns);
  expect(shown).toContain("an unknown number of open files");
});

/** The text on a terminal up to where a person would read on, of a server with these arguments. */
async function onTerminal(...args: string[]): Promise<string> {
  const cwd = temporaryDir();
  const shown = Promise.withResolvers<string>();
  let printed = "";
  const child = Bun.spawn([process.execPath, MAIN, "serve", ...args], {
    cwd,
    env: {
      ...{ PATH: process.env["PATH"], CARILLON_CLIENTS_PORT: "0", CARILLON_API_PORT: "0" },
      CARILLON_SORA_PORT: "0",
    },
    terminal: {
      cols: 200,
      data(_terminal, bytes) {
        printed += new TextDecoder().decode(bytes);
        if (printed.includes("--quick\r\n")) shown.resolve(printed);
      },
    },
  });
  const ended = child.exited.then(() => Promise.reject(new Error(`It ended: ${printed}`)));
  ended.catch(() => {});
  try {
    return await Promise.race([shown.promise, ended]);
  } finally {
    child.kill("SIGKILL");
    await child.exited;
    // Only now, since a server that still writes puts files back.
    rmSync(cwd, { recursive: true });
  }
}

test("a server on a terminal says where every dialect is", async () => {
  const shown = await onTerminal();
  expect(shown).toMatch(/playground {2}http:\/\/127\.0\.0\.1:\d+\/\r\n/);
  expect(shown).toMatch(/console {5}http:\/\/127\.0\.0\.1:\d+\/admin\r\n/);
  for (const row of [
    /streaming +\/connection\/websocket +\/api\/\*/,
    /gusher +\/gusher\/ws\/:app_key .*\/gusher\/\*/,
    /messaging +\/messaging +\/messaging\/\*/,
    /tasks +\/ \/envoy \/tasks +\/rpc/,
    /sora +\/signaling +\//,
    /events +- +\/events\/\* \/webhooks\/\* \/organisations\/\*/,
  ]) {
    expect(shown).toMatch(row);
  }
  expect(shown).toContain("development keys and secrets");
});
