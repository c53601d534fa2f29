/**
 * What is asked of one connection and not answered yet: bounded in number and bytes, sent together where it was asked for in one turn,
 * and never waited for when the server has gone silent. No client on this runtime notices a server that stopped without closing its
 * connections.
 */
import { HubError } from "../../../core/errors.ts";
import type { Runtime, Timer } from "../../../core/runtime.ts";

/** Calls in flight on one connection; beyond it they are refused. At the speed of one server this is a second or two of work. */
export const CALLS_IN_FLIGHT_MAX = 200_000;

/** Bytes of arguments in flight on one connection; beyond it calls are refused, but for one on an idle connection. */
export const CALL_BYTES_IN_FLIGHT_MAX = 64 * 1024 * 1024;

/** A connection on which something is asked and nothing at all is answered for this long, milliseconds, is given up. */
export const SILENCE_MS = 1_500;

/** Looks in that time. All must find silence: in a process that was itself too busy to listen, one does, and the next hears. */
const LOOKS = 3;
const LOOK_MS = SILENCE_MS / LOOKS;

interface Call {
  bytes: number;
  readonly send: (call: SentCall) => Promise<unknown>;
  readonly resolve: (reply: unknown) => void;
  readonly reject: (error: unknown) => void;
  readonly recover: Recover;
}

/** A call that is about to be sent. */
export type SentCall = Pick<Call, "bytes">;

/** Makes of a failed call's error the reply after all, or throws what the asker is to see. */
export type Recover = (error: unknown) => unknown;

const rethrow: Recover = (error) => {
  throw error;
};

export class Calls {
  readonly #runtime: Pick<Runtime, "clock" | "timers">;
  readonly #onSilence: () => void;
  readonly #progressOf: () => number;
  readonly #open = new Set<Call>();
  /** Asked for in this turn and not sent yet. */
  #turn: Call[] = [];
  #bytes = 0;
  #progress = 0;
  #heard = false;
  #silentLooks = 0;
  /** Monotonic: since then there was always something in flight. */
  #busySinceMs = 0;
  #watch: Timer | undefined;
  #idle: (() => void)[] = [];

  /**
   * `onSilence` closes the connection, which rejects what is in flight. `progressOf` changes with what the server sends, where
   * others than the calls tracked here use the connection as well.
   */
  constructor(
    runtime: Pick<Runtime, "clock" | "timers">,
    onSilence: () => void,
    progressOf: () => number = () => 0,
  ) {
    this.#runtime = runtime;
    this.#onSilence = onSilence;
    this.#progressOf = progressOf;
  }

  /**
   * Rejects with HubError `unavailable` beyond the bounds; then nothing is sent. A call that is alone goes out at once, others with
   * those of their turn: clients write at the end of each callback, so what many requests ask for would be as many writes.
   */
  track<Reply>(
    bytes: number,
    send: (call: SentCall) => Promise<Reply>,
    recover: Recover = rethrow,
  ): Promise<Reply> {
    const inFlight = this.#open.size;
    const full =
      inFlight >= CALLS_IN_FLIGHT_MAX ||
      (inFlight > 0 && this.#bytes + bytes > CALL_BYTES_IN_FLIGHT_MAX);
    if (full) {
      return Promise.reject(new HubError("unavailable", "Too many calls are waiting for Redis"));
    }
    return new Promise<Reply>((resolve, reject) => {
      const call = { bytes, send, resolve: resolve as Call["resolve"], reject, recover };
      this.#open.add(call);
      this.#bytes += bytes;
      if (inFlight === 0) {
        this.#watchOn();
        this.#send(call);
      } else if (this.#turn.push(call) === 1) {
        this.#runtime.timers.soon(() => this.#sendTurn());
      }
    });
  }

  /** A call has become larger than it was when it was asked for. It is sent all the same; what is asked for next is measured by it. */
  grow(call: SentCall, bytes: number): void {
    call.bytes += bytes;
    this.#bytes += bytes;
  }

  /** The connection is gone: rejects with HubError `unavailable` what its client may have forgotten to. */
  fail(): void {
    this.#turn = [];
    for (const call of [...this.#open]) {
      this.#settle(call);
      call.reject(new HubError("unavailable", "The connection to Redis was lost"));
    }
    this.#watch?.cancel();
    this.#watch = undefined;
  }

  /** The server has sent something else than an answer. */
  heard(): void {
    this.#heard = true;
  }

  /** Resolves once nothing is in flight. */
  idle(): Promise<void> {
    if (this.#open.size === 0) return Promise.resolve();
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #sendTurn(): void {
    const calls = this.#turn;
    this.#turn = [];
    for (const call of calls) this.#send(call);
  }

  #send(call: Call): void {
    try {
      call.send(call).then(
        (reply) => {
          this.#settle(call);
          call.resolve(reply);
        },
        (error: unknown) => this.#failed(call, error),
      );
    } catch (error) {
      this.#failed(call, error);
    }
  }

  #failed(call: Call, error: unknown): void {
    this.#settle(call);
    try {
      call.resolve(call.recover(error));
    } catch (shown) {
      call.reject(shown);
    }
  }

  /** Before whoever asked is told. */
  #settle(call: Call): void {
    if (!this.#open.delete(call)) return;
    this.#heard = true;
    this.#bytes -= call.bytes;
    if (this.#open.size > 0) return;
    for (const resolve of this.#idle.splice(0)) resolve();
  }

  /** Something is in flight again. A watch from before goes on: to end and begin one with every call would cost as much as the call. */
  #watchOn(): void {
    this.#heard = false;
    this.#silentLooks = 0;
    this.#progress = this.#progressOf();
    this.#busySinceMs = this.#runtime.clock.monotonicMs();
    this.#watch ??= this.#lookIn(LOOK_MS);
  }

  #lookIn(delayMs: number): Timer {
    return this.#runtime.timers.after(delayMs, () => {
      this.#watch = undefined;
      if (this.#open.size === 0) return;
      const busyMs = this.#runtime.clock.monotonicMs() - this.#busySinceMs;
      if (busyMs < LOOK_MS) this.#watch = this.#lookIn(LOOK_MS - busyMs);
      else this.#look();
    });
  }

  #look(): void {
    this.#silentLooks = this.#heard || this.#progressed() ? 0 : this.#silentLooks + 1;
    this.#heard = false;
    if (this.#silentLooks < LOOKS) this.#watch = this.#lookIn(LOOK_MS);
    else this.#onSilence();
  }

  #progressed(): boolean {
    const before = this.#progress;
    this.#progress = this.#progressOf();
    return this.#progress !== before;
  }
}
