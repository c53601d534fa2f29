/**
 * How many calls that publish an app may have under way at a time, over all dialects. A flood is told to wait before its bodies are
 * read; apps that publish at the same time take turns besides (`core/publish-turns.ts`).
 */

/** What a refused call is told, in its dialect's form. */
export const TOO_MANY_PUBLISHES = {
  word: "too_many_requests",
  status: 429,
  /** Milliseconds after which to try again. */
  retryAfterMs: 1_000,
  detail:
    "Too many calls that publish at a time: wait until some are answered, or raise api.publishes_in_flight_max",
} as const;

export class PublishLimit {
  readonly #max: number;
  readonly #onReached: () => void;
  #underWay = 0;

  constructor(max: number, onReached: () => void) {
    this.#max = max;
    this.#onReached = onReached;
  }

  /** Undefined: there are as many as may be. The call is to be answered with `TOO_MANY_PUBLISHES`. */
  run<Answer>(call: () => Promise<Answer>): Promise<Answer> | undefined {
    if (this.#underWay >= this.#max) {
      this.#onReached();
      return undefined;
    }
    return this.#counted(call);
  }

  async #counted<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    this.#underWay += 1;
    try {
      return await call();
    } finally {
      this.#underWay -= 1;
    }
  }
}
