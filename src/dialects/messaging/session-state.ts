/** A session's knowledge of its subscriber: channels, conversations, its announcement, the subscribers it watches. */
import { isHigher } from "./chat/overlays.ts";
import type { DeliveryStatus, Report } from "./chat/contract.ts";
import type { Announcement } from "./presence.ts";

/** A channel that the subscriber is a member of. */
export interface OwnMembership {
  administrator: boolean;
  readSequence: number;
  /** Of the channel, when this was so: an older note says nothing about it. */
  revision: number;
}

/** Direct conversations of which is known how far they were written; beyond it those idle longest are forgotten, and looked up anew. */
const CONVERSATIONS_MAX = 1000;
/** Messages whose last report is known, likewise: of two reports on their way none is told twice or backwards. */
const REPORTED_MAX = 100;
/** Targets whose typing was forwarded lately, likewise. */
const TYPING_TARGETS_MAX = 1000;

export class SessionState {
  readonly channels = new Map<string, OwnMembership>();
  /** Members that it leaves out keep their value (§7.1). */
  announcement: Announcement = { availability: "available", status: "", attributes: {} };
  announced = false;
  /** Whom it watches, and whether they have blocked it. */
  readonly watched = new Map<string, { blocked: boolean }>();
  /** Of direct conversations, by the other subscriber: the last sequence that was written here. */
  readonly written = new RecentMap<number>(CONVERSATIONS_MAX);
  readonly #reported = new RecentMap<DeliveryStatus>(REPORTED_MAX);
  /** Monotonic milliseconds of the last typing that was forwarded, by target. */
  readonly typedAtMs = new RecentMap<number>(TYPING_TARGETS_MAX);

  /** §11.10: each status once, forward only. False: it has been told this, or more. */
  report({ messageId, status }: Report): boolean {
    if (!isHigher(status, this.#reported.get(messageId) ?? "stored")) return false;
    this.#reported.set(messageId, status);
    return true;
  }
}

/** Forgets the entry that was set longest ago. */
export class RecentMap<Value> {
  readonly #max: number;
  readonly #values = new Map<string, Value>();

  constructor(max: number) {
    this.#max = max;
  }

  get(key: string): Value | undefined {
    return this.#values.get(key);
  }

  set(key: string, value: Value): void {
    this.#values.delete(key);
    this.#values.set(key, value);
    if (this.#values.size <= this.#max) return;
    const [oldest] = this.#values.keys();
    if (oldest !== undefined) this.#values.delete(oldest);
  }
}
