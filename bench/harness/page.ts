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

${takenOn(files)}

${score(files)} Below 1 × is cheaper, shorter or smaller than what is beside it: for processor time where there is a rate, else the figure itself.

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
  return benches
    .filter(({ name, floor }) => taken.has(name) && floor !== undefined)
    .map(({ name, floor }) => `- \`${name}\`: ${floor}`)
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

const METHOD = `\`npm run bench -- NAME…\` takes some, \`--list\` names them, \`--quick --runs 1\` is a look. \`CENTRIFUGO_BIN\` names Centrifugo's
binary and \`BENCH_TOOLS\` the folder of \`wslimit.c\`, the C sender that is compiled with gcc for it; \`redis-server\` is looked for in the path.
What is not there is named above as absent, and never imitated. Results are written to the file of \`--json\` as they come.
Of several files to \`--report\`, a later one's rows take the place of an earlier one's.

## How it is measured

- **Processor time first.** User and kernel time of the server's processes, from \`/proc\`, for each operation: the clock of a virtual machine swings,
  and what a rate says swings with it. A rate is what the run gave, on the server's core; of paced rows it is the pace.
- **Rounds.** A round takes every row once: ours, the floor and Centrifugo right after each other, each in a fresh process that was warmed up; what is slow and hardly differs (memory, sessions, storms, workers, patterns) is in the first three. A ratio is
  taken within its round. The table gives the median over the rounds, and the spread in brackets.
- **Verdicts.** *met* and *MISSED* need ${ROUNDS_MIN} rounds. *void*: the load took more than ${GENERATOR_MAX * 100} % of its core beside any of the
  sides, and may be what was measured. A row beside Centrifugo without another bound may take as much as it does. The last column is the load's share of a core at its busiest.
- **Load comes from processes of its own** (\`bench/load/\`) on raw TCP sockets, pinned to the second core; the server has the first. Rows with
  workers have the server's processes on both.
- **Every message is counted at each subscriber, and the order checked:** a message carries its publisher's number and its own, and all
  subscribers are to see all publishers interleaved alike. With 64 in flight to many the order is checked at one in four. A row with a
  message missing or out of order says so in place of its verdict.
- **In flight.** To an empty channel each next publish leaves when one was answered. Fan-out is paced, since its load would take as much of a core as the server: 64
  leave together 25 times a second (messaging's 15, to 10,000 channels 100, workers' 6), 8 and 1 do 40 times. Centrifugo, where it cannot keep that pace, goes as fast as it can.
- **Latency** counts from when a publish was due, which its payload carries, to when the subscriber's bytes were read; it has the publisher's lateness in it.
- **Configuration**: no development mode; one app, an API key, HS256 tokens; presence, history and joins off unless the row says so. Centrifugo's is the same.
  What its Redis and ours spend is not counted, for neither.
- **Memory** is the growth of \`VmRSS\`: from cold, over all connections; further, over all but the first fifth.
- **Turns of the event loop** are watched from within. They count by their processor time, so that what else the machine does is not in them; p99 is what one moment in a
  hundred of the work falls into.

The floors:
`;
