/** `docs/benchmarks.md`, whole: one table of all rows, what they were taken on and by, and how to read and repeat them. */
import type { Records, Row } from "./records.ts";
import type { Bench } from "./round.ts";
import { GENERATOR_MAX, ROUNDS_MIN, summarise, type Figure, type Summary } from "./verdict.ts";

const HEAD = [
  "what",
  "CPU µs each",
  "rate or figure",
  "× floor",
  "× Centrifugo",
  "budget",
  "",
  "load",
];

export function page(files: readonly Records[], benches: readonly Bench[]): string {
  return `# Benchmarks

What Carillon costs, beside Centrifugo and beside a floor: the least that could do the same. Below 1 × it is cheaper, shorter or smaller: in processor time where there is a rate, else in the figure itself.

${takenOn(files)}

${score(files)}

${table(files, benches)}

${notes(files)}## How to repeat it

\`\`\`sh
${files.map(({ about }) => about.command).join("\n")}
npm run bench -- --report FILE…
\`\`\`

${METHOD}
${floors(files, benches)}
`;
}

export function table(files: readonly Records[], benches: readonly Bench[]): string {
  const rows = files.flatMap((records) => records.rows);
  const order = benches.map(({ name }) => name);
  const sorted = rows.toSorted((a, b) => order.indexOf(a.bench) - order.indexOf(b.bench));
  const cells = [HEAD, ...sorted.map((row) => cellsOf(row, summarise(row)))];
  const widths = HEAD.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    `| ${row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join(" | ")} |`;
  const [head = [], ...body] = cells;
  return [head, widths.map((width) => "-".repeat(width)), ...body].map(line).join("\n");
}

function cellsOf(row: Row, summary: Summary): string[] {
  const { cpuUs, value, ofFloor, ofPeer, generator, verdict } = summary;
  const unit = row.unit === "" ? "" : ` ${row.unit}`;
  const rate = cpuUs === undefined ? withSpread(value) : number(value?.median);
  return [
    row.name,
    withSpread(cpuUs),
    value === undefined ? (Object.values(row.errors)[0] ?? "") : `${rate}${unit}`,
    times(ofFloor),
    times(ofPeer),
    budgetText(row, summary),
    wrong(summary) ?? (verdict === "met" || verdict === "" ? verdict : `**${verdict}**`),
    generator === undefined ? "" : `${Math.round(generator * 100)} %`,
  ];
}

function budgetText(row: Row, { bounds }: Summary): string {
  const behind = { value: ` ${row.unit}`, floor: " × floor", peer: " × Centrifugo" };
  return bounds.map(({ of, atMost }) => `≤ ${number(atMost)}${behind[of]}`).join(", ");
}

function wrong({ verdict, missing, misordered }: Summary): string | undefined {
  return verdict === "wrong" ? `**${missing} missing, ${misordered} out of order**` : undefined;
}

function score(files: readonly Records[]): string {
  const counts = new Map<string, number>();
  for (const row of files.flatMap(({ rows }) => rows)) {
    const { verdict } = summarise(row);
    if (verdict !== "") counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  }
  return `Of the rows with a budget: ${[...counts].map(([verdict, count]) => `${count} ${verdict}`).join(", ")}.`;
}

function takenOn(files: readonly Records[]): string {
  const texts = files.map(({ about }) => {
    const { when, machine, versions, rounds, quick } = about;
    const runs = `${rounds} run${rounds === 1 ? "" : "s"}${quick ? ", quick" : ""}`;
    return `${when.slice(0, 16).replace("T", " ")} UTC, ${runs}, on ${machine}. ${versions}.`;
  });
  return [...new Set(texts)].join("\n\n");
}

function notes(files: readonly Records[]): string {
  const all = [...new Set(files.flatMap(({ about }) => about.notes))];
  return all.length === 0 ? "" : `${all.map((note) => `- ${note}`).join("\n")}\n\n`;
}

function floors(files: readonly Records[], benches: readonly Bench[]): string {
  const taken = new Set(files.flatMap(({ rows }) => rows.map(({ bench }) => bench)));
  const told = benches.filter(({ name, floor }) => taken.has(name) && floor !== undefined);
  return Object.entries(Object.groupBy(told, ({ floor }) => floor ?? ""))
    .map(([floor, same = []]) => `- ${same.map(({ name }) => `\`${name}\``).join(", ")}: ${floor}`)
    .join("\n");
}

function times(figure: Figure | undefined): string {
  return figure === undefined ? "" : number(figure.median);
}

function withSpread(figure: Figure | undefined): string {
  if (figure === undefined) return "";
  const { median, least, most, rounds } = figure;
  return rounds < 2 ? number(median) : `${number(median)} (${number(least)} … ${number(most)})`;
}

function number(value = Number.NaN): string {
  if (!Number.isFinite(value)) return "–";
  const digits = value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return value.toLocaleString("en", { maximumFractionDigits: digits });
}

const METHOD = `\`NAME…\` takes some, \`--list\` names them, \`--quick --runs 1\` is a look. It needs \`redis-server\`, Centrifugo's binary (\`CENTRIFUGO_BIN\`) and the folder of \`wslimit.c\`, a sender in C (\`BENCH_TOOLS\`, and gcc);
what is missing is named above. Of several files to \`--report\`, a later one's rows replace an earlier one's.

## How it is measured

- **Processor time** is the server's, user and kernel, from \`/proc\`: on a virtual machine it swings less than a rate. A rate is what the run gave, or the pace of paced rows.
- **Rounds** take every row once: ours, the floor and Centrifugo one after the other, in fresh processes that were warmed up. Slow rows that hardly differ are in the first three only. Ratios are taken within a round; the table has medians, and the spread in brackets.
- **Verdicts** *met* and *MISSED* need ${ROUNDS_MIN} rounds. *void*: the load took more than ${GENERATOR_MAX * 100} % of its core (last column), and may be what was measured. Without another bound a row may cost what Centrifugo's does.
- **Load** comes from other processes, on raw TCP sockets and the second core. The server has the first; workers have both.
- **Messages** are counted at each subscriber, and their order checked, with 64 in flight at one in four. A row with one missing or out of order says so.
- **In flight**: to an empty channel a publish leaves when one was answered; batches without Redis are due in bursts, 25 a second, 8 under way at a time. Fan-out is paced: 64 together 25 times a second (messaging's 15, to 10,000 channels 100, workers' 6), 8 and 1 do 40 times. Where Centrifugo cannot keep up, it goes as fast as it can.
- **Latency** runs from when a publish was due until the subscriber's bytes were read.
- **Configuration** of both: no development mode, an API key, HS256 tokens; presence, history and joins off unless the row says so. Redis's own time is not counted.
- **Memory** is the growth of \`VmRSS\`: from cold over all connections, further over all but the first fifth.
- **Turns of the event loop** count by their own processor time.

The floors:
`;
