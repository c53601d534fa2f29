/**
 * The console, open: `npx bun bench/console.ts`, about three minutes.
 * 15,000 connections and 100,000 channels beside what is measured: fan-out to 1,000 subscribers with nobody looking, and with somebody who
 * has the console look at its nodes and refreshes a list every two seconds; and for how long another request waits while a list is loaded.
 */
import { startCarillon } from "./harness/carillon.ts";
import { compare, type Contender, type Taken } from "./harness/compare.ts";
import { fanOut } from "./harness/fan-out.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, median, type BenchResult, type Measurement } from "./harness/report.ts";
import type { Target } from "./harness/targets.ts";
import { longestWait } from "./harness/waits.ts";

const CONNECTIONS = 15_000;
const CHANNELS_EACH = 7;
/** Of the processor time for a delivery with nobody looking, at saturation: what looking costs is taken from the deliveries. */
const CPU_RATIO_MAX = 1.03;
const LANES = 64;
/** A request takes two turns of the event loop, each of which may begin behind a slice of 5 ms; and what else a turn does. */
const WAIT_MS_MAX = 15;
const LOOK_MS = 2_000;
const LOADS = 10;

/** What the page asks for. */
const LOOKED_AT = ["nodes", "channels"];
const LISTS = [
  ...["nodes", "channels?limit=250", "channels?limit=250&pattern=77%24", "connections?limit=250"],
  ...["connections?limit=250&channel=bench", "refusals?limit=250"],
];

interface Run {
  readonly idle: Taken;
  readonly watched: Taken;
  /** By list, milliseconds. */
  readonly waits: ReadonlyMap<string, number>;
}

export async function benchConsole({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const found: Run[] = [];
  for (let run = 0; run < runs; run++) {
    await using target = await startCarillon({ users: CONNECTIONS });
    found.push(await measure(target, quick));
  }
  const contenders: Contender[] = [
    { name: "nobody looks", start: startCarillon, part: "floor" },
    { name: "the console open", start: startCarillon },
  ];
  const taken = [found.map(({ idle }) => idle), found.map(({ watched }) => watched)];
  const text = `${CPU_RATIO_MAX} × nobody looking`;
  const measurements: Measurement[] = [
    ...compare("64 in flight, to 1,000", "deliveries/s", contenders, taken, ({ ofFloor }) =>
      ofFloor === undefined ? undefined : atMost(text, ofFloor, CPU_RATIO_MAX),
    ),
    ...LISTS.map((list): Measurement => {
      const series = found.map(({ waits }) => waits.get(list) ?? Number.NaN);
      return {
        ...{ what: `another request's wait during \`${list}\``, unit: "ms", runs: series },
        budget: atMost(`${WAIT_MS_MAX}`, median(series), WAIT_MS_MAX),
      };
    }),
  ];
  const notes = [`Waits are medians of the longest of ${LOADS} loads each.`];
  return { title: "The console over 15,000 connections, 100,000 channels", measurements, notes };
}

async function measure(target: Target, quick: boolean): Promise<Run> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  const url = `http://${publishing.host}:${publishing.port}`;
  const { init, texts = [], replies } = await target.join("idle");
  await using holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: CONNECTIONS, texts, complete: false },
    bulk: {
      line: '{"id":1%07d,"subscribe":{"channel":"c%07d"}}',
      ...{ lines: CHANNELS_EACH, linesPerFrame: CHANNELS_EACH },
    },
    ...{ init: init.slice(0, -1), replies: replies - 1 + CHANNELS_EACH },
  });
  // The heap comes to rest after so many subscribes.
  await Bun.sleep(1000);
  const load = async (list: string): Promise<void> => {
    const answer = await fetch(`${url}/admin/api/${list}`);
    if (!answer.ok) throw new Error(`${list} answered ${answer.status}`);
    await answer.arrayBuffer();
  };
  const waits = new Map<string, number>();
  for (const list of LISTS) {
    const series: number[] = [];
    for (let time = 0; time < LOADS; time++) series.push(await longestWait(url, load(list)));
    waits.set(list, median(series));
  }
  const deliver = async (around: (part: () => Promise<unknown>) => Promise<unknown>) => {
    const {
      cpuPerDeliveryUs: cpuUs,
      deliveriesPerSecond: perSecond,
      ...rest
    } = await fanOut(target, {
      ...{ subscribers: 1000, payloadBytes: 128, warmUpSeconds: 2 },
      pace: { lanes: LANES, seconds: quick ? 3 : 20 },
      around: async (part) => (await around(part)) as Awaited<ReturnType<typeof part>>,
    });
    return { cpuUs, perSecond, ...rest };
  };
  const idle = await deliver((part) => part());
  const watched = await deliver((part) => whileLooking(part(), load));
  await holders.measure();
  return { idle, watched, waits };
}

/** Until `done`. */
async function whileLooking<Result>(
  done: Promise<Result>,
  load: (list: string) => Promise<void>,
): Promise<Result> {
  let over = false;
  void done.finally(() => {
    over = true;
  });
  while (!over) {
    for (const list of LOOKED_AT) await load(list);
    await Promise.race([Bun.sleep(LOOK_MS), done]);
  }
  return done;
}

if (import.meta.main) await main(benchConsole);
