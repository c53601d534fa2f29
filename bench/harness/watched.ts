/** What the turns of a server's event loop take while something happens to it. */
import { resolve } from "node:path";
import type { WatchedTurns } from "../load/watched-server.ts";
import type { ChildProcess } from "./processes.ts";

/** The `program` of a server that can be watched. */
export const WATCHED_SERVER = resolve(import.meta.dir, "../load/watched-server.ts");

export async function watched<Result>(
  server: ChildProcess,
  during: () => Promise<Result>,
): Promise<{ readonly result: Result; readonly turns: WatchedTurns }> {
  process.kill(server.pid, "SIGUSR2");
  const result = await during();
  process.kill(server.pid, "SIGUSR2");
  for (;;) {
    // Its log is printed there as well.
    const line = await server.line<Partial<WatchedTurns>>();
    const { cpuMs, clockMs } = line;
    if (cpuMs !== undefined && clockMs !== undefined) return { result, turns: { cpuMs, clockMs } };
  }
}
