/** What the pages print between fences, and a shell that runs it: for tests that hold the pages to what they say. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { Glob } from "bun";
import { temporaryDir } from "./server.ts";

export const ROOT = join(import.meta.dir, "../..");
const MAIN = join(ROOT, "src/cli/main.ts");
/** Stands before each block's output, since no block prints it. */
const MARK = "\u001e";

export interface Block {
  /** From the root of the repository: `docs/streaming.md`. */
  readonly page: string;
  /** As after the fence; `""`: it says none. */
  readonly language: string;
  /** `sh 2`: the second one of its language on the page. */
  readonly name: string;
  readonly text: string;
}

/** Every page for users and operators, by its path from the root. */
export async function readPages(): Promise<ReadonlyMap<string, string>> {
  const paths = ["README.md", "docs/*.md", "clients/*/README.md"].flatMap((pattern) => [
    ...new Glob(pattern).scanSync(ROOT),
  ]);
  const texts = paths
    .toSorted()
    .map(async (path) => [path, await Bun.file(join(ROOT, path)).text()] as const);
  return new Map(await Promise.all(texts));
}

export function blocksOf(page: string, text: string): readonly Block[] {
  const counts = new Map<string, number>();
  return [...text.matchAll(/^( *)```(\w*)[^\n]*\n(.*?)^\1```$/gms)].map((match) => {
    const [, indent = "", language = "", printed = ""] = match;
    const count = (counts.get(language) ?? 0) + 1;
    counts.set(language, count);
    const lines = printed.split("\n").map((line) => line.slice(indent.length));
    return { page, language, name: `${language || "plain"} ${count}`, text: lines.join("\n") };
  });
}

export interface ShellOptions {
  /** Both in place of the ports that the pages print. */
  readonly server: { readonly clientsUrl: string; readonly apiUrl: string };
  /** Printed text, and what runs in its place: a placeholder's value, `& wait` for what would wait for ever. Each must occur. */
  readonly replace?: readonly (readonly [printed: string, run: string])[];
  readonly env?: Readonly<Record<string, string>>;
  /** Default: an empty one, removed afterwards. */
  readonly directory?: string;
}

/**
 * Runs blocks as one reader would, one after the other in one shell, whose variables and functions live on. `carillon` is the command
 * line of this source, and `curl` tells errors by its exit code. Resolves with what each printed; rejects with what failed.
 */
export async function runBlocks(
  blocks: readonly Block[],
  { server, replace = [], env = {}, directory }: ShellOptions,
): Promise<readonly string[]> {
  const [clients, api] = [new URL(server.clientsUrl), new URL(server.apiUrl)];
  let script = blocks.map(({ text }) => `printf '${MARK}'\n${text}`).join("\n");
  for (const [printed, run] of replace) {
    if (!script.includes(printed)) throw new Error(`No block says "${printed}"`);
    script = script.replaceAll(printed, () => run);
  }
  script = script
    .replaceAll(/(?:127\.0\.0\.1|localhost):8000/g, clients.host)
    .replaceAll(/(?:127\.0\.0\.1|localhost):9000/g, api.host);
  const cwd = directory ?? temporaryDir();
  try {
    const child = Bun.spawn(["bash", "-euo", "pipefail", "-c", PRELUDE + script], {
      cwd,
      env: {
        PATH: process.env["PATH"],
        CARILLON_CLIENTS_PORT: clients.port,
        CARILLON_API_PORT: api.port,
        ...env,
      },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err, code] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.exited,
    ]);
    const outputs = out.split(MARK).slice(1);
    const failed = outputs.findIndex((text) => /"error":\{/.test(text));
    const at = blocks[failed >= 0 ? failed : outputs.length - 1];
    if (code !== 0 || failed >= 0) {
      throw new Error(`${at?.page}, ${at?.name}: exit code ${code}\n${outputs.at(-1)}${err}`);
    }
    return outputs;
  } finally {
    if (directory === undefined) rmSync(cwd, { recursive: true });
  }
}

const PRELUDE = `
carillon() { "${process.execPath}" "${MAIN}" "$@"; }
npx() { "$@"; }
curl() { command curl -sS --fail-with-body --max-time 10 "$@" && echo; }
`;
