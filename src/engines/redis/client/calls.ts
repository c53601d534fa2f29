/**
 * What is asked of one connection and not answered yet: bounded in number and bytes, and never waited for when the
 * server has gone silent. No client on this runtime notices a server that stopped without closing its connections.
 */
import { HubError } from "../../../core/errors.ts";
import type { Timer, Timers } from "../../../core/runtime.ts";

/** Calls in flight on one connection; beyond it they are refused. At the speed of one server this is a second or two of work. */
export const CALLS_IN_FLIGHT_MAX = 200_000;

/** Bytes of arguments in flight on one connection; beyond it calls are refused, but for one on an idle connection. */
export const CALL_BYTES_IN_FLIGHT_MAX = 64 * 1024 * 1024;

/** A connection on which something is asked and nothing at all is answered for this long, milliseconds, is given up. */
export const SILENCE_MS = 1_500;

/** Looks in that time. All must find silence: in a process that was itself too busy to listen, one does, and the next hears. */
const LOOKS = 3;

export class Calls {
  readonly #timers: Timers;
  readonly #onSilence: () => void;
  readonly #progressOf: () => number;
  #progress = 0;
  readonly #failing = new Set<(reason: HubError) => void>();
  #inFlight = 0;
  #bytes = 0;
  #heard = false;
  #silentLooks = 0;
  #watch: Timer | undefined;
  #idle: (() => void)[] = [];

  /**
   * `onSilence` closes the connection, which rejects what is in flight. `progressOf` changes with what the server sends, where
   * others than the calls tracked here use the connection as well.
   */
  constructor(timers: Timers, onSilence: () => void, progressOf: () => number = () => 0) {
    this.#timers = timers;
    this.#onSilence = onSilence;
    this.#progressOf = progressOf;
  }

  /** Throws HubError `unavailable` beyond the bounds; then nothing was sent. */
  async track<Reply>(bytes: number, send: () => Promise<Reply>): Promise<Reply> {
    const full =
      this.#inFlight >= CALLS_IN_FLIGHT_MAX ||
      (this.#inFlight > 0 && this.#bytes + bytes > CALL_BYTES_IN_FLIGHT_MAX);
    if (full) throw new HubError("unavailable", "Too many calls are waiting for Redis");
    this.#inFlight += 1;
    this.#bytes += bytes;
    if (this.#watch === undefined) {
      this.#progress = this.#progressOf();
      this.#watchOn();
    }
    const { promise, resolve, reject } = Promise.withResolvers<Reply>();
    this.#failing.add(reject);
    try {
      send().then(resolve, reject);
      return await promise;
    } finally {
      this.#failing.delete(reject);
      this.#heard = true;
      this.#inFlight -= 1;
      this.#bytes -= bytes;
      if (this.#inFlight === 0) this.#rest();
    }
  }

  /** The connection is gone: rejects with HubError `unavailable` what its client may have forgotten to. */
  fail(): void {
    for (const reject of [...this.#failing]) {
      reject(new HubError("unavailable", "The connection to Redis was lost"));
    }
  }

  /** The server has sent something else than an answer. */
  heard(): void {
    this.#heard = true;
  }

  /** Resolves once nothing is in flight. */
  idle(): Promise<void> {
    if (this.#inFlight === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #watchOn(): void {
    this.#heard = false;
    this.#watch = this.#timers.after(SILENCE_MS / LOOKS, () => {
      this.#silentLooks = this.#heard || this.#progressed() ? 0 : this.#silentLooks + 1;
      if (this.#silentLooks < LOOKS) return this.#watchOn();
      this.#watch = undefined;
      this.#onSilence();
    });
  }

  #progressed(): boolean {
    const before = this.#progress;
    this.#progress = this.#progressOf();
    return this.#progress !== before;
  }

  #rest(): void {
    this.#watch?.cancel();
    this.#watch = undefined;
    this.#silentLooks = 0;
    for (const resolve of this.#idle.splice(0)) resolve();
  }
}
