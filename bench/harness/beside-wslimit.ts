/** Fan-out on a fixed schedule, beside the bare C sender on the same one. */
import { startCarillon } from "./carillon.ts";
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
  readonly notes: readonly string[];
}

export async function besideWslimit(
  { runs, quick }: BenchOptions,
  perSecond: number,
): Promise<BesideWslimit> {
  const wslimit = findWslimit();
  const start =
    typeof wslimit === "string" ? undefined : () => wslimit({ perSecond, bytes: PAYLOAD_BYTES });
  const targets = [{ start: () => startCarillon() }, ...(start === undefined ? [] : [{ start }])];
  const options = {
    ...{ subscribers: 1000, payloadBytes: PAYLOAD_BYTES, warmUpSeconds: 2 },
    pace: { lanes: LANES, perSecond, seconds: quick ? 4 : 15 },
  };
  const [carillon = [], floor = []] = await inTurn(runs, targets, (target) =>
    fanOut(target, options),
  );
  return { carillon, floor, notes: typeof wslimit === "string" ? [wslimit] : [] };
}

/** What every row of such a benchmark says about its deliveries. */
export function deliveries(results: readonly FanOut[]) {
  return {
    missing: results.reduce((total, { missing }) => total + missing, 0),
    misordered: results.reduce((total, { misordered }) => total + misordered, 0),
    generatorCpu: results.map(({ generatorCpu }) => generatorCpu),
  };
}
