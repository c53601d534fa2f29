/** Child processes of a benchmark: pinned, talked to in lines, and their use of processor and memory. */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { Child } from "../../src/bench/load/child.ts";
import { placement } from "./machine.ts";

/** `/proc/<pid>/stat` counts in these; every Linux has 100. */
const TICKS_PER_SECOND = 100;

export interface SpawnOptions {
  readonly on: "server" | "load" | "both";
  readonly env?: Readonly<Record<string, string>>;
}

/** None outlives the benchmark, however it ends. */
const running = new Set<Child>();
process.on("exit", () => {
  for (const child of running) child.kill();
});
for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, () => process.exit(1));

export class ChildProcess extends Child {
  constructor(command: readonly string[], { on, env = {} }: SpawnOptions) {
    const cores = placement();
    const pin = cores === undefined ? [] : ["taskset", "-c", cores[on]];
    super([...pin, ...command], { name: command.slice(0, 3).join(" "), env });
    running.add(this);
    void this.exited.then(() => running.delete(this));
  }

  /** User and system time so far, with that of the processes that it started. */
  cpuSeconds(): number {
    return cpuTicks(this.pid) / TICKS_PER_SECOND;
  }

  rssBytes(): number {
    const status = readFileSync(`/proc/${this.pid}/status`, "latin1");
    return Number(/^VmRSS:\s*(\d+) kB/m.exec(status)?.[1]) * 1024;
  }
}

function cpuTicks(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
  // Behind the name, which may hold anything, come the third field and the rest.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "latin1").split(" ");
  const own = Number(fields[11]) + Number(fields[12]);
  return children.filter(Boolean).reduce((sum, child) => sum + cpuTicks(Number(child)), own);
}

/** `script`: below `bench/`, or absolute. */
export function bun(script: string, ...args: string[]): string[] {
  return [process.execPath, resolve(import.meta.dir, "..", script), ...args];
}
