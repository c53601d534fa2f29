/** What a row says, and whether it keeps to its budget. */
import { median, type Row, type Sample, type Side } from "./records.ts";

/** Above this share of a core the load generator, not the server, sets the pace. */
export const GENERATOR_MAX = 0.8;
/** One look says nothing. */
export const ROUNDS_MIN = 3;

export interface Figure {
  readonly median: number;
  readonly least: number;
  readonly most: number;
  readonly rounds: number;
}

export type Verdict =
  | ""
  | "met"
  | "MISSED"
  | "void"
  | "wrong"
  | "error"
  | "too few runs"
  | "absent";

export interface Summary {
  readonly cpuUs?: Figure;
  readonly value?: Figure;
  /** Of what the other side took or gave in the same round. */
  readonly ofFloor?: Figure;
  readonly ofPeer?: Figure;
  /** The busiest of all sides. */
  readonly generator?: number;
  readonly missing: number;
  readonly misordered: number;
  readonly bounds: readonly Bound[];
  readonly verdict: Verdict;
}

interface Bound {
  readonly of: "floor" | "peer" | "value";
  readonly atMost: number;
}

export function summarise(row: Row): Summary {
  const own = samples(row, "own");
  const cpuUs = figure(own.flatMap((sample) => sample.cpuUs ?? []));
  const value = figure(own.map((sample) => sample.value));
  const [ofFloor, ofPeer] = [ratio(row, "floor"), ratio(row, "peer")];
  const shares = (["own", "floor", "peer"] as const).flatMap((side) => {
    const found = samples(row, side).flatMap(({ generator }) => generator ?? []);
    return found.length === 0 ? [] : median(found);
  });
  const total = (member: "missing" | "misordered") =>
    own.reduce((sum, sample) => sum + (sample[member] ?? 0), 0);
  const facts = {
    ...(cpuUs === undefined ? {} : { cpuUs }),
    ...(value === undefined ? {} : { value }),
    ...(ofFloor === undefined ? {} : { ofFloor }),
    ...(ofPeer === undefined ? {} : { ofPeer }),
    ...(shares.length === 0 ? {} : { generator: Math.max(...shares) }),
    ...{ missing: total("missing"), misordered: total("misordered") },
    bounds: boundsOf(row, ofPeer !== undefined),
  };
  return { ...facts, verdict: judge(row, facts) };
}

function boundsOf({ budget = {} }: Row, hasPeer: boolean): Bound[] {
  const { ofFloor, value } = budget;
  const ofPeer = budget.ofPeer ?? (hasPeer && value === undefined ? 1 : undefined);
  return [
    ...(value === undefined ? [] : [{ of: "value" as const, atMost: value }]),
    ...(ofFloor === undefined ? [] : [{ of: "floor" as const, atMost: ofFloor }]),
    ...(ofPeer === undefined ? [] : [{ of: "peer" as const, atMost: ofPeer }]),
  ];
}

function judge(row: Row, facts: Omit<Summary, "verdict">): Verdict {
  const { value, missing, misordered, generator = 0, bounds } = facts;
  if (value === undefined) return Object.keys(row.errors).length > 0 ? "error" : "absent";
  if (missing + misordered > 0) return "wrong";
  if (generator > GENERATOR_MAX) return "void";
  if (bounds.length === 0) return "";
  const figures = { floor: facts.ofFloor, peer: facts.ofPeer, value };
  const judged = bounds.map(({ of, atMost }) => ({ figure: figures[of], atMost }));
  if (judged.some(({ figure: found }) => found === undefined)) return "absent";
  if (judged.some(({ figure: found }) => (found?.rounds ?? 0) < ROUNDS_MIN)) return "too few runs";
  return judged.every(({ figure: found, atMost }) => (found?.median ?? Infinity) <= atMost)
    ? "met"
    : "MISSED";
}

/** Of each round by itself: what slows the machine for a minute slows both sides. */
function ratio(row: Row, side: Side): Figure | undefined {
  const others = row.samples[side];
  return figure(
    Object.entries(row.samples.own).flatMap(([round, own]) => {
      const other = others[Number(round)];
      if (other === undefined) return [];
      const times = judged(own, other) / judged(other, own);
      return Number.isFinite(times) ? [times] : [];
    }),
  );
}

/** What of a sample is compared with another. */
function judged(sample: Sample, other: Sample): number {
  return sample.cpuUs === undefined || other.cpuUs === undefined ? sample.value : sample.cpuUs;
}

function samples(row: Row, side: Side): Sample[] {
  return Object.values(row.samples[side]);
}

function figure(values: readonly number[]): Figure | undefined {
  if (values.length === 0) return undefined;
  const [least, most] = [Math.min(...values), Math.max(...values)];
  return { median: median(values), least, most, rounds: values.length };
}
