/**
 * What is asked of one connection and not answered yet: bounded in number and bytes, and never waited for when the
 * server has gone silent. No client on this runtime notices a server that stopped without closing its connections.
 */
import { HubError } from "../../core/errors.ts";
import type { Timer, Timers } from "../../core/runtime.ts";

/** Calls in flight on one connection; beyond it they are refused. At the speed of one server this is a second or two of work. */
export const CALLS_IN_FLIGHT_MAX = 200_000;

/** Bytes of arguments in flight on one connection; beyond it calls are refused, but for one on an idle connection. */
export const CALL_BYTES_IN_FLIGHT_MAX = 64 * 1024 * 1024;

/** A connection on which something is asked and nothing at all is answered for this long is given up, at the latest after twice as long. */
export const SILENCE_MS = 1_500;

export class Calls {
  readonly #timers: Timers;
  readonly #onSilence: () => void;
  #inFlight = 0;
  #bytes = 0;
  #heard = false;
  #watch: Timer | undefined;
  #idle: (() => void)[] = [];

  /** `onSilence` closes the connection, which rejects what is in flight. */
  constructor(timers: Timers, onSilence: () => void) {
    this.#timers = timers;
    this.#onSilence = onSilence;
  }

  /** Throws HubError `unavailable` beyond the bounds; then nothing was sent. */
  async track<Reply>(bytes: number, send: () => Promise<Reply>): Promise<Reply> {
    const full =
      this.#inFlight >= CALLS_IN_FLIGHT_MAX ||
      (this.#inFlight > 0 && this.#bytes + bytes > CALL_BYTES_IN_FLIGHT_MAX);
    if (full) throw new HubError("unavailable", "Too much is waiting for Redis");
    this.#inFlight += 1;
    this.#bytes += bytes;
    if (this.#watch === undefined) this.#watchOn();
    try {
      return await send();
    } finally {
      this.#heard = true;
      this.#inFlight -= 1;
      this.#bytes -= bytes;
      if (this.#inFlight === 0) this.#rest();
    }
  }

  /** Resolves once nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #watchOn(): void {
    this.#heard = false;
    const watch = this.#timers.after(SILENCE_MS, () => {
      if (this.#heard) return this.#watchOn();
      // This process may have been the silent one: what came in meanwhile is heard first.
      this.#timers.soon(() => {
        if (this.#watch !== watch) return;
        if (this.#heard) return this.#watchOn();
        this.#watch = undefined;
        this.#onSilence();
      });
    });
    this.#watch = watch;
  }

  #rest(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
