/**
 * The console, open: `npx bun bench/console.ts`, about four minutes.
 * 15,000 connections and 100,000 channels beside what is measured: fan-out to 1,000 subscribers with nobody looking, and with somebody who
 * has the console look at its nodes and refreshes a list every two seconds; and, while a list is loaded, the longest turn of the event loop
 * and for how long another request waits.
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
import { watched as watchedTurns, WATCHED_SERVER } from "./harness/watched.ts";

const CONNECTIONS = 15_000;
const CHANNELS_EACH = 7;
/** Of the processor time for a delivery with nobody looking, at saturation: what looking costs is taken from the deliveries. */
const CPU_RATIO_MAX = 1.03;
const LANES = 64;
/** A request takes two turns of the event loop, each of which may begin behind a slice of 5 ms; and what else a turn does. */
const WAIT_MS_MAX = 15;
const TURN_MS_MAX = 10;
const LOOK_MS = 2_000;
const LOADS = 10;

/** In which all connections are. */
const HALL = "hall";

/** What the page asks for. */
const LOOKED_AT = ["nodes", "channels"];
const LISTS = [
  ...["nodes", "channels?limit=250", "channels?limit=250&pattern=77%24", "channels?prefix=c00999"],
  ...["connections?limit=250", "connections?user_prefix=nobody", `connections?channel=${HALL}`],
  ...[`channels/presence?limit=250&channel=${HALL}`, "refusals?limit=250"],
];

interface Run {
  readonly idle: Taken;
  readonly watched: Taken;
  /** By list, milliseconds. */
  readonly waits: ReadonlyMap<string, number>;
  /** Likewise, of a turn. */
  readonly turns: ReadonlyMap<string, number>;
}

export async function benchConsole({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const found: Run[] = [];
  for (let run = 0; run < runs; run++) {
    await using target = await startCarillon({
      ...{ users: CONNECTIONS, program: WATCHED_SERVER, channel: { presence: true } },
    });
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
    ...LISTS.flatMap((list) => [
      during(
        list,
        "longest turn of the loop",
        { most: TURN_MS_MAX, of: ({ turns }) => turns },
        found,
      ),
      during(
        list,
        "another request's wait",
        { most: WAIT_MS_MAX, of: ({ waits }) => waits },
        found,
      ),
    ]),
  ];
  const notes = [`Waits and turns are medians of the longest of ${LOADS} loads each.`];
  return { title: "The console over 15,000 connections, 100,000 channels", measurements, notes };
}

interface Longest {
  readonly most: number;
  readonly of: (run: Run) => ReadonlyMap<string, number>;
}

function during(
  list: string,
  what: string,
  { most, of }: Longest,
  found: readonly Run[],
): Measurement {
  const runs = found.map((run) => of(run).get(list) ?? Number.NaN);
  return {
    ...{ what: `${what} during \`${list}\``, unit: "ms", runs },
    budget: atMost(`${most}`, median(runs), most),
  };
}

async function measure(target: Target, quick: boolean): Promise<Run> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  const url = `http://${publishing.host}:${publishing.port}`;
  const { init, texts = [], replies } = await target.join(HALL);
  await using holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: CONNECTIONS, texts, complete: false },
    bulk: {
      line: '{"id":1%07d,"subscribe":{"channel":"c%07d"}}',
      ...{ lines: CHANNELS_EACH, linesPerFrame: CHANNELS_EACH },
    },
    ...{ init, replies: replies + CHANNELS_EACH },
  });
  // The heap comes to rest after so many subscribes.
  await Bun.sleep(1000);
  const load = async (list: string): Promise<void> => {
    const answer = await fetch(`${url}/admin/api/${list}`);
    if (!answer.ok) throw new Error(`${list} answered ${answer.status}`);
    await answer.arrayBuffer();
  };
  const longest = async (one: (list: string) => Promise<number>) => {
    const found = new Map<string, number>();
    for (const list of LISTS) {
      const series: number[] = [];
      for (let time = 0; time < LOADS; time++) series.push(await one(list));
      found.set(list, median(series));
    }
    return found;
  };
  const waits = await longest((list) => longestWait(url, load(list)));
  const turns = await longest(async (list) => {
    const seen = await watchedTurns(target.process, async () => {
      // Behind its answer the server has begun to watch.
      await (await fetch(`${url}/health`)).text();
      await load(list);
    });
    return seen.turns.clockMs.max;
  });
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
  return { idle, watched, waits, turns };
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
