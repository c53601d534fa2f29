/** When something is due for one connection (§2.7, §2.9): the deadlines of its handshake, its pings, and how long it may live. Monotonic milliseconds. */
import type { SoraSettings } from "./config.ts";

type Deadline = "handshake" | "webrtc" | "pong" | "reanswer" | "lifetime";
type Repeated = "ping" | "stats" | "minute";
export type Due = Deadline | Repeated;

const MINUTE_MS = 60_000;

export class Timetable {
  /** For the log: the message that did not come. */
  waitedFor = 'no "connect" in time';
  readonly #settings: SoraSettings;
  readonly #dueMs = new Map<Due, number>();

  constructor(settings: SoraSettings, nowMs: number) {
    this.#settings = settings;
    this.#dueMs.set("handshake", nowMs + settings.connect_timeout);
  }

  /** The hook and the offer have bounds of their own, and these are the others. */
  connected(nowMs: number): void {
    const { auth_timeout, webrtc_timeout } = this.#settings;
    this.waitedFor = "the offer was not made in time";
    this.#dueMs.set("handshake", nowMs + auth_timeout + webrtc_timeout);
  }

  offered(nowMs: number): void {
    const { answer_timeout, webrtc_timeout } = this.#settings;
    this.waitedFor = "no answer in time";
    this.#dueMs.set("handshake", nowMs + answer_timeout).set("webrtc", nowMs + webrtc_timeout);
  }

  answered(): void {
    this.waitedFor = "WebRTC did not connect in time";
    this.#dueMs.delete("handshake");
  }

  announced(nowMs: number): void {
    const { pong_timeout, ping_interval, connection_lifetime } = this.#settings;
    this.waitedFor = "no pong in time";
    this.#dueMs.delete("webrtc");
    this.#dueMs.set("pong", nowMs + pong_timeout).set("ping", nowMs + ping_interval);
    this.#dueMs.set("minute", nowMs + MINUTE_MS);
    if (connection_lifetime > 0) this.#dueMs.set("lifetime", nowMs + connection_lifetime);
  }

  switched(nowMs: number): void {
    const { stats_interval } = this.#settings;
    if (stats_interval > 0) this.#dueMs.set("stats", nowMs + stats_interval);
  }

  ponged(nowMs: number): void {
    if (this.#dueMs.has("pong")) this.#dueMs.set("pong", nowMs + this.#settings.pong_timeout);
  }

  reoffered(nowMs: number): void {
    this.#dueMs.set("reanswer", nowMs + this.#settings.answer_timeout);
  }

  reanswered(): void {
    this.#dueMs.delete("reanswer");
  }

  /** §2.7: pings stop with it. */
  websocketClosed(): void {
    this.#dueMs.delete("ping");
    this.#dueMs.delete("pong");
  }

  get nextDueMs(): number {
    return Math.min(Infinity, ...this.#dueMs.values());
  }

  /** Timers that are due; a repeating one moves to its next time, once after a standstill. */
  due(nowMs: number): readonly Due[] {
    const due = [...this.#dueMs].filter(([, dueMs]) => nowMs >= dueMs);
    for (const [what, dueMs] of due) {
      const intervalMs = this.#intervalMs(what);
      if (intervalMs === undefined) this.#dueMs.delete(what);
      else this.#dueMs.set(what, (nowMs < dueMs + intervalMs ? dueMs : nowMs) + intervalMs);
    }
    return due.map(([what]) => what);
  }

  /** Undefined: it comes once. */
  #intervalMs(what: Due): number | undefined {
    const { ping_interval, stats_interval } = this.#settings;
    if (what === "ping") return ping_interval;
    if (what === "stats") return stats_interval;
    return what === "minute" ? MINUTE_MS : undefined;
  }
}
