/**
 * A publisher that outruns delivery is slowed. Other nodes take what is published from the bus in their own time, and what they have
 * yet to take is bounded by nothing but the server's patience with slow subscribers; so now and then a publication is answered
 * only once all nodes have what was published before.
 */

/** Publications of one app on this node after which the others are asked whether they have them, and again as many that are answered meanwhile. */
export const FLOW_PUBLICATIONS = 128;
/** Characters of their text, likewise. */
export const FLOW_CHARACTERS = 524_288;
/** For how long the others are waited for, milliseconds: one that is further behind lets as much through in this time. */
export const FLOW_WAIT_MS = 1_000;

export class Flow {
  readonly #caughtUp: () => Promise<void>;
  #publications = 0;
  #characters = 0;
  #asked: Promise<void> | undefined;

  /** `caughtUp` resolves once all nodes have what was sent before the call, or will not say so in time. */
  constructor(caughtUp: () => Promise<void>) {
    this.#caughtUp = caughtUp;
  }

  /** To be called for each publication that other nodes will hear, once it is on the bus. What is to be waited for before it is answered, if anything. */
  sent(characters: number): Promise<void> | undefined {
    this.#publications += 1;
    this.#characters += characters;
    if (this.#asked !== undefined) {
      const within = this.#publications <= FLOW_PUBLICATIONS && this.#characters <= FLOW_CHARACTERS;
      return within ? undefined : this.#asked;
    }
    if (this.#publications >= FLOW_PUBLICATIONS || this.#characters >= FLOW_CHARACTERS) this.#ask();
    return undefined;
  }

  #ask(): void {
    this.#publications = 0;
    this.#characters = 0;
    const done = (): void => void (this.#asked = undefined);
    // Where nobody can be asked, nothing is published either.
    this.#asked = this.#caughtUp().then(done, done);
  }
}
