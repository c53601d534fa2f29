/** Pages of what is live on all nodes: channels and connections, in the order of their names or ids (by UTF-16 code unit). */
import type { Channel } from "./types.ts";

export interface PageQuery {
  /** Rows, at the most. > 0. */
  readonly limit: number;
  /** `next` of the page before. Absent: the first page. */
  readonly after?: string;
}

/** What came or went since the page before is missed or shown, as it may be; what was there all the time is shown once. */
export interface Page<Row> {
  readonly rows: readonly Row[];
  /** `after` of the next page. Absent: this was the last. */
  readonly next?: string;
}

/** Subscribed connections by dialect. */
export type Occupancy = Readonly<Record<string, number>>;

export interface ChannelRow {
  readonly name: string;
  readonly connections: Occupancy;
}

export interface ConnectionFilter {
  /** `""`: those without one. */
  readonly user?: string;
  /** Only users whose id begins so. */
  readonly userPrefix?: string;
  readonly dialect?: string;
  /** Only those that are subscribed to it. */
  readonly channel?: Channel;
}

export interface ConnectionRow {
  readonly id: string;
  readonly node: string;
  readonly dialect: string;
  /** `""`: anonymous. */
  readonly user: string;
  /** Epoch milliseconds. */
  readonly connectedMs: number;
  /** What waits for its peer on the server, beyond what the system has taken for it. */
  readonly unsentBytes: number;
  readonly subscriptions: number;
  /** Of its subscriptions the first `ROW_CHANNELS_MAX`, of whichever space. */
  readonly channels: readonly Channel[];
}

/** Keeps of any number of rows the first ones, in order, without sorting them all. */
export class FirstRows<Row> {
  readonly #keyOf: (row: Row) => string;
  readonly #after: string | undefined;
  readonly #limit: number;
  /** In no order, and up to twice as many as are wanted. */
  #rows: Row[] = [];
  /** Beyond it nothing is wanted any more. */
  #last: string | undefined;

  constructor({ limit, after }: PageQuery, keyOf: (row: Row) => string) {
    this.#keyOf = keyOf;
    this.#after = after;
    this.#limit = limit;
  }

  /** Whether a row of this key may be one of them: to be asked before it is made. */
  wants(key: string): boolean {
    return (
      (this.#after === undefined || key > this.#after) &&
      (this.#last === undefined || key < this.#last)
    );
  }

  /** Only what it `wants`. Of several with one key the last one counts. */
  add(row: Row): void {
    this.#rows.push(row);
    if (this.#rows.length < 2 * this.#limit) return;
    this.#rows = this.take();
    const last = this.#rows.at(-1);
    if (last !== undefined) this.#last = this.#keyOf(last);
  }

  /** Ascending. */
  take(): Row[] {
    const byKey = new Map(this.#rows.map((row) => [this.#keyOf(row), row]));
    return [...byKey]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .slice(0, this.#limit)
      .map(([, row]) => row);
  }
}

/** Of all nodes' rows, of which one more was asked for than the page takes, to see whether there is another page. */
export function pageOf<Row>(
  rows: readonly Row[],
  limit: number,
  keyOf: (row: Row) => string,
): Page<Row> {
  const sorted = rows.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const page = sorted.slice(0, limit);
  const last = page.at(-1);
  return rows.length > limit && last !== undefined
    ? { rows: page, next: keyOf(last) }
    : { rows: page };
}

export function sumOf(occupancies: Iterable<Occupancy>): Occupancy {
  const sum: Record<string, number> = {};
  for (const each of occupancies) {
    for (const [dialect, count] of Object.entries(each)) sum[dialect] = (sum[dialect] ?? 0) + count;
  }
  return sum;
}
