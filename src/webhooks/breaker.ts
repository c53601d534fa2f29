/** Spares a dead receiver (webhooks.md §7.4): after ten failures in a row, one probe a minute, and rarer while it fails. */

const FAILURES = 10;
const WITHIN_MS = 300_000;
const WAIT_MS = 60_000;
const WAIT_MS_MAX = 600_000;

/** Times are monotonic milliseconds. */
export class Breaker {
  /** Of the failures in a row, the last ten. */
  #failedMs: number[] = [];
  /** 0: closed. */
  #waitMs = 0;
  #untilMs = 0;

  get isOpen(): boolean {
    return this.#waitMs > 0;
  }

  /** When the next request may go out; in the past: now. While it is open, one at a time. */
  get untilMs(): number {
    return this.#untilMs;
  }

  succeeded(): void {
    this.#failedMs = [];
    this.#waitMs = 0;
    this.#untilMs = 0;
  }

  failed(nowMs: number): void {
    if (this.isOpen) {
      // Requests that were under way when it opened tell nothing new.
      if (nowMs >= this.#untilMs) this.#wait(Math.min(this.#waitMs * 2, WAIT_MS_MAX), nowMs);
      return;
    }
    this.#failedMs.push(nowMs);
    if (this.#failedMs.length > FAILURES) this.#failedMs.shift();
    const [first = nowMs] = this.#failedMs;
    if (this.#failedMs.length === FAILURES && nowMs - first <= WITHIN_MS) {
      this.#wait(WAIT_MS, nowMs);
    }
  }

  #wait(waitMs: number, nowMs: number): void {
    this.#waitMs = waitMs;
    this.#untilMs = nowMs + waitMs;
  }
}
