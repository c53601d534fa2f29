/** Processes that use an embedded engine, and are killed while they do. */
import { join } from "node:path";

interface KillOptions {
  /** Lines to wait for before the kill. */
  readonly lines: number;
  readonly whileRunning?: (() => Promise<void>) | undefined;
}

interface PublishingOptions {
  readonly durability?: "normal" | "full";
  readonly bootId?: string | undefined;
  /** Answers to wait for before the kill. */
  readonly acknowledged?: number;
  readonly whileRunning?: () => Promise<void>;
}

/** What a publishing child process had been answered when `kill -9` ended it. */
export async function killMidPublishing(dataDir: string, options: PublishingOptions = {}) {
  const { durability = "normal", bootId, acknowledged = 1, whileRunning } = options;
  const args = [dataDir, durability, ...(bootId === undefined ? [] : [bootId])];
  const lines = await linesBeforeKill("publishing-child.ts", args, {
    lines: acknowledged,
    whileRunning,
  });
  return lines.map((line) => {
    const [epoch = "", offset = "", text = ""] = line.split(" ");
    return { epoch, offset: Number(offset), text };
  });
}

/** What a child process that works on a queue had been answered when `kill -9` ended it, in the order of the answers. */
export async function killMidQueueing(dataDir: string, options: { readonly answers: number }) {
  const lines = await linesBeforeKill("queueing-child.ts", [dataDir], { lines: options.answers });
  return lines.map((line) => {
    const [answer = "", payload = ""] = line.split(" ");
    return { answer, payload };
  });
}

async function linesBeforeKill(
  script: string,
  args: readonly string[],
  { lines, whileRunning }: KillOptions,
): Promise<readonly string[]> {
  const path = join(import.meta.dir, "../../../test/support", script);
  await using child = Bun.spawn([process.execPath, path, ...args], { stderr: "inherit" });
  const decoder = new TextDecoder();
  let output = "";
  let running = true;
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (!running || output.split("\n").length <= lines) continue;
    running = false;
    await whileRunning?.();
    child.kill("SIGKILL");
  }
  await child.exited;
  // What stands behind the last line break was cut off by the kill.
  return output.split("\n").slice(0, -1);
}
