/**
 * Who on this node wants to know that a queue may have something due. Wake-ups tell of changes on any node, a timer
 * of the next moment at which time alone makes a job due; a look at the queue every so often finds what a lost wake-up told.
 */
import { HubError } from "../../core/errors.ts";
import type { Runtime, Timer } from "../../core/runtime.ts";
import type { RedisContext } from "./context.ts";
import { QUEUE_CHECK, type QueueKeys } from "./queue-scripts.ts";
import type { RedisServers, RedisShard } from "./client/contract.ts";

/** The longest time between two looks at a watched queue, milliseconds: a lost wake-up delays no job for longer. */
export const LOOK_INTERVAL_MS = 30_000;
/** The same while the server is away. */
export const LOOK_AGAIN_MS = 1_000;

export interface QueueWatchersOptions {
  readonly servers: RedisServers;
  readonly runtime: Pick<Runtime, "clock" | "timers">;
  readonly now: RedisContext["now"];
  /** What a watcher threw, while the others were called all the same. */
  readonly onBug: (error: unknown) => void;
}

interface Watcher {
  readonly onDue: () => void;
}

interface Watched extends QueueKeys {
  readonly shard: RedisShard;
  readonly watchers: Set<Watcher>;
  begun: Promise<void>;
  /** Whatever was due up to this moment of the queue's time was called out; `""`: it was not looked at yet. */
  checkedMs: number | "";
  /** The queue's when it was last heard of. */
  revision: number;
  /** What the monotonic clock was, at the least, when the queue's time was `checkedMs`. */
  askedMs: number;
  /** Wake-ups heard so far, and the earliest moment still to come that one of them told. */
  heard: number;
  heardDueMs: number;
  looking: boolean;
  lookAgain: boolean;
  calling: boolean;
  ended: boolean;
  timer: Timer | undefined;
  timerMs: number;
}

export class QueueWatchers {
  readonly #options: QueueWatchersOptions;
  readonly #queues = new Map<string, Watched>();

  constructor(options: QueueWatchersOptions) {
    this.#options = options;
    options.servers.onGap((shard) => {
      for (const watched of this.#queues.values()) {
        if (watched.shard === shard) void this.#look(watched);
      }
    });
  }

  /** The answer ends it. Rejects with HubError `unavailable` when the server is away. */
  async watch(keys: QueueKeys, onDue: () => void): Promise<() => void> {
    const watcher: Watcher = { onDue };
    const watched = this.#queues.get(keys.topic) ?? this.#begin(keys);
    watched.watchers.add(watcher);
    try {
      await watched.begun;
    } catch (error) {
      this.#unwatch(watched, watcher);
      throw error;
    }
    return () => this.#unwatch(watched, watcher);
  }

  close(): void {
    for (const watched of this.#queues.values()) this.#end(watched);
  }

  #begin(keys: QueueKeys): Watched {
    const { servers } = this.#options;
    const watched: Watched = {
      ...{ ...keys, shard: servers.shardOf(keys.tag), watchers: new Set(), ended: false },
      ...{ begun: Promise.resolve(), checkedMs: "", askedMs: 0, revision: -1 },
      ...{ heard: 0, heardDueMs: Infinity, looking: false, lookAgain: false, calling: false },
      ...{ timer: undefined, timerMs: Infinity },
    };
    this.#queues.set(keys.topic, watched);
    watched.begun = (async () => {
      await watched.shard.subscribe(keys.topic, (message) => this.#hear(watched, message));
      watched.looking = true;
      await this.#lookOnce(watched);
      watched.looking = false;
      if (watched.lookAgain) void this.#look(watched);
    })();
    return watched;
  }

  #unwatch(watched: Watched, watcher: Watcher): void {
    if (watched.watchers.delete(watcher) && watched.watchers.size === 0) this.#end(watched);
  }

  #end(watched: Watched): void {
    if (watched.ended) return;
    watched.ended = true;
    watched.timer?.cancel();
    this.#queues.delete(watched.topic);
    watched.shard.unsubscribe(watched.topic);
  }

  #hear(watched: Watched, message: string): void {
    if (watched.ended) return;
    const [revision = 0, dueMs = 0] = message.split(":").map(Number);
    watched.revision = revision;
    watched.heard += 1;
    if (dueMs === 0) this.#call(watched);
    else {
      watched.heardDueMs = Math.min(watched.heardDueMs, dueMs);
      if (dueMs < watched.timerMs) this.#arm(watched, dueMs);
    }
  }

  /** One at a time; what asks for another meanwhile gets it behind. */
  async #look(watched: Watched): Promise<void> {
    watched.lookAgain = true;
    if (watched.looking) return;
    watched.looking = true;
    while (watched.lookAgain && !watched.ended) {
      watched.lookAgain = false;
      try {
        await this.#lookOnce(watched);
      } catch (error) {
        if (!(error instanceof HubError)) this.#options.onBug(error);
        if (!watched.ended) this.#arm(watched, Infinity, LOOK_AGAIN_MS);
      }
    }
    watched.looking = false;
  }

  /** Sets the timer for what is next, and calls out what became due since the last look. */
  async #lookOnce(watched: Watched): Promise<void> {
    const { runtime, now } = this.#options;
    const { heard, revision: known } = watched;
    const askedMs = runtime.clock.monotonicMs();
    watched.heardDueMs = Infinity;
    const reply = await watched.shard.run(QUEUE_CHECK, watched.keys, [watched.checkedMs, now()]);
    if (watched.ended) return;
    const [revision, becameDue, nextMs, atMs] = reply as [number, number, number | null, number];
    watched.checkedMs = atMs;
    watched.askedMs = askedMs;
    // Wake-ups that came meanwhile called for themselves, and the reply may be older than they are.
    const missed = watched.heard === heard && revision !== known;
    if (watched.heard === heard) watched.revision = revision;
    const dueMs = Math.min(nextMs ?? Infinity, watched.heardDueMs);
    if (dueMs <= atMs + runtime.clock.monotonicMs() - askedMs) watched.lookAgain = true;
    else this.#arm(watched, dueMs);
    if (becameDue === 1 || (missed && known >= 0)) this.#call(watched);
  }

  /** For the queue's time, which this node knows from its last look; the server's clock may jump, and a timer does not see that. */
  #arm(watched: Watched, dueMs: number, delayMsMax = LOOK_INTERVAL_MS): void {
    const { clock, timers } = this.#options.runtime;
    const { checkedMs, askedMs } = watched;
    // Before its first look: that is under way, or has failed.
    const nowMs = checkedMs === "" ? -Infinity : checkedMs + clock.monotonicMs() - askedMs;
    const delayMs = Math.min(dueMs - nowMs, delayMsMax);
    watched.timerMs = nowMs + delayMs;
    watched.timer?.cancel();
    // Its time may have come before the wake-up that tells of it.
    if (delayMs <= 0) void this.#look(watched);
    else watched.timer = timers.after(delayMs, () => void this.#look(watched));
  }

  /** Once for all that one turn brought. */
  #call(watched: Watched): void {
    if (watched.calling) return;
    watched.calling = true;
    queueMicrotask(() => {
      watched.calling = false;
      for (const watcher of [...watched.watchers]) {
        // One that was called may have ended another's watch.
        if (!watched.watchers.has(watcher)) continue;
        try {
          watcher.onDue();
        } catch (error) {
          this.#options.onBug(error);
        }
      }
    });
  }
}
