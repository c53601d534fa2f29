/** Rows of one case: what each target took, beside the floor and the peer of the same runs. */
import { findCentrifugo } from "./floors.ts";
import { ratio, type Measurement } from "./report.ts";
import type { CentrifugoOptions } from "./floors.ts";
import type { StartTarget } from "./targets.ts";

export interface Contender {
  readonly name: string;
  readonly start: StartTarget;
  /** Default: it is what the others are measured against neither way. */
  readonly part?: "floor" | "peer";
}

/** What one run of one target says of a case. */
export interface Taken {
  /** Microseconds of the server's processor time for each operation. */
  readonly cpuUs: number;
  readonly perSecond: number;
  readonly generatorCpu: number;
  readonly missing?: number;
  readonly misordered?: number;
}

/** Centrifugo where it is; or the note that says why not. */
export function peer(options: CentrifugoOptions = {}): {
  readonly peers: readonly Contender[];
  readonly notes: readonly string[];
} {
  const start = findCentrifugo(options);
  if (typeof start === "string") return { peers: [], notes: [start] };
  return { peers: [{ name: "Centrifugo", start, part: "peer" }], notes: [] };
}

/** `budget` judges by the ratios, and applies to the contenders that are neither floor nor peer. */
export function compare(
  what: string,
  unit: string,
  contenders: readonly Contender[],
  results: readonly (readonly Taken[])[],
  budget?: (row: Measurement) => Measurement["budget"],
): Measurement[] {
  const costs = results.map((found) => found.map(({ cpuUs }) => cpuUs));
  const of = (part: Contender["part"]) => costs[contenders.findIndex((each) => each.part === part)];
  const floor = of("floor");
  const other = of("peer");
  return contenders.map(({ name, part }, index) => {
    const found = results[index] ?? [];
    const own = costs[index] ?? [];
    const row: Measurement = {
      what: `${name}, ${what}`,
      cpuUs: own,
      ...(floor === undefined || part === "floor" ? {} : { ofFloor: ratio(own, floor) }),
      ...(other === undefined || part !== undefined ? {} : { ofPeer: ratio(own, other) }),
      ...{ unit, runs: found.map(({ perSecond }) => perSecond) },
      generatorCpu: found.map(({ generatorCpu }) => generatorCpu),
      ...total(found, "missing"),
      ...total(found, "misordered"),
    };
    const judged = part === undefined ? budget?.(row) : undefined;
    return judged === undefined ? row : { ...row, budget: judged };
  });
}

function total(found: readonly Taken[], member: "missing" | "misordered") {
  const values = found.flatMap((each) => each[member] ?? []);
  return values.length === 0 ? {} : { [member]: values.reduce((sum, value) => sum + value, 0) };
}
