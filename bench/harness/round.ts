/** One round of one benchmark: each row once, from each of its sides. */
import { findCentrifugo, type CentrifugoOptions } from "./floors.ts";
import type { RowSpec, Sample, Side } from "./records.ts";
import type { Store } from "./store.ts";
import type { StartTarget, Target } from "./targets.ts";

export interface Bench {
  /** What it is chosen by. */
  readonly name: string;
  /** What its rows' floor is. */
  readonly floor?: string;
  /** Rounds that it takes at the most: what is slow, and hardly differs from round to round. */
  readonly roundsMax?: number;
  take(round: Round): Promise<void>;
}

export interface Contender {
  readonly name: string;
  readonly side: Side;
  readonly start: StartTarget;
}

export class Round {
  readonly quick: boolean;
  readonly #bench: string;
  readonly #number: number;
  readonly #store: Store;
  readonly #later: (() => Promise<void>)[];

  constructor(bench: string, round: RoundOptions) {
    this.#bench = bench;
    this.quick = round.quick;
    this.#number = round.number;
    this.#store = round.store;
    this.#later = round.later;
  }

  add(spec: RowSpec, side: Side, sample: Sample): void {
    this.#store.add(this.#bench, spec, { round: this.#number, side, sample });
  }

  /** What fails is told by a row of its own, and the rest goes on. */
  async attempt(name: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      console.error(`${this.#bench}, ${name}: ${text}`);
      this.#store.fail(this.#bench, name, this.#number, text);
    }
  }

  /** Each in turn, in a process of its own. */
  async each(
    contenders: readonly Contender[],
    measure: (target: Target, contender: Contender) => Promise<void>,
  ): Promise<void> {
    for (const contender of contenders) {
      await this.attempt(contender.name, async () => {
        await using target = await contender.start();
        await measure(target, contender);
      });
    }
  }

  /** Once all benchmarks of this round are through. */
  atEnd(work: () => Promise<void>): void {
    this.#later.push(work);
  }

  /** Or that many seconds, for a look. */
  seconds(full: number): number {
    return this.quick ? Math.min(1, full / 2) : full;
  }
}

export interface RoundOptions {
  readonly number: number;
  readonly quick: boolean;
  readonly store: Store;
  readonly later: (() => Promise<void>)[];
}

/** Centrifugo, where it is. */
export function centrifugo(options: CentrifugoOptions = {}): readonly Contender[] {
  const start = findCentrifugo(options);
  return typeof start === "string" ? [] : [{ name: "Centrifugo", side: "peer", start }];
}
