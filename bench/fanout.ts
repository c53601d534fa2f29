/**
 * Fan-out: `npx bun bench/fanout.ts`.
 * 1,000 subscribers of one channel, 128-byte payloads over HTTP: 64, 8 and 1 publishes in flight, without and with history, with presence
 * and announced joins, and by other dialects.
 */
import { startCarillon, startCarillonGusher, startCarillonSora } from "./harness/carillon.ts";
import { CHANNEL, FanOutLoad, sampleOf } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import type { Pace } from "./harness/load.ts";
import type { Budget, Side } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";

/** 0.6 of bare topics' deliveries, and 5 times Centrifugo's, for the same processor time. */
export const FAN_OUT_BUDGET: Budget = { ofFloor: 1 / 0.6, ofPeer: 1 / 5 };

interface Case {
  readonly lanes: number;
  /** All lanes send together: as fast as it goes, the load would take as much of its core as what it measures. */
  readonly timesPerSecond: number;
}

const MANY: Case = { lanes: 64, timesPerSecond: 25 };
const FEW: readonly Case[] = [
  { lanes: 8, timesPerSecond: 40 },
  { lanes: 1, timesPerSecond: 40 },
];

const NAMESPACES = [
  { name: "kept", history_size: 100, history_ttl: "300s" },
  { name: "present", presence: true, join_leave: true, force_push_join_leave: true },
];
const CHANNELS = [
  { channel: CHANNEL, what: "", cases: [MANY, ...FEW] },
  { channel: "kept:bench", what: ", history", cases: [MANY, ...FEW] },
  { channel: "present:bench", what: ", presence and joins", cases: [MANY] },
];
const DIALECTS: readonly Contender[] = [
  { name: ", gusher", side: "own", start: () => startCarillonGusher({ channel: CHANNEL }) },
  { name: ", Sora's signaling", side: "own", start: () => startCarillonSora() },
];
const ROWS = [
  ...CHANNELS.flatMap(({ what, cases }) => cases.map(({ lanes }) => ({ what, lanes }))),
  ...DIALECTS.map(({ name: what }) => ({ what, lanes: MANY.lanes })),
];

export const benchFanOut: Bench = {
  name: "fan-out",
  floor: "bare `Bun.serve` topics",
  async take(round) {
    const options = { namespaces: NAMESPACES };
    const streaming: readonly Contender[] = [
      { name: "Carillon", side: "own", start: () => startCarillon(options) },
      ...centrifugo(options),
    ];
    await round.each(streaming, async (target, { side }) => {
      for (const { channel, what, cases } of CHANNELS) {
        await deliver(round, target, { channel, cases, side, rows: rowsOf(side, what) });
      }
    });
    await round.each(DIALECTS, (target, { name, side }) =>
      deliver(round, target, { cases: [MANY], side, rows: rowsOf(side, name) }),
    );
    await round.each([{ name: "topics", side: "floor", start: startTopics }], (target, { side }) =>
      deliver(round, target, { cases: [MANY, ...FEW], side, rows: rowsOf(side, "") }),
    );
  },
};

/** One floor is beneath all; and beside other dialects is what Centrifugo has. */
function rowsOf(side: Side, what: string): readonly (typeof ROWS)[number][] {
  const isOther = (row: { readonly what: string }) =>
    DIALECTS.some(({ name }) => name === row.what);
  return ROWS.filter(
    (row) =>
      side === "floor" || row.what === what || (side === "peer" && what === "" && isOther(row)),
  );
}

export interface Deliveries {
  readonly channel?: string;
  readonly cases: readonly Case[];
  readonly side: Side;
  readonly rows: readonly {
    readonly what: string;
    readonly lanes: number;
    readonly budget?: Budget;
  }[];
  /** Default: `fan-out to 1,000`. */
  readonly name?: string;
}

/** Each case of them, by one and the same subscribers. */
export async function deliver(round: Round, target: Target, options: Deliveries): Promise<void> {
  const { cases, side, rows, name = "fan-out to 1,000", ...rest } = options;
  for (const each of cases) {
    const many = each.lanes === MANY.lanes;
    const subscribers = { subscribers: 1000, payloadBytes: 128, many };
    await using load = await FanOutLoad.open({ ...rest, ...subscribers }, target);
    // A server that just started compiles its code meanwhile.
    const warmUpSeconds = round.seconds(each === cases[0] ? 1.5 : 0.5);
    const sample = sampleOf(await load.run(paceOf(round, each), warmUpSeconds));
    for (const { what, lanes, budget } of rows) {
      if (lanes !== each.lanes) continue;
      const bounds = budget ?? (many ? FAN_OUT_BUDGET : undefined);
      const spec = { name: `${name}, ${lanes} in flight${what}`, unit: "deliveries/s" };
      round.add({ ...spec, ...(bounds === undefined ? {} : { budget: bounds }) }, side, sample);
    }
  }
}

export function paceOf(round: Round, { lanes, timesPerSecond }: Case = MANY): Pace {
  const seconds = round.seconds(1.5);
  return { lanes, seconds, perSecond: lanes * timesPerSecond, together: lanes };
}

if (import.meta.main) await main([benchFanOut]);
