/**
 * The console, open: `npx bun bench/console.ts`.
 * 15,000 connections and 100,000 channels beside what is measured: fan-out to 1,000 subscribers with nobody looking, and with somebody who
 * has the console look at its nodes and refreshes a list every two seconds; and the longest turn of the event loop while a list is loaded.
 */
import { startCarillon } from "./harness/carillon.ts";
import { paceOf } from "./fanout.ts";
import { FanOutLoad, sampleOf } from "./harness/fan-out.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import { median } from "./harness/records.ts";
import type { Bench, Contender, Round } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";
import { WATCHED_SERVER, watched } from "./harness/watched.ts";

const CONNECTIONS = 15_000;
const CHANNELS_EACH = 7;
/** Users: each connection's own. */
const USERS = CONNECTIONS;
const TURN_MS_MAX = 10;
const LOOK_MS = 2_000;
const LOADS = 5;
/** With and without in turns, so that what else the machine does meets both alike. */
const TURNS = 3;

/** In which all connections are. */
const HALL = "hall";
/** What the page asks for. */
const LOOKED_AT = ["/admin/api/nodes", "/admin/api/channels"];
const LISTS = [
  ...[
    ...[
      "nodes",
      "channels?limit=250",
      "channels?limit=250&pattern=77%24",
      "channels?prefix=c00999",
    ],
    ...["connections?limit=250", "connections?user_prefix=nobody", `connections?channel=${HALL}`],
    ...[`channels/presence?limit=250&channel=${HALL}`, "refusals?limit=250"],
  ].map((list) => `/admin/api/${list}`),
  ...["/gusher/bench/channels", "/gusher/bench/online"],
];

export const benchConsole: Bench = {
  name: "console",
  floor: "the same with nobody looking",
  async take(round) {
    const options = { users: USERS, channel: { presence: true } };
    const contenders: readonly Contender[] = [
      { name: "fan-out", side: "own", start: () => startCarillon(options) },
      {
        ...{ name: "lists", side: "own" },
        start: () => startCarillon({ ...options, program: WATCHED_SERVER }),
      },
    ];
    await round.each(contenders, async (target, { name }) => {
      await using _holders = await hold(target);
      if (name === "fan-out") await deliveries(round, target);
      else await lists(round, target);
    });
  },
};

/** 105,000 channels. */
async function hold(target: Target): Promise<SubscribersProcess> {
  const { init, texts = [], replies } = await target.join(HALL);
  const holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: CONNECTIONS, texts, complete: false },
    bulk: {
      line: '{"id":1%07d,"subscribe":{"channel":"c%07d"}}',
      ...{ lines: CHANNELS_EACH, linesPerFrame: CHANNELS_EACH },
    },
    ...{ init, replies: replies + CHANNELS_EACH },
  });
  // The heap comes to rest after so many subscribes.
  await Bun.sleep(1000);
  return holders;
}

async function deliveries(round: Round, target: Target): Promise<void> {
  const options = { subscribers: 1000, payloadBytes: 128, many: true };
  await using load = await FanOutLoad.open(options, target);
  const found = { own: [], floor: [] } as Record<"own" | "floor", ReturnType<typeof sampleOf>[]>;
  for (let turn = 0; turn < TURNS; turn += 1) {
    for (const side of ["floor", "own"] as const) {
      const delivered = await load.run(
        paceOf(round),
        round.seconds(turn === 0 ? 1 : 0.2),
        async (part) => {
          if (side === "floor") await part();
          else await whileLooking(part(), target);
        },
      );
      found[side].push(sampleOf(delivered));
    }
  }
  for (const side of ["own", "floor"] as const) {
    const of = (member: "cpuUs" | "value" | "generator" | "missing" | "misordered") =>
      median(found[side].map((sample) => sample[member] ?? 0));
    const [cpuUs, value, generator] = [of("cpuUs"), of("value"), of("generator")];
    const sample = {
      cpuUs,
      value,
      generator,
      missing: of("missing"),
      misordered: of("misordered"),
    };
    const row = { name: "fan-out to 1,000, 64 in flight, the console open", unit: "deliveries/s" };
    round.add({ ...row, budget: { ofFloor: 1.03 } }, side, sample);
  }
}

async function lists(round: Round, target: Target): Promise<void> {
  for (const list of LISTS) {
    await round.attempt(list, async () => {
      await load(target, list);
      const longest: number[] = [];
      for (let time = 0; time < LOADS; time += 1) {
        const { turns } = await watched(target.process, async () => {
          // Behind its answer the server has begun to watch.
          await load(target, "/health");
          await load(target, list);
        });
        longest.push(turns.cpuMs.max);
      }
      const row = { name: `longest turn during \`${list}\``, unit: "ms" };
      round.add({ ...row, budget: { value: TURN_MS_MAX } }, "own", { value: median(longest) });
    });
  }
}

/** Until `done`. */
async function whileLooking(done: Promise<void>, target: Target): Promise<void> {
  let over = false;
  void done.finally(() => {
    over = true;
  });
  while (!over) {
    for (const list of LOOKED_AT) await load(target, list);
    await Promise.race([Bun.sleep(LOOK_MS), done]);
  }
  await done;
}

async function load({ publishing }: Target, path: string): Promise<void> {
  const url = `http://${publishing?.host}:${publishing?.port}${path}`;
  const { "X-API-Key": key = "" } = publishing?.headers ?? {};
  const answer = await fetch(url, { headers: { "X-API-Key": key } });
  if (!answer.ok) throw new Error(`${path} answered ${answer.status}`);
  await answer.arrayBuffer();
}

if (import.meta.main) await main([benchConsole]);
