/** When something is due for one connection (§2.7, §2.9): the deadlines of its handshake, its pings, and how long it may live. Monotonic milliseconds. */
import type { SoraSettings } from "./config.ts";

export type Due = "timeout" | "lifetime" | "ping" | "stats" | "minute";

const MINUTE_MS = 60_000;

export class Timetable {
  readonly #settings: SoraSettings;
  /** For the log: what did not come. */
  waitedFor = 'no "connect" in time';
  #handshakeMs: number;
  #webrtcMs = Infinity;
  #pongMs = Infinity;
  #reanswerMs = Infinity;
  #lifetimeMs = Infinity;
  #pingMs = Infinity;
  #statsMs = Infinity;
  #minuteMs = Infinity;

  constructor(settings: SoraSettings, nowMs: number) {
    this.#settings = settings;
    this.#handshakeMs = nowMs + settings.connect_timeout;
  }

  /** The hook and the offer have bounds of their own, and these are what remains. */
  connected(nowMs: number): void {
    this.waitedFor = "the offer was not made in time";
    this.#handshakeMs = nowMs + this.#settings.auth_timeout + this.#settings.webrtc_timeout;
  }

  offered(nowMs: number): void {
    this.waitedFor = "no answer in time";
    this.#handshakeMs = nowMs + this.#settings.answer_timeout;
    this.#webrtcMs = nowMs + this.#settings.webrtc_timeout;
  }

  answered(): void {
    this.waitedFor = "WebRTC did not connect in time";
    this.#handshakeMs = Infinity;
  }

  announced(nowMs: number): void {
    const { pong_timeout, ping_interval, connection_lifetime } = this.#settings;
    this.waitedFor = "no pong in time";
    this.#webrtcMs = Infinity;
    this.#pongMs = nowMs + pong_timeout;
    this.#pingMs = nowMs + ping_interval;
    this.#minuteMs = nowMs + MINUTE_MS;
    if (connection_lifetime > 0) this.#lifetimeMs = nowMs + connection_lifetime;
  }

  switched(nowMs: number): void {
    const { stats_interval } = this.#settings;
    if (stats_interval > 0) this.#statsMs = nowMs + stats_interval;
  }

  ponged(nowMs: number): void {
    if (this.#pongMs !== Infinity) this.#pongMs = nowMs + this.#settings.pong_timeout;
  }

  reoffered(nowMs: number): void {
    this.#reanswerMs = nowMs + this.#settings.answer_timeout;
  }

  reanswered(): void {
    this.#reanswerMs = Infinity;
  }

  /** §2.7: pings stop with it. */
  websocketClosed(): void {
    this.#pingMs = Infinity;
    this.#pongMs = Infinity;
  }

  get #timeoutMs(): number {
    return Math.min(this.#handshakeMs, this.#webrtcMs, this.#pongMs, this.#reanswerMs);
  }

  get nextDueMs(): number {
    return Math.min(
      this.#timeoutMs,
      ...[this.#lifetimeMs, this.#pingMs, this.#statsMs, this.#minuteMs],
    );
  }

  /** What is due by now; what comes again is put off to its next time, once after a standstill. */
  due(nowMs: number): readonly Due[] {
    const due: Due[] = [];
    if (nowMs >= this.#timeoutMs) due.push("timeout");
    if (nowMs >= this.#lifetimeMs) due.push("lifetime");
    if (nowMs >= this.#pingMs) {
      due.push("ping");
      this.#pingMs = nextMs(this.#pingMs, this.#settings.ping_interval, nowMs);
    }
    if (nowMs >= this.#statsMs) {
      due.push("stats");
      this.#statsMs = nextMs(this.#statsMs, this.#settings.stats_interval, nowMs);
    }
    if (nowMs >= this.#minuteMs) {
      due.push("minute");
      this.#minuteMs = nextMs(this.#minuteMs, MINUTE_MS, nowMs);
    }
    return due;
  }
}

function nextMs(lastMs: number, intervalMs: number, nowMs: number): number {
  return lastMs + intervalMs > nowMs ? lastMs + intervalMs : nowMs + intervalMs;
}
