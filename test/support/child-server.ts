/** A server as a process of its own, with its configuration in a file: for what memory, signals and kills do to it. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { temporaryDir, type ApiAnswer } from "./server.ts";

export interface ChildOptions {
  /** What runs the command line. Default: its source, with this Bun. */
  readonly command?: readonly string[];
  /** Over the development configuration, member by member at the top level. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** In place of the development configuration, likewise; `config` is over it. */
  readonly base?: Readonly<Record<string, unknown>>;
  /** For `serve`, behind the configuration. */
  readonly args?: readonly string[];
  /** Kept after the server: for restarts. Default: a directory of its own, removed with it. */
  readonly dataDir?: string;
}

export interface ChildServer extends AsyncDisposable {
  readonly pid: number;
  readonly dataDir: string;
  readonly clientsUrl: string;
  readonly apiUrl: string;
  readonly websocketUrl: string;
  /** The lines of the log so far, parsed. */
  readonly logged: readonly Readonly<Record<string, unknown>>[];
  /** Resolves with the exit code; of a killed process, 128 and the signal's number. */
  readonly exited: Promise<number>;
  /** All of the standard error, once the process ended. */
  readonly stderr: Promise<string>;
  kill(signal: NodeJS.Signals): void;
  api(method: string, body?: unknown): Promise<ApiAnswer>;
  /** One number of `/metrics`: the sum over its labels. */
  metric(name: string): Promise<number>;
  /** Resident bytes now. */
  rssBytes(): Promise<number>;
}

export interface ChildRun {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

const MAIN = join(import.meta.dir, "../../src/cli/main.ts");

/** Runs `serve` with exactly these arguments to its end. */
export async function runServe(args: readonly string[], cwd: string): Promise<ChildRun> {
  const child = spawn(args, cwd);
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** Resolves once the server listens; rejects with its standard error when it ends before. */
export async function spawnServer(options: ChildOptions = {}): Promise<ChildServer> {
  const directory = temporaryDir();
  const dataDir = options.dataDir ?? join(directory, "data");
  const config = join(directory, "carillon.json");
  const file = {
    ...(options.base ?? developmentFile()),
    clients: { port: 0 },
    api: { port: 0 },
    data_dir: dataDir,
    log: { level: "info", format: "json" },
    ...options.config,
  };
  writeFileSync(config, JSON.stringify(file));
  const child = spawn(["--config", config, ...(options.args ?? [])], directory, options.command);
  const logged: Record<string, unknown>[] = [];
  const stderr = new Response(child.stderr).text();
  const ready = Promise.withResolvers<Record<string, unknown>>();
  const reading = readLines(child.stdout, (line) => {
    const entry = JSON.parse(line) as Record<string, unknown>;
    logged.push(entry);
    // Of several workers or nodes, each says so of itself; who started them speaks for all.
    if (entry["msg"] === "Ready" && !("worker" in entry || "node" in entry)) ready.resolve(entry);
  });
  void child.exited.then(async (code) =>
    ready.reject(new Error(`serve ended with ${code}: ${await stderr}`)),
  );
  const { clients, api } = await ready.promise;
  const [clientsUrl, apiUrl] = [String(clients), String(api)];

  return {
    pid: child.pid,
    dataDir,
    clientsUrl,
    apiUrl,
    websocketUrl: `${clientsUrl.replace(/^http/, "ws")}/connection/websocket`,
    logged,
    exited: child.exited.then(async (code) => {
      await reading;
      return code;
    }),
    stderr,
    kill: (signal) => child.kill(signal),
    async api(method, body = {}) {
      const response = await fetch(`${apiUrl}/api/${method}`, {
        method: "POST",
        headers: { "X-API-Key": "dev-api-key" },
        body: JSON.stringify(body),
      });
      return (await response.json()) as ApiAnswer;
    },
    async metric(name) {
      const text = await (await fetch(`${apiUrl}/metrics`)).text();
      const lines = text.split("\n").filter((line) => /^[^#{ ]+/.exec(line)?.[0] === name);
      if (lines.length === 0) throw new Error(`No metric ${name}`);
      return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(" ") + 1)), 0);
    },
    async rssBytes() {
      const status = await Bun.file(`/proc/${child.pid}/status`).text();
      return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) * 1024;
    },
    async [Symbol.asyncDispose]() {
      child.kill("SIGKILL");
      await child.exited;
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

function spawn(
  args: readonly string[],
  cwd: string,
  command: readonly string[] = [process.execPath, MAIN],
) {
  return Bun.spawn([...command, "serve", ...args], {
    cwd,
    // Nothing of the surroundings but the path: the configuration alone decides, except for the one port that is fixed in
    // development.
    env: { PATH: process.env["PATH"], CARILLON_SORA_PORT: "0" },
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
}

async function readLines(
  stream: ReadableStream<Uint8Array>,
  onLine: (line: string) => void,
): Promise<void> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
  }
}
