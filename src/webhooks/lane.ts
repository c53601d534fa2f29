/** One endpoint's deliveries on this node: as many at a time as its settings, its breaker and the node allow. */
import type { TakenJob } from "../core/engine.ts";
import type { Runtime, Timer } from "../core/runtime.ts";
import { Breaker } from "./breaker.ts";
import type { Delivered } from "./deliver.ts";
import type { StoredEndpoint } from "./endpoint-store.ts";
import type { Outbox } from "./outbox.ts";
import type { Slots, SlotUser } from "./slots.ts";
import { perSecond, TokenBucket, type Rate } from "../core/rates.ts";

export interface LaneTarget {
  readonly applicationId: string;
  readonly id: string;
}

export interface LaneOptions {
  readonly target: LaneTarget;
  readonly runtime: Runtime;
  readonly outbox: Outbox;
  readonly slots: Slots;
  /** As it is now; undefined: it is gone. */
  readonly endpoint: () => Promise<StoredEndpoint | undefined>;
  readonly deliver: (job: TakenJob) => Promise<Delivered>;
  /** The endpoint is gone, and what waited for it. */
  readonly onGone: () => void;
  readonly onError: (error: unknown, doing: string) => void;
}

/** Longer than any attempt: a worker that holds a job beyond it is gone. */
const LEASE_MS = 60_000;
/** After an error of the engine's. */
const RETRY_MS = 1_000;

export class Lane implements SlotUser {
  readonly #options: LaneOptions;
  readonly #breaker = new Breaker();
  readonly #bucket: TokenBucket;
  readonly #inFlight = new Set<TakenJob>();
  #unwatch: (() => void) | undefined;
  #timer: Timer | undefined;
  #running = false;
  #again = false;
  /** The last round left, or may have left, something that is due. */
  #hungry = false;
  #closed = false;
  /** Since when something has been due that cannot go out yet, monotonic milliseconds. */
  #behindSinceMs: number | undefined;

  constructor(options: LaneOptions) {
    this.#options = options;
    this.#bucket = new TokenBucket(endpointRate(1), options.runtime.clock.monotonicMs());
  }

  async start(): Promise<void> {
    const { outbox, target } = this.#options;
    const unwatch = await outbox.watch(target, () => this.wake());
    if (this.#closed) unwatch();
    else this.#unwatch = unwatch;
    this.wake();
  }

  get breakerIsOpen(): boolean {
    return this.#breaker.isOpen;
  }

  get behindSinceMs(): number | undefined {
    return this.#behindSinceMs;
  }

  sends(messageId: string): boolean {
    const { outbox } = this.#options;
    return [...this.#inFlight].some((job) => outbox.read(job).messageId === messageId);
  }

  /** Something may be due, or may now be allowed. */
  wake(): void {
    if (this.#closed) return;
    this.#again = true;
    if (this.#running) return;
    this.#running = true;
    this.#run().catch((error: unknown) => {
      this.#options.onError(error, "an endpoint's deliveries");
      this.#wakeAfter(RETRY_MS);
    });
  }

  /** Takes nothing more; what is under way goes on. */
  close(): void {
    this.#closed = true;
    this.#unwatch?.();
    this.#timer?.cancel();
    this.#options.slots.leave(this);
  }

  async #run(): Promise<void> {
    try {
      while (this.#again && !this.#closed) {
        this.#again = false;
        await this.#round();
      }
    } finally {
      this.#running = false;
    }
  }

  async #round(): Promise<void> {
    const { outbox, target } = this.#options;
    const endpoint = await this.#options.endpoint();
    if (endpoint === undefined) {
      // Whatever was queued while it was being deleted.
      await outbox.cancel(target);
      this.#options.onGone();
      return;
    }
    if (endpoint.disabledReason !== null) {
      this.#behindSinceMs = undefined;
      return;
    }
    this.#hungry = true;
    const limit = this.#limit(endpoint);
    if (limit === 0) return;
    this.#options.slots.use(limit);
    let jobs: readonly TakenJob[] = [];
    try {
      jobs = await outbox.take(target, { limit, leaseMs: LEASE_MS });
    } finally {
      for (let unused = jobs.length; unused < limit; unused += 1) this.#options.slots.release();
    }
    this.#bucket.charge(this.#options.runtime.clock.monotonicMs(), jobs.length);
    for (const job of jobs) this.#start(job);
    if (jobs.length === limit) this.#again = true;
    else {
      this.#hungry = false;
      this.#behindSinceMs = undefined;
    }
  }

  /** How many may be taken now. 0: it is woken when that changes. */
  #limit({ ordered, rateLimit }: StoredEndpoint): number {
    const { slots, runtime } = this.#options;
    const nowMs = runtime.clock.monotonicMs();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#behindSinceMs ??= nowMs;
    const inFlight = this.#inFlight.size;
    const probing = this.#breaker.isOpen;
    if (probing && nowMs < this.#breaker.untilMs) {
      this.#wakeAfter(this.#breaker.untilMs - nowMs);
      return 0;
    }
    const room = (ordered || probing ? 1 : slots.perEndpoint) - inFlight;
    if (room <= 0) return 0;
    if (slots.free === 0) {
      slots.wait(this);
      return 0;
    }
    this.#bucket.rate = endpointRate(rateLimit);
    const tokens = this.#bucket.whole(nowMs);
    if (tokens === 0) this.#wakeAfter(this.#bucket.waitMs(nowMs));
    return Math.min(room, slots.free, tokens);
  }

  #start(job: TakenJob): void {
    const { runtime, slots, onError, deliver } = this.#options;
    this.#inFlight.add(job);
    void deliver(job)
      .then((delivered) => {
        if (delivered === "succeeded") this.#breaker.succeeded();
        else if (delivered === "failed") this.#breaker.failed(runtime.clock.monotonicMs());
      })
      // The job comes again when its lease ends.
      .catch((error: unknown) => onError(error, "a delivery"))
      .finally(() => {
        this.#inFlight.delete(job);
        slots.release();
        if (this.#hungry) this.wake();
      });
  }

  #wakeAfter(delayMs: number): void {
    if (this.#closed) return;
    this.#timer?.cancel();
    this.#timer = this.#options.runtime.timers.after(delayMs, () => this.wake());
  }
}

/** How much of a second's worth may go out at once: one message, up to the rate of 100. */
const BURST_S = 0.01;

/** Of an endpoint's `rate_limit` (webhooks.md §7.4): in any second no more than it and the few that may go out at once. */
export function endpointRate(count: number): Rate {
  return perSecond(count, Math.max(1, count * BURST_S));
}
