/** What the server is measured against: bare Bun, a bare C sender, bare `node:http`, and Centrifugo where it is. */
import { existsSync, mkdtempSync, writeFileSync } from "node:fs";
import { createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createCredentials, joinStreaming, type Credentials, type Namespace } from "./carillon.ts";
import { bun, ChildProcess, type SpawnOptions } from "./processes.ts";
import { LOOPBACK, type StartTarget, type Target } from "./targets.ts";

/** `floor/topics.ts`: native topics, no codec. */
export async function startTopics(): Promise<Target> {
  const process = new ChildProcess(bun("floor/topics.ts"), { on: "server" });
  const { port } = await process.line<{ port: number }>();
  return {
    name: "bare Bun topics",
    process,
    sockets: { host: LOOPBACK, port, path: "/" },
    join: (channel) => ({ init: [`s ${channel}`], replies: 1 }),
    publishing: {
      ...{ host: LOOPBACK, port, path: "/", headers: {} },
      body: (channel, data) => `${channel} ${data}`,
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

/** `floor/http-answer.ts`: reads a body and answers; `redisUrl`: once Redis has published it. */
export async function startHttpAnswer(redisUrl?: string): Promise<Target> {
  const env = redisUrl === undefined ? {} : { REDIS_URL: redisUrl };
  const process = new ChildProcess(bun("floor/http-answer.ts"), { on: "server", env });
  const { port } = await process.line<{ port: number }>();
  return {
    name: "bare node:http",
    process,
    sockets: { host: LOOPBACK, port, path: "/" },
    join: () => ({ init: [], replies: 0 }),
    publishing: {
      ...{ host: LOOPBACK, port, path: "/", headers: { "Content-Type": "application/json" } },
      body: (channel, data) => `{"channel":"${channel}","data":${data}}`,
    },
    [Symbol.asyncDispose]: () => process[Symbol.asyncDispose](),
  };
}

export interface WslimitOptions {
  readonly perSecond: number;
  readonly bytes: number;
}

/** What wslimit puts around its padding. */
const WSLIMIT_FRAME_BYTES = '{"t":1763692800000000,"d":""}'.length;

/** The C sender, compiled for this process; or why it is absent. */
export function findWslimit(): ((options: WslimitOptions) => Promise<Target>) | string {
  const tools =
    process.env["BENCH_TOOLS"] ?? new URL("../../../shared/tools", import.meta.url).pathname;
  const source = join(tools, "wslimit.c");
  if (!existsSync(source)) return `wslimit is absent: no ${source} (BENCH_TOOLS names its folder)`;
  const compiler = Bun.which("gcc");
  if (compiler === null) return "wslimit is absent: no gcc to compile it";
  const binary = join(mkdtempSync(join(tmpdir(), "carillon-bench-tools-")), "wslimit");
  const compiled = Bun.spawnSync([compiler, "-O2", "-w", "-o", binary, source]);
  if (!compiled.success) return `wslimit is absent: gcc failed: ${compiled.stderr.toString()}`;
  return async ({ perSecond, bytes }) => {
    const port = await freePort();
    const size = `${bytes - WSLIMIT_FRAME_BYTES}`;
    const child = new ChildProcess([binary, `${port}`, `${perSecond}`, size], { on: "server" });
    await listening(port);
    return {
      name: "wslimit",
      process: child,
      sockets: { host: LOOPBACK, port, path: "/" },
      join: () => ({ init: [], replies: 1 }),
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  };
}

export interface CentrifugoOptions {
  /** Users among whom the connections are spread. Default 1,000. */
  readonly users?: number;
  /** Of every channel, in the names that both servers have. */
  readonly channel?: Readonly<Record<string, unknown>>;
  /** Beside the channels without one, whose options are `channel`. */
  readonly namespaces?: readonly Namespace[];
  /** Default: "server". */
  readonly on?: SpawnOptions["on"];
  /** Over the configuration, member by member at the top level. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** Of tokens and the API, for processes that are one. Default: their own. */
  readonly credentials?: Credentials;
  /** Default: its memory engine. */
  readonly redisUrl?: string;
}

/** Centrifugo from the binary that `CENTRIFUGO_BIN` names; or why it is absent. */
export function findCentrifugo(options: CentrifugoOptions = {}): StartTarget | string {
  const binary = process.env["CENTRIFUGO_BIN"];
  if (binary === undefined) return "Centrifugo is absent: CENTRIFUGO_BIN names no binary of it";
  if (!existsSync(binary)) return `Centrifugo is absent: there is no "${binary}"`;
  return async () => {
    const port = await freePort();
    const { users = 1000, channel = {}, namespaces = [], redisUrl, on = "server" } = options;
    const { apiKey, tokenSecret, tokens } = options.credentials ?? createCredentials();
    const allowed = { allow_subscribe_for_client: true };
    const file = join(mkdtempSync(join(tmpdir(), "centrifugo-bench-")), "config.json");
    writeFileSync(
      file,
      JSON.stringify({
        http_server: { address: LOOPBACK, port: `${port}` },
        http_api: { key: apiKey },
        client: { token: { hmac_secret_key: tokenSecret }, allowed_origins: ["*"] },
        channel: {
          without_namespace: { ...allowed, ...channel },
          namespaces: namespaces.map((namespace) => ({ ...allowed, ...namespace })),
        },
        ...(redisUrl === undefined
          ? {}
          : { engine: { type: "redis", redis: { address: redisUrl } } }),
        log: { level: "error" },
        ...options.config,
      }),
    );
    const child = new ChildProcess([binary, "--config", file], {
      on,
      env: { GOMAXPROCS: "1" },
    });
    await listening(port);
    const texts = tokens(users);
    return {
      name: "Centrifugo",
      process: child,
      sockets: { host: LOOPBACK, port, path: "/connection/websocket" },
      join: (channel) => joinStreaming(channel, texts),
      publishing: {
        ...{ host: LOOPBACK, port, path: "/api/publish" },
        headers: { "X-API-Key": apiKey, "Content-Type": "application/json" },
        body: (channel, data) => `{"channel":"${channel}","data":${data}}`,
      },
      [Symbol.asyncDispose]: () => child[Symbol.asyncDispose](),
    };
  };
}

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, LOOPBACK, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise<void>((resolve) => server.close(() => resolve()));
  return port;
}

const LISTEN_ATTEMPTS = 5000;
const LISTEN_PAUSE_MS = 2;

async function listening(port: number): Promise<void> {
  for (let attempt = 0; attempt < LISTEN_ATTEMPTS; attempt++) {
    try {
      const socket = await Bun.connect({ hostname: LOOPBACK, port, socket: { data() {} } });
      socket.terminate();
      return;
    } catch {
      await Bun.sleep(LISTEN_PAUSE_MS);
    }
  }
  throw new Error(`Nothing listens on port ${port}`);
}
