/**
 * Publications that arrive together leave together. A write costs the kernel about as much for one short frame as for many, and of
 * a burst of publishes the first few would otherwise go to every subscriber on their own, while the rest wait to be read.
 */
import type { GroupAudience } from "../core/fanout.ts";
import type { Runtime } from "../core/runtime.ts";
import type { Frame } from "../core/types.ts";

/** Code units of text, or bytes, of messages in one run: joined to a frame they fit the 16 KiB that Bun writes at once. */
export const RUN_LENGTH_MAX = 16_000;

/** Of all that waits. */
export const BURST_LENGTH_MAX = 65_536;

/** Milliseconds that a publication waits at the most. */
export const BURST_MS_MAX = 5;

/** Milliseconds that it may wait for each socket that it goes to: what a write costs. Waiting no longer than sending takes, it is at most that much later than alone. */
export const BURST_MS_PER_SOCKET = 0.005;

/** Messages for one group that nothing comes between. */
export interface Run {
  readonly topic: string;
  readonly audience: GroupAudience;
  readonly messages: Frame[];
  length: number;
}

export class Bursts {
  readonly #runtime: Pick<Runtime, "clock" | "timers">;
  readonly #send: (runs: readonly Run[]) => void;
  /** In call order, but for groups of one channel: those have no member in common. */
  #runs: Run[] = [];
  #length = 0;
  #sockets = 0;
  #messages = 0;
  /** How many there were when the event loop's turn was looked at last. */
  #seen = 0;
  #startMs = 0;
  #looksAgain = false;

  constructor(runtime: Pick<Runtime, "clock" | "timers">, send: (runs: readonly Run[]) => void) {
    this.#runtime = runtime;
    this.#send = send;
  }

  add(topic: string, message: Frame, audience: GroupAudience): void {
    if (this.#runs.length === 0) this.#start();
    const { length } = message;
    const run = this.#runOf(topic, audience);
    if (run === undefined || run.length + length > RUN_LENGTH_MAX) {
      this.#runs.push({ topic, audience, messages: [message], length });
      if (run === undefined) this.#sockets += audience.size;
    } else {
      run.messages.push(message);
      run.length += length;
    }
    this.#messages += 1;
    this.#length += length;
    if (this.#length >= BURST_LENGTH_MAX) this.end();
  }

  /** Sends all that waits. To be called before whatever has to be behind it. */
  end(): void {
    if (this.#runs.length === 0) return;
    const runs = this.#runs;
    this.#runs = [];
    this.#send(runs);
  }

  #start(): void {
    this.#length = 0;
    this.#sockets = 0;
    this.#messages = 0;
    this.#seen = 1;
    this.#startMs = this.#runtime.clock.monotonicMs();
    if (!this.#looksAgain) this.#lookAgain();
  }

  #lookAgain(): void {
    this.#looksAgain = true;
    this.#runtime.timers.soon(() => {
      this.#looksAgain = false;
      if (this.#goesOn()) this.#lookAgain();
      else this.end();
    });
  }

  /** One publication alone leaves with its turn of the event loop; behind several there may be more to read. */
  #goesOn(): boolean {
    if (this.#messages === this.#seen) return false;
    this.#seen = this.#messages;
    const maxMs = Math.min(this.#sockets * BURST_MS_PER_SOCKET, BURST_MS_MAX);
    return this.#runtime.clock.monotonicMs() - this.#startMs < maxMs;
  }

  #runOf(topic: string, { channel }: GroupAudience): Run | undefined {
    for (let at = this.#runs.length - 1; at >= 0; at -= 1) {
      const run = this.#runs[at];
      if (run?.topic === topic) return run;
      if (channel === undefined || run?.audience.channel !== channel) return undefined;
    }
    return undefined;
  }
}
