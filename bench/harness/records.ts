/** What the benchmarks find, as data: one record for each row of the page, with what every round gave. */

/** Ours, what could be had at the least, and Centrifugo. */
export type Side = "own" | "floor" | "peer";

/** What one round gave for one side of a row. */
export interface Sample {
  /** A rate where there is processor time; otherwise what is judged, and smaller is better. */
  readonly value: number;
  /** Microseconds of the server's processor time for each operation: what is judged, since the machine's clock swings. */
  readonly cpuUs?: number;
  /** The load processes together, as a share of one core. */
  readonly generator?: number;
  readonly missing?: number;
  /** Messages that a subscriber saw too late or twice, and subscribers that saw another order than the first. */
  readonly misordered?: number;
}

/** Bounds from above. Beside Centrifugo, a row without a bound of its own may take as much as it does. */
export interface Budget {
  readonly ofFloor?: number;
  readonly ofPeer?: number;
  /** In the row's unit. */
  readonly value?: number;
}

export interface RowSpec {
  readonly name: string;
  readonly unit: string;
  readonly budget?: Budget;
}

export interface Row extends RowSpec {
  readonly bench: string;
  /** By round, from 1. */
  readonly samples: { readonly [Part in Side]: Record<number, Sample> };
  /** What went wrong, by round. */
  readonly errors: Record<number, string>;
}

/** A file of them. */
export interface Records {
  readonly about: About;
  readonly rows: readonly Row[];
}

export interface About {
  readonly when: string;
  readonly machine: string;
  readonly versions: string;
  readonly command: string;
  readonly rounds: number;
  readonly quick: boolean;
  /** What was absent. */
  readonly notes: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}
