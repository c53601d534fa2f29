/** Requests in flight on this node: bounded together, and shared out fairly among the lanes that want more. */

export interface SlotUser {
  wake(): void;
}

/** Of one endpoint (webhooks.md §7.4). */
const ENDPOINT_REQUESTS_MAX = 10;

export class Slots {
  readonly #max: number;
  #used = 0;
  /** In the order in which they found none left. */
  readonly #waiting = new Set<SlotUser>();

  constructor(max: number) {
    this.#max = max;
  }

  get used(): number {
    return this.#used;
  }

  get free(): number {
    return this.#max - this.#used;
  }

  /** One each, once half of all are taken: so that a crowd of dead endpoints leaves room for the others. */
  get perEndpoint(): number {
    return this.#used * 2 < this.#max ? ENDPOINT_REQUESTS_MAX : 1;
  }

  use(count: number): void {
    this.#used += count;
  }

  release(): void {
    this.#used -= 1;
    const [next] = this.#waiting;
    if (next === undefined) return;
    this.#waiting.delete(next);
    next.wake();
  }

  /** Is woken in its turn. */
  wait(user: SlotUser): void {
    this.#waiting.add(user);
  }

  leave(user: SlotUser): void {
    this.#waiting.delete(user);
  }
}
