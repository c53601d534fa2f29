/** Results as data and as a Markdown table, which is what `docs/benchmarks.md` holds. */

/** Above this share of a core the load generator, not the server, sets the pace. */
const GENERATOR_CPU_MAX = 0.8;

/** Runs of which a median says whether a budget is met. */
const RUNS_MIN = 3;

export interface Measurement {
  readonly what: string;
  /** Microseconds of the server's processor time for each operation, one number per run: what to compare, since the machine's clock swings. */
  readonly cpuUs?: readonly number[];
  readonly unit: string;
  /** One number per run. */
  readonly runs: readonly number[];
  /** Median by median of what the same run's floor, or peer, took or gave: processor time where there is some. */
  readonly ofFloor?: number;
  readonly ofPeer?: number;
  readonly missing?: number;
  /** Messages that a subscriber saw too late or twice, and subscribers that saw another order than the first. */
  readonly misordered?: number;
  /** The load processes together, as a share of one core; one number per run. */
  readonly generatorCpu?: readonly number[];
  readonly budget?: { readonly text: string; readonly met: boolean };
}

export interface BenchResult {
  readonly title: string;
  readonly measurements: readonly Measurement[];
  /** What was absent, what to keep in mind. */
  readonly notes: readonly string[];
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = Math.floor(sorted.length / 2);
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2;
}

/** How the medians of two series compare. */
export function ratio(runs: readonly number[], floor: readonly number[]): number {
  return median(runs) / median(floor);
}

export function atLeast(text: string, value: number, bound: number) {
  return { text: `≥ ${text}`, met: value >= bound };
}

export function atMost(text: string, value: number, bound: number) {
  return { text: `≤ ${text}`, met: value <= bound };
}

export function markdown({ title, measurements, notes }: BenchResult): string {
  const rows = [
    [
      ...["what", "CPU µs each", "of floor", "of peer", "median", "spread", "unit"],
      ...["missing", "out of order", "generator CPU", "budget", ""],
    ],
    ...measurements.map(cells),
  ];
  const widths = rows[0]?.map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths?.[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = rows;
  const rule = head.map((_, column) => "-".repeat(widths?.[column] ?? 0));
  const remarks = [...notes, ...measurements.flatMap(warning)].map((note) => `- ${note}`);
  const table = [head, rule, ...body].map(line).join("\n");
  return `### ${title}\n\n${table}\n${remarks.length > 0 ? `\n${remarks.join("\n")}\n` : ""}`;
}

function cells(measurement: Measurement): string[] {
  const { what, cpuUs, runs, unit, missing, misordered, generatorCpu, budget } = measurement;
  return [
    what,
    cpuUs === undefined ? "" : `${number(median(cpuUs))} (${spread(cpuUs)})`,
    times(measurement.ofFloor),
    times(measurement.ofPeer),
    number(median(runs)),
    spread(runs),
    unit,
    missing === undefined ? "" : `${missing}`,
    misordered === undefined ? "" : `${misordered}`,
    generatorCpu === undefined ? "" : `${Math.round(median(generatorCpu) * 100)} %`,
    budget?.text ?? "",
    verdict(measurement),
  ];
}

/** One look says nothing, and a generator at its own bound even less. */
function verdict(measurement: Measurement): string {
  const { runs, budget } = measurement;
  if (isVoid(measurement)) return "void";
  if (budget === undefined) return "";
  if (runs.length < RUNS_MIN) return `${runs.length} run${runs.length === 1 ? "" : "s"}`;
  return budget.met ? "met" : "MISSED";
}

function isVoid({ generatorCpu = [], cpuUs }: Measurement): boolean {
  return cpuUs === undefined && isAtItsBound(generatorCpu);
}

function isAtItsBound(generatorCpu: readonly number[]): boolean {
  return generatorCpu.length > 0 && median(generatorCpu) > GENERATOR_CPU_MAX;
}

function times(value: number | undefined): string {
  return value === undefined ? "" : `${value.toFixed(2)} ×`;
}

function spread(runs: readonly number[]): string {
  return `${number(Math.min(...runs))} … ${number(Math.max(...runs))}`;
}

function warning({ what, missing = 0, misordered = 0, generatorCpu = [] }: Measurement): string[] {
  const warnings: string[] = [];
  if (missing > 0 || misordered > 0) {
    warnings.push(`**${what}: deliveries were missing or out of order, which must not be**`);
  }
  if (isAtItsBound(generatorCpu)) {
    warnings.push(
      `**${what}: the load generator used more than ${GENERATOR_CPU_MAX * 100} % of its core: the rate is its own**`,
    );
  }
  return warnings;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
