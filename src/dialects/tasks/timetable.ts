/** When a connection is due for a tick, a ping, a missing pong or a look at the newest connection (task-tokens.md §5.4 to §5.6, §5.8). */
import type { Random } from "../../core/runtime.ts";
import { NEWEST_CHECK_MS } from "./limits.ts";

export interface TimetableOptions {
  readonly nowMs: number;
  /** 0: no ticks. */
  readonly tickMs: number;
  readonly pingMs: number;
  readonly pongTimeoutMs: number;
  /** Whether it must look if it is still the newest. */
  readonly standsAlone: boolean;
  readonly random: Random;
}

export type Duty = "tick" | "ping" | "no_pong" | "check_newest";

/**
 * Monotonic milliseconds. Where in its period a connection begins is left to chance, so that many that came at once, after a
 * restart, do not all fall due in one moment for ever after.
 */
export class Timetable {
  readonly #tickMs: number;
  readonly #pingMs: number;
  readonly #pongTimeoutMs: number;
  #tickAtMs: number;
  #pingAtMs: number;
  #pingedMs = 0;
  #pongByMs = Infinity;
  #checkAtMs: number;

  constructor({ nowMs, tickMs, pingMs, pongTimeoutMs, standsAlone, random }: TimetableOptions) {
    const within = (periodMs: number) => nowMs + (periodMs * (1 + random.fraction())) / 2;
    this.#tickMs = tickMs;
    this.#pingMs = pingMs;
    this.#pongTimeoutMs = pongTimeoutMs;
    this.#tickAtMs = tickMs === 0 ? Infinity : within(tickMs);
    this.#pingAtMs = within(pingMs);
    this.#checkAtMs = standsAlone ? within(NEWEST_CHECK_MS) : Infinity;
  }

  get nextMs(): number {
    return Math.min(this.#tickAtMs, this.#pingAtMs, this.#pongByMs, this.#checkAtMs);
  }

  /** What is due, each once; after a standstill one of a kind is enough. `lastReceivedMs`: anything that came counts as a pong. */
  take(nowMs: number, lastReceivedMs: number): readonly Duty[] {
    const duties: Duty[] = [];
    if (nowMs >= this.#pongByMs) {
      this.#pongByMs = Infinity;
      if (lastReceivedMs < this.#pingedMs) return ["no_pong"];
    }
    if (nowMs >= this.#tickAtMs) {
      this.#tickAtMs = next(this.#tickAtMs, this.#tickMs, nowMs);
      duties.push("tick");
    }
    if (nowMs >= this.#pingAtMs) {
      this.#pingAtMs = next(this.#pingAtMs, this.#pingMs, nowMs);
      // An earlier ping that is still unanswered is the one that counts.
      if (this.#pongByMs === Infinity || lastReceivedMs >= this.#pingedMs) {
        this.#pingedMs = nowMs;
        this.#pongByMs = nowMs + this.#pongTimeoutMs;
      }
      duties.push("ping");
    }
    if (nowMs >= this.#checkAtMs) {
      this.#checkAtMs = next(this.#checkAtMs, NEWEST_CHECK_MS, nowMs);
      duties.push("check_newest");
    }
    return duties;
  }
}

function next(atMs: number, periodMs: number, nowMs: number): number {
  return atMs + periodMs > nowMs ? atMs + periodMs : nowMs + periodMs;
}
