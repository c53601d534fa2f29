/** Gathers what the rounds give, and writes it to a file as it comes: an interruption loses nothing. */
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import type { About, Records, Row, RowSpec, Sample, Side } from "./records.ts";
import { summarise } from "./verdict.ts";

export class Store {
  readonly #about: About;
  readonly #file: string | undefined;
  readonly #rows = new Map<string, Row>();

  constructor(about: About, file?: string) {
    this.#about = about;
    this.#file = file;
  }

  get records(): Records {
    return { about: this.#about, rows: [...this.#rows.values()] };
  }

  add(bench: string, spec: RowSpec, { round, side, sample }: Taken): void {
    this.#row(bench, spec).samples[side][round] = sample;
    this.#save();
  }

  fail(bench: string, name: string, round: number, error: string): void {
    this.#row(bench, { name, unit: "" }).errors[round] = error;
    this.#save();
  }

  #row(bench: string, spec: RowSpec): Row {
    const key = keyOf({ bench, name: spec.name });
    const row: Row = this.#rows.get(key) ?? {
      ...{ bench, ...spec, samples: { own: {}, floor: {}, peer: {} }, errors: {} },
    };
    this.#rows.set(key, row);
    return row;
  }

  /** Whole or not at all. */
  #save(): void {
    if (this.#file === undefined) return;
    const { about, rows } = this.records;
    const told = rows.map((row) => ({ ...row, summary: summarise(row) }));
    writeFileSync(`${this.#file}.new`, `${JSON.stringify({ about, rows: told }, null, 1)}\n`);
    renameSync(`${this.#file}.new`, this.#file);
  }
}

export interface Taken {
  readonly round: number;
  readonly side: Side;
  readonly sample: Sample;
}

/** What a later file has of a bench takes the place of what an earlier one has. */
export function readRecords(files: readonly string[]): Records[] {
  const all = files.map((file) => JSON.parse(readFileSync(file, "utf8")) as Records);
  return all.map(({ about, rows }, index) => {
    const later = new Set(all.slice(index + 1).flatMap((other) => other.rows.map(keyOf)));
    return { about, rows: rows.filter((row) => !later.has(keyOf(row))) };
  });
}

function keyOf({ bench, name }: Pick<Row, "bench" | "name">): string {
  return `${bench}\n${name}`;
}
