/**
 * `<data directory>`: adds jobs to an embedded engine, takes them and settles them in turn until it is killed. Prints one
 * line per answer: `added`, `taken`, `done` or `retried`, and the payload. Waits for the pipe, so that it never runs far
 * ahead of its reader.
 */
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";

const LEASE_MS = 3_600_000;

const [, , dataDir] = process.argv;
const engine = createEmbeddedEngine({ dataDir, durability: "normal", runtime: systemRuntime });
await engine.start();
const { queue } = engine.app("app");

function print(lines: readonly string[]): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(lines.join(""), () => resolve()));
}

for (let number = 1; ; number += 16) {
  const added = Array.from({ length: 16 }, async (_, index) => {
    const payload = `${number + index}`;
    await queue.add("queue", { payload });
    return `added ${payload}\n`;
  });
  await print(await Promise.all(added));
  // Fewer than were added, so that there are jobs of every kind at any time.
  const jobs = await queue.take("queue", { limit: 12, leaseMs: LEASE_MS });
  await print(jobs.map(({ payload }) => `taken ${payload}\n`));
  const settled = jobs.map(async (job, index) => {
    if (index % 3 === 0) return "";
    const isDone = index % 3 === 1;
    const held = await (isDone
      ? queue.done("queue", job)
      : queue.retry("queue", job, Date.now() + LEASE_MS));
    if (!held) throw new Error("The lease was lost");
    return `${isDone ? "done" : "retried"} ${job.payload}\n`;
  });
  await print(await Promise.all(settled));
}
