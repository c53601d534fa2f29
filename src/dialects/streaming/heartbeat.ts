/** When to ping, and whether the answer came (centrifugo-protocol.md §3.3). */
import type { StreamingConfig } from "./config.ts";

type Intervals = Pick<StreamingConfig["streaming"], "ping_interval" | "pong_timeout">;

export class Heartbeat {
  readonly #settings: Intervals;
  /** Pings are the transport's own. */
  readonly framePings: boolean;
  /** Monotonic milliseconds; Infinity: none. */
  #pingAtMs = Infinity;
  #pongUntilMs = Infinity;
  #pingedAtMs = 0;

  /** With `framePings` anything that the peer sends is an answer, and `pong` expects none. */
  constructor(settings: Intervals, framePings: boolean) {
    this.#settings = settings;
    this.framePings = framePings;
  }

  get nextMs(): number {
    return Math.min(this.#pingAtMs, this.#pongUntilMs);
  }

  /** The first ping comes between half an interval and a whole one from now, so that reconnected crowds spread. */
  start(nowMs: number, fraction: number): void {
    const { ping_interval: pingIntervalMs } = this.#settings;
    if (pingIntervalMs > 0) this.#pingAtMs = nowMs + pingIntervalMs * (0.5 + fraction / 2);
  }

  /** Whether a pong was expected: each ping may be answered once. */
  pong(): boolean {
    if (this.framePings || this.#pongUntilMs === Infinity) return false;
    this.#pongUntilMs = Infinity;
    return true;
  }

  /** `ping`: one is to be sent now. `dead`: the last one was not answered in time. */
  beat(nowMs: number, lastReceivedMs: number): "ping" | "dead" | "quiet" {
    if (nowMs >= this.#pongUntilMs) {
      if (!this.framePings || lastReceivedMs < this.#pingedAtMs) return "dead";
      this.#pongUntilMs = Infinity;
    }
    if (nowMs < this.#pingAtMs) return "quiet";
    this.#pingedAtMs = nowMs;
    this.#pingAtMs = nowMs + this.#settings.ping_interval;
    this.#pongUntilMs = nowMs + this.#settings.pong_timeout;
    return "ping";
  }
}
