/**
 * Memory: `npx bun bench/memory.ts`, about two minutes.
 * What the server's resident memory grows by with 10,000 idle connections, each with one subscription, per connection:
 * all in one channel, then each in one of its own. Beside them bare Bun sockets in a topic.
 */
import { inTurn } from "./harness/fan-out.ts";
import { findCentrifugo, startTopics } from "./harness/floors.ts";
import { startCarillon } from "./harness/carillon.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import type { ChildProcess } from "./harness/processes.ts";
import type { Target } from "./harness/targets.ts";

const CONNECTIONS = 10_000;
const KB_MAX = 4;
/** Memory counts as settled when it moved by less than this share within that time. */
const SETTLED_SHARE = 0.002;
const SETTLE_SECONDS = 3;
const SETTLE_SECONDS_MAX = 40;

export async function benchMemory({ runs }: BenchOptions): Promise<BenchResult> {
  const centrifugo = findCentrifugo();
  const targets = [
    { name: "Carillon", start: () => startCarillon({ users: CONNECTIONS }) },
    { name: "bare Bun sockets", start: startTopics },
    ...(typeof centrifugo === "string" ? [] : [{ name: "Centrifugo", start: centrifugo }]),
  ];
  const measurements: Measurement[] = [];
  for (const [channel, where] of [
    ["bench", "in one channel"],
    ["c%d", "each in its own channel"],
  ] as const) {
    const results = await inTurn(runs, targets, (target) => kilobytes(target, channel));
    for (const [index, { name }] of targets.entries()) {
      const own = results[index] ?? [];
      measurements.push({
        ...{ what: `${name}, ${where}`, unit: "KB/connection", runs: own },
        ...(index === 1 ? {} : { ofFloor: ratio(own, results[1] ?? []) }),
        ...(index === 0 ? { budget: atMost("4 KB", median(own), KB_MAX) } : {}),
      });
    }
  }
  return {
    title: "Resident memory per idle subscribed connection (10,000)",
    measurements,
    notes: typeof centrifugo === "string" ? [centrifugo] : [],
  };
}

/** Of 1,024 bytes. The server starts cold: what it compiles and allocates to serve the first connection counts. */
async function kilobytes(target: Target, channel: string): Promise<number> {
  const before = await settledRss(target.process);
  const options = { channel, connections: CONNECTIONS };
  await using _subscribers = await SubscribersProcess.start(target, options);
  return ((await settledRss(target.process)) - before) / 1024 / CONNECTIONS;
}

async function settledRss(process: ChildProcess): Promise<number> {
  let rss = process.rssBytes();
  for (let waited = 0; waited < SETTLE_SECONDS_MAX; waited += SETTLE_SECONDS) {
    await Bun.sleep(SETTLE_SECONDS * 1000);
    const next = process.rssBytes();
    const moved = Math.abs(next - rss) / rss;
    rss = next;
    if (moved < SETTLED_SHARE) break;
  }
  return rss;
}

if (import.meta.main) await main(benchMemory);
