/**
 * A push by pattern: `npx bun bench/pattern-push.ts`, about a minute.
 * 100,000 live channels with a subscriber each, of which a pattern matches 1,000 or fewer: from request to answer, and for
 * how long the server's event loop is held meanwhile, as `/health` sees it on a connection of its own.
 */
import { startCarillon } from "./harness/carillon.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";
import { longestWait } from "./harness/waits.ts";

const CHANNELS = 100_000;
const CONNECTIONS = 10;
const PUSH_MS_MAX = 50;
/** A request takes two turns of the event loop, each of which may begin behind a slice of 5 ms; and what else a turn does. */
const WAIT_MS_MAX = 15;
const PUSHES = 10;

/** Channels are `c0000000` to `c0099999`. */
const PATTERNS: readonly (readonly [pattern: string, matching: number])[] = [
  ["^c0000", 1_000],
  ["000$", 100],
  ["c00420", 100],
  ["(?i)^C0000", 1_000],
  ["^c00(00|99)[0-9]{1}5", 200],
  ["^c[0-9]+77$", 1_000],
  ["nothing", 0],
];

interface Run {
  readonly firstMs: number;
  readonly pushMs: ReadonlyMap<string, number>;
  /** Of each push. */
  readonly waitsMs: readonly number[];
  readonly restMs: number;
  readonly missing: number;
}

export async function benchPatternPush({ runs }: BenchOptions): Promise<BenchResult> {
  const found: Run[] = [];
  for (let run = 0; run < runs; run++) {
    await using target = await startCarillon({ channelsPerConnection: CHANNELS / CONNECTIONS });
    found.push(await measure(target));
  }
  const waits = found.map(({ waitsMs }) => median(waitsMs));
  const measurements: Measurement[] = [
    {
      ...{ what: "a server's first push, `^c0000`", unit: "ms" },
      runs: found.map(({ firstMs }) => firstMs),
    },
    ...PATTERNS.map(([pattern, matching]): Measurement => {
      const series = found.map(({ pushMs }) => pushMs.get(pattern) ?? Number.NaN);
      return {
        ...{ what: `\`${pattern}\`, ${matching} matching`, unit: "ms", runs: series },
        budget: atMost(`${PUSH_MS_MAX}`, median(series), PUSH_MS_MAX),
      };
    }),
    {
      ...{ what: "longest wait of another request during a push", unit: "ms", runs: waits },
      missing: found.reduce((sum, { missing }) => sum + missing, 0),
      budget: atMost(`${WAIT_MS_MAX}`, median(waits), WAIT_MS_MAX),
    },
    {
      ...{ what: "the longest of all pushes", unit: "ms" },
      runs: found.map(({ waitsMs }) => Math.max(...waitsMs)),
    },
    {
      ...{ what: "the same in 0.5 s without a push", unit: "ms" },
      runs: found.map(({ restMs }) => restMs),
    },
  ];
  const notes = [
    `Each number is the median of ${PUSHES} pushes of each pattern. What waits longest meets the garbage collector, as it does without a push.`,
  ];
  return { title: "Push by pattern over 100,000 channels", measurements, notes };
}

async function measure(target: Target): Promise<Run> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  const url = `http://${publishing.host}:${publishing.port}`;
  const { init, texts = [], replies } = await target.join("idle");
  const lines = CHANNELS / CONNECTIONS;
  const line = '{"id":1%07d,"subscribe":{"channel":"c%07d"}}';
  await using holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: CONNECTIONS, texts, opening: 4, complete: false },
    bulk: { line, lines, linesPerFrame: 500 },
    ...{ init: init.slice(0, -1), replies: replies - 1 + lines },
  });
  let pushed = 0;
  let delivered = 0;

  async function push(pattern: string, matching: number): Promise<number> {
    const data = payload(128)
      .replace("@nnnnnnnnnn", `${pushed++}`.padStart(11, "1"))
      .replace("@ttttttttttttttt", "1".repeat(16));
    const body = new URLSearchParams({ channel_pattern: pattern, event: "e", data });
    const startMs = performance.now();
    const response = await fetch(`${url}/gusher/push/bench`, { method: "POST", body });
    const { total } = (await response.json()) as { total: number };
    if (total !== matching) throw new Error(`"${pattern}" matched ${total}, not ${matching}`);
    delivered += total;
    return performance.now() - startMs;
  }

  await holders.measure();
  // The heap comes to rest after so many subscribes.
  await Bun.sleep(1000);
  // The first request of this process is its own affair.
  await fetch(`${url}/health`);
  const firstMs = await push("^c0000", 1_000);
  for (const [pattern, matching] of PATTERNS) {
    for (let time = 0; time < PUSHES; time++) await push(pattern, matching);
  }
  const restMs = await longestWait(url, Bun.sleep(500));
  const pushMs = new Map<string, number>();
  const waitsMs: number[] = [];
  for (const [pattern, matching] of PATTERNS) {
    const series: number[] = [];
    for (let time = 0; time < PUSHES; time++) {
      const pushing = push(pattern, matching).then((ms) => series.push(ms));
      waitsMs.push(await longestWait(url, pushing));
    }
    pushMs.set(pattern, median(series));
  }
  await holders.drained(delivered);
  const { messages } = await holders.report();
  return { firstMs, pushMs, waitsMs, restMs, missing: delivered - messages };
}

if (import.meta.main) await main(benchPatternPush);
