/** Results as data and as a Markdown table, which is what `docs/benchmarks.md` holds. */

/** Above this share of a core the load generator, not the server, sets the pace. */
const GENERATOR_CPU_MAX = 0.8;

export interface Measurement {
  readonly what: string;
  readonly unit: string;
  /** One number per run. */
  readonly runs: readonly number[];
  /** Median by median of what the same run's floor gave. */
  readonly ofFloor?: number;
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
      ...["what", "median", "spread", "unit", "of floor", "missing", "out of order"],
      ...["generator CPU", "budget", ""],
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
  const { what, runs, unit, ofFloor, missing, misordered, generatorCpu, budget } = measurement;
  return [
    what,
    number(median(runs)),
    `${number(Math.min(...runs))} … ${number(Math.max(...runs))}`,
    unit,
    ofFloor === undefined ? "" : `${ofFloor.toFixed(2)} ×`,
    missing === undefined ? "" : `${missing}`,
    misordered === undefined ? "" : `${misordered}`,
    generatorCpu === undefined ? "" : `${Math.round(median(generatorCpu) * 100)} %`,
    budget?.text ?? "",
    budget === undefined ? "" : budget.met ? "met" : "MISSED",
  ];
}

function warning({ what, missing = 0, misordered = 0, generatorCpu = [] }: Measurement): string[] {
  const warnings: string[] = [];
  if (missing > 0 || misordered > 0) {
    warnings.push(`**${what}: deliveries were missing or out of order, which must not be**`);
  }
  if (generatorCpu.length > 0 && median(generatorCpu) > GENERATOR_CPU_MAX) {
    warnings.push(
      `**${what}: the load generator used more than ${GENERATOR_CPU_MAX * 100} % of its core: it may be what was measured**`,
    );
  }
  return warnings;
}

function number(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value >= 1000 ? 0 : value >= 100 ? 1 : value >= 10 ? 2 : 3;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}
