/** How late the event loop of this process is: what a load process measures is no better than that. */
import { quantile } from "./times.ts";

const LOOK_MS = 10;

export class Lateness {
  #lateMs: number[] = [];
  #dueMs = 0;

  /** Looks until the process ends. */
  constructor() {
    this.#dueMs = performance.now() + LOOK_MS;
    setInterval(() => {
      const nowMs = performance.now();
      this.#lateMs.push(Math.max(0, nowMs - this.#dueMs));
      this.#dueMs = nowMs + LOOK_MS;
    }, LOOK_MS);
  }

  restart(): void {
    this.#lateMs = [];
  }

  /** Of 99 in 100 looks since. */
  report(): number {
    return quantile(
      this.#lateMs.toSorted((a, b) => a - b),
      0.99,
    );
  }
}
