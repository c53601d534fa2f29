/** The publications of all apps in turns, while several publish: a flood of one would hold up what the others say by its own length. */
import {
  PUBLICATION_COST,
  PUBLICATIONS_PER_WRITE,
  PUBLISH_TURN_COST_MAX,
  QUIET_APP_MS,
} from "./limits.ts";
import type { Clock, Runtime } from "./runtime.ts";
import { Turns } from "./turns.ts";

/** What a publication is fanned out to on this node. */
export interface Audience {
  /** Its subscriptions. */
  readonly size: number;
}

export class PublishTurns {
  readonly #clock: Clock;
  readonly #turns: Turns;
  /** The app that published last, and when another one did. */
  #app = "";
  #appMs = -Infinity;
  #otherMs = -Infinity;

  constructor({ clock, timers }: Pick<Runtime, "clock" | "timers">) {
    this.#clock = clock;
    this.#turns = new Turns(timers, PUBLISH_TURN_COST_MAX);
  }

  /** At once while no other app publishes. An app's own keep their order. `findAudience`: undefined where nobody is. */
  take<Result>(
    app: string,
    findAudience: () => Audience | undefined,
    publish: () => Promise<Result>,
  ): Promise<Result> {
    if (!this.#isContested(app)) return publish();
    return new Promise((resolve) => {
      const audience = findAudience();
      const { size = 0 } = audience ?? {};
      this.#turns.enter({
        party: app,
        cost: PUBLICATION_COST + size,
        ...(audience === undefined ? {} : { on: audience }),
        costMore: PUBLICATION_COST + size / PUBLICATIONS_PER_WRITE,
        run: () => resolve(publish()),
      });
    });
  }

  #isContested(app: string): boolean {
    const nowMs = this.#clock.monotonicMs();
    if (app !== this.#app) {
      this.#otherMs = this.#appMs;
      this.#app = app;
    }
    this.#appMs = nowMs;
    return nowMs - this.#otherMs < QUIET_APP_MS || this.#turns.isWaiting(app);
  }
}
