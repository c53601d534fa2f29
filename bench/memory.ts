/**
 * Memory: `npx bun bench/memory.ts`, about six minutes.
 * What the server's resident memory grows by with 10,000 idle connections, each with one subscription, per connection:
 * all in one channel, then each in one of its own. From the cold start, which charges them with all that the server
 * compiles; and by each of the last 8,000. Both dialects, each connection another user's, beside bare Bun sockets in a topic.
 * gusher's users log in over HTTP first, which counts as theirs.
 */
import { CHANNEL, inTurn } from "./harness/fan-out.ts";
import { findCentrifugo, startTopics } from "./harness/floors.ts";
import { startCarillon, startCarillonGusher } from "./harness/carillon.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import type { ChildProcess } from "./harness/processes.ts";
import type { Target } from "./harness/targets.ts";

const CONNECTIONS = 10_000;
/** With these open, what each further one costs is counted. */
const FIRST_CONNECTIONS = 2000;
const KB_MAX = 4;
/** Memory counts as settled when it moved by less than this share from look to look, so often in a row. */
const SETTLED_SHARE = 0.002;
const SETTLED_LOOKS = 3;
const SETTLE_SECONDS = 3;
const SETTLE_SECONDS_MAX = 40;

export async function benchMemory({ runs }: BenchOptions): Promise<BenchResult> {
  const centrifugo = findCentrifugo();
  const targets = [
    { name: "Carillon", start: () => startCarillon({ users: CONNECTIONS }) },
    { name: "bare Bun sockets", start: startTopics },
    {
      name: "Carillon, gusher",
      start: () => startCarillonGusher({ channel: CHANNEL, users: CONNECTIONS }),
    },
    ...(typeof centrifugo === "string" ? [] : [{ name: "Centrifugo", start: centrifugo }]),
  ];
  const measurements: Measurement[] = [];
  for (const [channel, where] of [
    ["bench", "in one channel"],
    ["c%d", "each in its own channel"],
  ] as const) {
    const results = await inTurn(runs, targets, (target) => memoryOf(target, channel));
    for (const part of ["all", "further"] as const) {
      const kilobytes = results.map((found) => found.map((each) => each[part]));
      for (const [index, { name }] of targets.entries()) {
        const own = kilobytes[index] ?? [];
        measurements.push({
          what: `${name}, ${where}, ${part === "all" ? "from cold" : "each further"}`,
          ...{ unit: "KB/connection", runs: own },
          ...(index === 1 ? {} : { ofFloor: ratio(own, kilobytes[1] ?? []) }),
          ...(name.startsWith("Carillon") ? { budget: atMost("4 KB", median(own), KB_MAX) } : {}),
        });
      }
    }
  }
  return {
    title: "Resident memory per idle subscribed connection (10,000)",
    measurements,
    notes: typeof centrifugo === "string" ? [centrifugo] : [],
  };
}

interface Kilobytes {
  readonly all: number;
  readonly further: number;
}

/** A kilobyte is 1,024 bytes. */
export async function memoryOf(target: Target, channel: string): Promise<Kilobytes> {
  const cold = await settledRss(target.process);
  const first = { channel, connections: FIRST_CONNECTIONS };
  await using _first = await SubscribersProcess.start(target, first);
  const some = await settledRss(target.process);
  const furtherConnections = CONNECTIONS - FIRST_CONNECTIONS;
  const further = { channel: channel.replace("c%d", "d%d"), connections: furtherConnections };
  await using _further = await SubscribersProcess.start(target, further);
  const all = await settledRss(target.process);
  return {
    all: (all - cold) / 1024 / CONNECTIONS,
    further: (all - some) / 1024 / furtherConnections,
  };
}

async function settledRss(process: ChildProcess): Promise<number> {
  let rss = process.rssBytes();
  let settled = 0;
  for (let waited = 0; waited < SETTLE_SECONDS_MAX; waited += SETTLE_SECONDS) {
    await Bun.sleep(SETTLE_SECONDS * 1000);
    const next = process.rssBytes();
    settled = Math.abs(next - rss) / rss < SETTLED_SHARE ? settled + 1 : 0;
    rss = next;
    if (settled === SETTLED_LOOKS) break;
  }
  return rss;
}

if (import.meta.main) await main(benchMemory);
