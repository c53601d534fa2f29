/** One call boots everything on free ports, in development mode unless told otherwise, and ends it with the test. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { developmentFile } from "../../src/config/development.ts";
import { loadConfig } from "../../src/config/load.ts";
import { createModel } from "../../src/config/model.ts";
import type { OwnedHub } from "../../src/core/create-hub.ts";
import type { Engine } from "../../src/core/engine.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { Dialect } from "../../src/dialects/dialect.ts";
import { DIALECTS } from "../../src/dialects/list.ts";
import { createLogger } from "../../src/operations/log.ts";
import { startServer, type RunningServer, type ServerOptions } from "../../src/server.ts";
import { createTestEngine } from "./engine.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";

export interface BootOptions {
  /**
   * What a `carillon.json` says, over the development configuration, member by member at the top level. Wires are as their protocols
   * have them: refusals are explained to clients only where it says `development`, and then as the mode does.
   */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Default: a test runtime, whose time only `advance` moves. */
  readonly runtime?: Runtime;
  /** Not yet started: for tests that look into it. Default: the one of `CARILLON_TEST_ENGINE`. */
  readonly engine?: Engine;
  /** Spoken besides those of the build. */
  readonly dialects?: readonly Dialect[];
  readonly createPeers?: ServerOptions["createPeers"];
  readonly restart?: ServerOptions["restart"];
  /** Kept after the server: for restarts. Default: a directory of its own, removed with it. */
  readonly dataDir?: string;
}

export interface BootedServer extends RunningServer, AsyncDisposable {
  /** `ws://…/connection/websocket`. */
  readonly websocketUrl: string;
  /** Of the first app. */
  readonly hub: OwnedHub;
  /** Moves the server's time; only with the test runtime. */
  advance(ms: number): Promise<void>;
  /** The lines of the log, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  /** A server API call with the development key; the parsed answer. */
  api(method: string, body?: unknown): Promise<ApiAnswer>;
}

export interface ApiAnswer {
  readonly result?: Readonly<Record<string, unknown>>;
  readonly error?: { readonly code: number; readonly message: string };
  /** Of `batch`, whose answer is bare. */
  readonly replies?: readonly unknown[];
}

export function temporaryDir(): string {
  return mkdtempSync(join(tmpdir(), "carillon-test-"));
}

export async function bootServer(options: BootOptions = {}): Promise<BootedServer> {
  const dataDir = options.dataDir ?? temporaryDir();
  const runtime = options.runtime ?? createTestRuntime();
  const dialects = [...(options.dialects ?? []), ...DIALECTS];
  const model = createModel(dialects);
  const file = {
    ...developmentFile(model),
    clients: { port: 0 },
    api: { port: 0 },
    // Its own listener has a fixed port.
    sora: { port: 0 },
    data_dir: dataDir,
    ...options.config,
  };
  const config = loadConfig(model, {
    path: "carillon.json",
    env: {},
    readFile: (path) => {
      if (path === "carillon.json") return JSON.stringify(file);
      return existsSync(path) ? readFileSync(path, "utf8") : undefined;
    },
  });
  const logged: Record<string, unknown>[] = [];
  const destination = {
    write: (line: string) => void logged.push(JSON.parse(line) as Record<string, unknown>),
  };
  const log = createLogger({ level: "debug", format: "json", destination });
  const engine = options.engine ?? createTestEngine({ dataDir, runtime });
  const { createPeers, restart } = options;
  const server = await startServer({
    ...{ config, dialects, log, runtime, engine },
    ...(createPeers === undefined ? {} : { createPeers }),
    ...(restart === undefined ? {} : { restart }),
    ...(options.config?.["development"] === undefined ? { explainsRefusals: false } : {}),
  });
  const hub = [...server.hubs.values()][0];
  if (hub === undefined) throw new Error("The configuration has no app");
  return {
    ...server,
    hub,
    logged,
    websocketUrl: `${server.clientsUrl.replace(/^http/, "ws")}/connection/websocket`,
    advance(ms) {
      if (!("advance" in runtime)) throw new Error("Only a test runtime's time can be moved");
      return (runtime as TestRuntime).advance(ms);
    },
    async api(method, body = {}) {
      const response = await fetch(`${server.apiUrl}/api/${method}`, {
        method: "POST",
        headers: { "X-API-Key": "dev-api-key" },
        body: JSON.stringify(body),
      });
      return (await response.json()) as ApiAnswer;
    },
    async [Symbol.asyncDispose]() {
      await stopMovingTime(server, runtime);
      if (options.dataDir === undefined) rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** A stop waits on timers; with a test runtime somebody has to move them. */
async function stopMovingTime(server: RunningServer, runtime: Runtime): Promise<void> {
  let stopped = false;
  const stopping = server.stop().finally(() => {
    stopped = true;
  });
  while (!stopped && "advance" in runtime) {
    await (runtime as TestRuntime).advance(20);
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  await stopping;
}
