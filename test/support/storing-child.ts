/**
 * `<Redis URL>`: puts and deletes records, adds jobs, takes them and settles them in turn until it is killed, or its server is.
 * Prints one line per answer: `put` or `deleted` and the record's key, `added`, `taken`, `done` or `retried` and the
 * job's payload. Waits for the pipe, so that it never runs far ahead of its reader.
 */
import { HubError } from "../../src/core/errors.ts";
import { createRedisEngine } from "../../src/engines/redis/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";

const LEASE_MS = 3_600_000;
const ROUND = 16;

const [, , url = ""] = process.argv;
const engine = createRedisEngine({ url, runtime: systemRuntime });
await engine.start();
const { records, queue } = engine.app("app");

function print(lines: readonly string[]): Promise<void> {
  return new Promise((resolve) => void process.stdout.write(lines.join(""), () => resolve()));
}

/** Each answer is printed, also of a round of which others fail. */
async function answers(calls: readonly Promise<string>[]): Promise<void> {
  const results = await Promise.allSettled(calls);
  await print(results.map((result) => (result.status === "fulfilled" ? result.value : "")));
  for (const result of results) if (result.status === "rejected") throw result.reason;
}

async function settle(payload: string, ending: Promise<boolean>, answer: string): Promise<string> {
  if (!(await ending)) throw new Error("The lease was lost");
  return `${answer} ${payload}\n`;
}

async function round(number: number): Promise<void> {
  const numbers = Array.from({ length: ROUND }, (_, index) => number + index);
  await answers([
    ...numbers.map((each) => records.put(`r${each}`, `${each}`).then(() => `put r${each}\n`)),
    ...numbers.map((each) =>
      queue.add("queue", { payload: `${each}` }).then(() => `added ${each}\n`),
    ),
  ]);
  // Fewer than were added, so that there are jobs of every kind at any time.
  const jobs = await queue.take("queue", { limit: 12, leaseMs: LEASE_MS });
  await print(jobs.map(({ payload }) => `taken ${payload}\n`));
  const laterMs = Date.now() + LEASE_MS;
  await answers([
    ...numbers
      .filter((each) => each % 4 === 0)
      .map((each) => records.delete(`r${each}`).then(() => `deleted r${each}\n`)),
    ...jobs.flatMap((job, index) => {
      if (index % 3 === 1) return [settle(job.payload, queue.done("queue", job), "done")];
      if (index % 3 === 2) {
        return [settle(job.payload, queue.retry("queue", job, laterMs), "retried")];
      }
      return [];
    }),
  ]);
}

try {
  for (let number = 1; ; number += ROUND) await round(number);
} catch (error) {
  if (!(error instanceof HubError)) throw error;
  process.exit(0);
}
