/**
 * Clients that come back: `npx bun bench/storm.ts`, about two minutes.
 * 10,000 connects at once, and spread as the official clients' first back-off spreads them; each with a signed token and a subscribe.
 * The load process may have 20,000 files open, which are as many connections.
 */
import { readFileSync } from "node:fs";
import { startCarillon } from "./harness/carillon.ts";
import { CHANNEL } from "./harness/fan-out.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, type BenchResult, type Measurement } from "./harness/report.ts";
import { WATCHED_SERVER, watched } from "./harness/watched.ts";

const CONNECTIONS = 10_000;
/** Before what is measured: a server that just started compiles its code meanwhile. */
const WARM_UP_CONNECTIONS = 2000;
/** centrifuge-js: the first attempt comes after 500 ms and by chance up to 500 more. */
const BACK_OFF_MS = 500;
const SECONDS_MAX = 5;
const TURN_MS_MAX = 200;

interface Storm {
  readonly cpuUs: number;
  readonly seconds: number;
  readonly generatorCpu: number;
  readonly turnCpuMs: number;
  readonly turnClockMs: number;
  /** Connects that the kernel dropped, since as many waited as may. */
  readonly overflows: number;
}

export async function benchStorm({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const connections = quick ? CONNECTIONS / 2 : CONNECTIONS;
  const measurements: Measurement[] = [];
  for (const [how, spreadMs] of [
    ["at once", 0],
    [`over ${BACK_OFF_MS} ms`, BACK_OFF_MS],
  ] as const) {
    const storms: Storm[] = [];
    for (let run = 0; run < runs; run++) storms.push(await storm(connections, spreadMs));
    const of = (value: keyof Storm) => storms.map((each) => each[value]);
    const what = `${connections.toLocaleString("en")} ${how}`;
    measurements.push(
      {
        ...{ what: `${what}: all back`, unit: "s", runs: of("seconds"), cpuUs: of("cpuUs") },
        generatorCpu: of("generatorCpu"),
        budget: atMost(`${SECONDS_MAX} s`, median(of("seconds")), SECONDS_MAX),
      },
      {
        ...{ what: `${what}: p99 turn of the loop, CPU`, unit: "ms", runs: of("turnCpuMs") },
        budget: atMost(`${TURN_MS_MAX} ms`, median(of("turnCpuMs")), TURN_MS_MAX),
      },
      { what: `${what}: p99 turn of the loop, clock`, unit: "ms", runs: of("turnClockMs") },
      { what: `${what}: connects dropped by the kernel`, unit: "", runs: of("overflows") },
    );
  }
  return {
    title: "Clients that come back",
    measurements,
    notes: [
      "A turn counts by its length: p99 is what one moment in a hundred of the work falls into. A dropped connect is repeated by its kernel after 1 s, then 2 s.",
    ],
  };
}

async function storm(connections: number, spreadMs: number): Promise<Storm> {
  await using target = await startCarillon({ program: WATCHED_SERVER });
  {
    const options = { channel: CHANNEL, connections: WARM_UP_CONNECTIONS };
    await using _warmUp = await SubscribersProcess.start(target, options);
  }
  const cpuBefore = target.process.cpuSeconds();
  const overflowsBefore = listenOverflows();
  const { result, turns } = await watched(target.process, async () => {
    await using subscribers = await SubscribersProcess.start(target, {
      ...{ channel: CHANNEL, connections, opening: connections },
      ...(spreadMs === 0 ? {} : { spreadMs }),
    });
    const cpuSeconds = target.process.cpuSeconds() - cpuBefore;
    return { ...subscribers.ready, cpuSeconds, overflows: listenOverflows() - overflowsBefore };
  });
  const { ready, seconds, cpu, cpuSeconds, overflows } = result;
  return {
    ...{ cpuUs: (cpuSeconds * 1e6) / ready, seconds, generatorCpu: cpu, overflows },
    ...{ turnCpuMs: turns.cpuMs.p99, turnClockMs: turns.clockMs.p99 },
  };
}

/** Of the whole machine. */
function listenOverflows(): number {
  const [names = [], values = []] = readFileSync("/proc/net/netstat", "latin1")
    .split("\n")
    .filter((line) => line.startsWith("TcpExt:"))
    .map((line) => line.split(" "));
  return Number(values[names.indexOf("ListenOverflows")]);
}

if (import.meta.main) await main(benchStorm);
