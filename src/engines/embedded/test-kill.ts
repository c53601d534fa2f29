/** A process that publishes to an embedded engine, and is killed while it does. */
import { join } from "node:path";

interface KillOptions {
  readonly durability?: "normal" | "full";
  readonly bootId?: string | undefined;
  /** Answers to wait for before the kill. */
  readonly acknowledged?: number;
  readonly whileRunning?: () => Promise<void>;
}

/** What a publishing child process had been answered when `kill -9` ended it. */
export async function killMidPublishing(dataDir: string, options: KillOptions = {}) {
  const { durability = "normal", bootId, acknowledged = 1, whileRunning } = options;
  const script = join(import.meta.dir, "../../../test/support/publishing-child.ts");
  const args = [dataDir, durability, ...(bootId === undefined ? [] : [bootId])];
  await using child = Bun.spawn([process.execPath, script, ...args], { stderr: "inherit" });
  const decoder = new TextDecoder();
  let output = "";
  let running = true;
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (!running || output.split("\n").length <= acknowledged) continue;
    running = false;
    await whileRunning?.();
    child.kill("SIGKILL");
  }
  await child.exited;
  // What stands behind the last line break was cut off by the kill.
  const lines = output.split("\n").slice(0, -1);
  return lines.map((line) => {
    const [epoch = "", offset = "", text = ""] = line.split(" ");
    return { epoch, offset: Number(offset), text };
  });
}
