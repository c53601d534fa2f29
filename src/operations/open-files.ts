/** How many files and sockets this process may have open: each connection is one. */
import { readFileSync } from "node:fs";

/** Undefined where the system does not tell, or sets no limit. */
export function readOpenFilesMax(): number | undefined {
  try {
    const [, soft] =
      /^Max open files +(\d+)/m.exec(readFileSync("/proc/self/limits", "utf8")) ?? [];
    return soft === undefined ? undefined : Number(soft);
  } catch {
    return undefined;
  }
}
