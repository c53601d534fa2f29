/** Child processes of a benchmark: pinned, talked to in lines, and their use of processor and memory. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { readLines } from "../load/lines.ts";
import { placement } from "./machine.ts";

/** `/proc/<pid>/stat` counts in these; every Linux has 100. */
const TICKS_PER_SECOND = 100;
const LINE_SECONDS_MAX = 600;

export interface SpawnOptions {
  readonly on: "server" | "load";
  readonly env?: Readonly<Record<string, string>>;
}

/** None outlives the benchmark, however it ends. */
const running = new Set<Bun.Subprocess>();
process.on("exit", () => {
  for (const child of running) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class ChildProcess implements AsyncDisposable {
  readonly #child: Bun.Subprocess<"pipe", "pipe", "inherit">;
  readonly #lines: unknown[] = [];
  readonly #waiting: ((line: unknown) => void)[] = [];
  readonly #command: string;
  #ended: string | undefined;

  constructor(command: readonly string[], { on, env = {} }: SpawnOptions) {
    const cores = placement();
    const pin = cores === undefined ? [] : ["taskset", "-c", cores[on]];
    this.#command = command.slice(0, 3).join(" ");
    this.#child = Bun.spawn([...pin, ...command], {
      env: { ...process.env, ...env },
      stdin: "pipe",
      stdout: "pipe",
      stderr: "inherit",
    });
    running.add(this.#child);
    void readLines(this.#child.stdout, (line) => this.#received(line));
    void this.#child.exited.then((code) => {
      running.delete(this.#child);
      this.#ended = `ended with ${this.#child.signalCode ?? code}`;
      for (const resolve of this.#waiting.splice(0)) resolve(undefined);
    });
  }

  /** For error messages. */
  get state(): string {
    return this.#ended ?? "is running";
  }

  get pid(): number {
    return this.#child.pid;
  }

  #received(line: unknown): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#lines.push(line);
    else resolve(line);
  }

  /** The next line that it prints, read as JSON. Rejects when it ends first. */
  async line<Line>(): Promise<Line> {
    const next = this.#lines.shift() ?? (await this.#nextLine());
    if (next === undefined) throw new Error(`"${this.#command}" ${this.state}`);
    return next as Line;
  }

  #nextLine(): Promise<unknown> {
    if (this.#ended !== undefined) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#waiting.push(resolve);
      setTimeout(() => resolve(undefined), LINE_SECONDS_MAX * 1000).unref();
    });
  }

  async ask<Answer>(question: object | string): Promise<Answer> {
    await this.#child.stdin.write(
      `${typeof question === "string" ? question : JSON.stringify(question)}\n`,
    );
    await this.#child.stdin.flush();
    return this.line<Answer>();
  }

  /** User and system time so far. */
  cpuSeconds(): number {
    const stat = readFileSync(`/proc/${this.pid}/stat`, "latin1");
    // Behind the name, which may hold anything, come the third field and the rest.
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "latin1");
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]) * 1024;
  }

  /** Also from a process that is gone already. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.exited;
  }
}

/** `script`: below `bench/`, or absolute. */
export function bun(script: string, ...args: string[]): string[] {
  return [process.execPath, resolve(import.meta.dir, "..", script), ...args];
}
