/** Runs the command line as a process of its own, for the tests of this folder. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const directory = mkdtempSync(join(tmpdir(), "carillon-cli-"));
process.on("exit", () => rmSync(directory, { recursive: true, force: true }));

const MAIN = join(import.meta.dir, "main.ts");

/** The command line where a process may have so many files. The limit is a hard one, which the runtime cannot raise. */
export function withFiles(count: number): readonly string[] {
  return ["sh", "-c", `ulimit -n ${count}; exec "$0" "$@"`, process.execPath, MAIN];
}

export interface Ran {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs the command line in a directory without a configuration, behind a proxy that does not exist. */
export async function carillon(
  args: readonly string[],
  env: Record<string, string> = {},
  command: readonly string[] = [process.execPath, MAIN],
): Promise<Ran> {
  const proxy = "http://127.0.0.1:9";
  const child = Bun.spawn([...command, ...args], {
    cwd: directory,
    env: { PATH: process.env["PATH"], HTTP_PROXY: proxy, http_proxy: proxy, ...env },
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err, code] = await Promise.all([
    new Response(child.stdout).text(),
    new Response(child.stderr).text(),
    child.exited,
  ]);
  return { code, out, err };
}

/** Makes a file in that directory; answers its path. */
export function write(name: string, text: string): string {
  const path = join(directory, name);
  writeFileSync(path, text);
  return path;
}
