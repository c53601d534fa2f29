/** Fan-out on a fixed schedule, beside the bare C sender and Centrifugo on the same one. */
import { startCarillon } from "./carillon.ts";
import { peer } from "./compare.ts";
import { fanOut, inTurn, type FanOut } from "./fan-out.ts";
import { findWslimit } from "./floors.ts";
import type { BenchOptions } from "./options.ts";

const PAYLOAD_BYTES = 128;
/** Publishes that a slow answer may leave in flight before the schedule is kept up by a queue. */
const LANES = 8;

export interface BesideWslimit {
  readonly carillon: readonly FanOut[];
  /** Empty when it is absent. */
  readonly floor: readonly FanOut[];
  /** Likewise. */
  readonly centrifugo: readonly FanOut[];
  readonly notes: readonly string[];
}

export async function besideWslimit(
  { runs, quick }: BenchOptions,
  perSecond: number,
): Promise<BesideWslimit> {
  const wslimit = findWslimit();
  const absent = typeof wslimit === "string";
  const start = absent ? undefined : () => wslimit({ perSecond, bytes: PAYLOAD_BYTES });
  const { peers, notes } = peer();
  const options = {
    ...{ subscribers: 1000, payloadBytes: PAYLOAD_BYTES, warmUpSeconds: 2 },
    pace: { lanes: LANES, perSecond, seconds: quick ? 4 : 15 },
  };
  const targets = [{ start: () => startCarillon() }, ...(start === undefined ? [] : [{ start }])];
  const found = await inTurn(runs, [...targets, ...peers], (target) => fanOut(target, options));
  const [carillon = [], ...others] = found;
  return {
    carillon,
    floor: absent ? [] : (others.shift() ?? []),
    centrifugo: others.shift() ?? [],
    notes: absent ? [wslimit, ...notes] : notes,
  };
}

/** What every row of such a benchmark says about its deliveries. */
export function deliveries(results: readonly FanOut[]) {
  return {
    missing: results.reduce((total, { missing }) => total + missing, 0),
    misordered: results.reduce((total, { misordered }) => total + misordered, 0),
    generatorCpu: results.map(({ generatorCpu }) => generatorCpu),
  };
}
