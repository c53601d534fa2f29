/** What a bench found, and what of it says more about the bench than about the server. */
import { quantile } from "./load/times.ts";

/** Of a load process' core; beyond it the process and not the server is measured. */
const CPU_MAX = 0.8;
/** Of a load process' event loop. */
const LATE_MS_MAX = 20;

export interface Latency {
  readonly p50: number;
  readonly p99: number;
}

/** What the load processes took meanwhile: the busiest of them. */
export interface Effort {
  /** Of one core. */
  readonly cpu: number;
  /** Its event loop, in 99 of 100 looks. */
  readonly late_ms: number;
}

export interface Connected extends Effort {
  readonly connections: number;
  readonly failed: number;
  readonly per_second: number;
  readonly latency_ms: Latency;
}

export interface Delivered extends Effort {
  readonly subscribers: number;
  readonly publications: number;
  readonly deliveries: number;
  readonly per_second: number;
  readonly latency_ms: Latency;
  readonly missing: number;
  readonly out_of_order: number;
  /** Connections that the server ended. */
  readonly closed: number;
  /** Publishes that were not answered with success. */
  readonly refused: number;
}

export interface Published extends Effort {
  readonly publications: number;
  readonly refused: number;
  readonly per_second: number;
  readonly latency_ms: Latency;
}

export interface BenchReport {
  readonly channel: string;
  readonly connect: Connected;
  readonly deliver: Delivered;
  readonly publish: Published;
  /** What went wrong: with none, every delivery arrived once and in order. */
  readonly faults: readonly string[];
  /** What the numbers are limited by, other than the server. */
  readonly notes: readonly string[];
}

/** Of several processes' reports that have like weights, in microseconds. */
export function latencyOf(reports: readonly (readonly number[])[]): Latency {
  const sorted = reports.flat().toSorted((a, b) => a - b);
  const ms = (part: number) => Math.round(quantile(sorted, part) / 10) / 100;
  return { p50: ms(0.5), p99: ms(0.99) };
}

export function effortOf(
  processes: readonly { readonly cpu: number; readonly loopLateMs: number }[],
): Effort {
  const most = (values: readonly number[]) => Math.round(Math.max(0, ...values) * 100) / 100;
  return {
    cpu: most(processes.map(({ cpu }) => cpu)),
    late_ms: most(processes.map(({ loopLateMs }) => loopLateMs)),
  };
}

/** Where the bench itself was the bottleneck, as sentences. */
export function* bottlenecks(rows: Readonly<Record<string, Effort>>): Iterable<string> {
  for (const [name, { cpu, late_ms: lateMs }] of Object.entries(rows)) {
    if (cpu > CPU_MAX) {
      yield `The bench itself is the bottleneck in "${name}": a process of its own took ${Math.round(cpu * 100)} % of a core, so the server may do more. Run it on a machine with more or freer cores`;
    } else if (lateMs > LATE_MS_MAX) {
      yield `The bench itself was late in "${name}", by ${Math.round(lateMs)} ms: so much of the latencies is its own. Run it on a machine with more or freer cores`;
    }
  }
}

export function* faultsOf({
  connect,
  deliver,
  publish,
  refusal,
}: Pick<BenchReport, "connect" | "deliver" | "publish"> & {
  /** The first one that was seen. */
  readonly refusal: string | undefined;
}): Iterable<string> {
  const why = refusal === undefined ? "" : `: ${refusal}`;
  const { missing, out_of_order: outOfOrder, closed, refused } = deliver;
  if (connect.failed > 0) yield `${connect.failed} connections failed${why}`;
  if (missing > 0) yield `${missing} deliveries are missing`;
  if (outOfOrder > 0) yield `${outOfOrder} deliveries came out of order or twice`;
  if (closed > 0) yield `${closed} connections were closed by the server meanwhile`;
  if (refused + publish.refused > 0) {
    yield `${refused + publish.refused} publishes were refused${why}`;
  }
}
