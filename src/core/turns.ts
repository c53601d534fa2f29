/**
 * Work of several parties, such as apps, in turns: so much in one turn of the event loop, and of what waits for the next one a piece
 * of each party after the other. So nobody's work is served whole while somebody else's waits.
 */
import type { Timers } from "./runtime.ts";

export interface Piece {
  /** Whose it is; a party's own are run in their order. */
  readonly party: string;
  readonly cost: number;
  /** Pieces on the same thing share much of their cost within a turn: from the second one on each costs `costMore`. */
  readonly on?: object;
  readonly costMore?: number;
  /** Must not throw. */
  run(): void;
}

/**
 * Of what a turn may cost: as little as this goes on to the next one's account, since a callback in each turn of a quiet server would
 * cost more than what it has taken.
 */
const UNRENEWED_SHARE = 1 / 8;

export class Turns {
  readonly #timers: Pick<Timers, "soon">;
  readonly #costMax: number;
  /** The parties of which something waits, those that waited longest first. */
  readonly #waiting = new Map<string, Set<Piece>>();
  /** What the turn's pieces were on. */
  readonly #on = new Set<object>();
  #cost = 0;
  /** A party whose piece did not fit comes first in the next turn, whoever else has come by then. */
  #passedOver = false;
  #turning = false;

  /** `costMax`: of a turn's pieces together; a single one may cost more. */
  constructor(timers: Pick<Timers, "soon">, costMax: number) {
    this.#timers = timers;
    this.#costMax = costMax;
  }

  /** At once where the turn has room, else behind what waits of its party. */
  enter(piece: Piece): void {
    const waiting = this.#waiting.get(piece.party);
    if (waiting !== undefined) waiting.add(piece);
    else if (!this.#passedOver && this.#fits(piece)) this.#run(piece);
    else this.#waiting.set(piece.party, new Set([piece]));
    this.#renewSoon();
  }

  /** Whether the turn has room for a piece: it is then taken, to be run at once. */
  take(party: string, cost: number): boolean {
    if (this.#passedOver || this.#waiting.has(party)) return false;
    if (this.#cost > 0 && this.#cost + cost > this.#costMax) return false;
    this.#cost += cost;
    if (this.#cost >= this.#costMax * UNRENEWED_SHARE) this.#renewSoon();
    return true;
  }

  isWaiting(party: string): boolean {
    return this.#waiting.has(party);
  }

  #renewSoon(): void {
    if (this.#turning) return;
    this.#turning = true;
    this.#timers.soon(() => this.#renew());
  }

  /** What was run is being committed and fanned out in this turn; what comes in until the next one has it to itself. */
  #renew(): void {
    this.#cost = 0;
    this.#on.clear();
    this.#turning = this.#waiting.size > 0;
    if (this.#turning) this.#timers.soon(() => this.#serve());
  }

  #serve(): void {
    const unserved = new Set(this.#waiting.keys());
    let served = true;
    while (served) {
      served = false;
      for (const [party, pieces] of [...this.#waiting]) {
        const [piece] = pieces;
        if (piece === undefined || !this.#fits(piece)) continue;
        pieces.delete(piece);
        // Behind those that were not served.
        this.#waiting.delete(party);
        if (pieces.size > 0) this.#waiting.set(party, pieces);
        unserved.delete(party);
        served = true;
        this.#run(piece);
      }
    }
    this.#passedOver = unserved.size > 0;
    this.#timers.soon(() => this.#renew());
  }

  #fits(piece: Piece): boolean {
    return this.#cost === 0 || this.#cost + this.#costOf(piece) <= this.#costMax;
  }

  #costOf({ cost, on, costMore = cost }: Piece): number {
    return on !== undefined && this.#on.has(on) ? costMore : cost;
  }

  #run(piece: Piece): void {
    this.#cost += this.#costOf(piece);
    if (piece.on !== undefined) this.#on.add(piece.on);
    piece.run();
  }
}
