/** One app's streams and listeners. Streams live in the database alone; listeners in memory. */
import {
  IDEMPOTENCY_TTL_MS,
  type Broker,
  type ChannelEvent,
  type ChannelListener,
  type HistoryLimits,
  type PublishOptions,
} from "../../core/engine.ts";
import type { Random, Runtime } from "../../core/runtime.ts";
import type { Channel, NewPublication, Publication, StreamPosition } from "../../core/types.ts";
import { ChannelMap } from "./channel-map.ts";
import { expiryMs, type CommitQueue } from "./commit-queue.ts";
import type { Store, Stream } from "./store.ts";

export interface BrokerOptions {
  readonly app: string;
  readonly store: Store;
  readonly queue: CommitQueue;
  readonly runtime: Pick<Runtime, "clock" | "random">;
}

export function createBroker({ app, store, queue, runtime }: BrokerOptions): Broker {
  const { clock, random } = runtime;
  const listeners = new ChannelMap<ChannelListener>();

  function deliver(channel: Channel, event: ChannelEvent): void {
    listeners.get(channel)?.onEvent(event);
  }

  /** Past its expiry a stream is as absent as one that never was. */
  function liveStream(channel: Channel, nowMs: number): Stream | undefined {
    const stream = store.stream(app, channel);
    return stream !== undefined && stream.meta_expires_ms > nowMs ? stream : undefined;
  }

  function ensureStream(channel: Channel, metaTtlMs: number, nowMs: number): Stream {
    const stream = store.stream(app, channel);
    if (stream !== undefined && stream.meta_expires_ms > nowMs) return stream;
    if (stream !== undefined) store.deleteStream(stream.id);
    return store.addStream(app, channel, newEpoch(random), expiryMs(nowMs, metaTtlMs));
  }

  /** `stored` is false when the version rule dropped it. */
  function append(
    channel: Channel,
    publication: Publication,
    limits: HistoryLimits,
    { versionEpoch = "", nowMs }: PublishOptions & { readonly nowMs: number },
  ): { readonly position: StreamPosition; readonly stored: boolean } {
    const { version } = publication;
    const stream = ensureStream(channel, limits.metaTtlMs, nowMs);
    const { epoch } = stream;
    if (version !== undefined && isOutdated(stream, version, versionEpoch)) {
      return { position: { epoch, offset: stream.top }, stored: false };
    }
    const top = stream.top + 1;
    store.addPublication(stream.id, publication, top, expiryMs(nowMs, limits.ttlMs));
    if (top > limits.size) store.trim(stream.id, top - limits.size);
    store.setStream(stream.id, {
      top,
      version: version ?? stream.version,
      version_epoch: version === undefined ? stream.version_epoch : versionEpoch,
      meta_expires_ms: expiryMs(nowMs, limits.metaTtlMs),
    });
    return { position: { epoch, offset: top }, stored: true };
  }

  /** Of what is not kept nothing is made where nobody listens. */
  function passOn(channel: Channel, publication: NewPublication): Promise<undefined> {
    return queue.submit({
      writes: () => false,
      write() {},
      deliver() {
        const listener = listeners.get(channel);
        if (listener === undefined) return;
        const timed = { ...publication, timeMs: clock.epochMs() };
        listener.onEvent({ type: "publication", publication: timed });
      },
      result: () => undefined,
    });
  }

  return {
    lossless: true,

    publish(channel, publication, options = {}) {
      const { history, idempotencyKey: key } = options;
      if (history === undefined && key === undefined) return passOn(channel, publication);
      let outgoing: Publication | undefined;
      let position: StreamPosition | undefined;

      return queue.submit({
        writes: () => true,
        write(nowMs) {
          if (key !== undefined) {
            const known = store.result(app, channel, key, nowMs);
            if (known !== undefined) {
              position = known.position;
              return;
            }
          }
          outgoing = { ...publication, timeMs: clock.epochMs() };
          if (history !== undefined) {
            const appended = append(channel, outgoing, history, { ...options, nowMs });
            position = appended.position;
            outgoing = appended.stored ? { ...outgoing, position } : undefined;
          }
          if (key !== undefined) {
            const expiresMs = expiryMs(nowMs, IDEMPOTENCY_TTL_MS);
            store.setResult(app, channel, key, { position, expiresMs });
          }
        },
        deliver() {
          if (outgoing !== undefined) {
            deliver(channel, { type: "publication", publication: outgoing });
          }
        },
        result: () => position,
      });
    },

    announce(channel, event) {
      return queue.submit<void>({
        writes: () => false,
        write() {},
        deliver: () => deliver(channel, event),
        result() {},
      });
    },

    async listen(channel, listener) {
      queue.requireOpen();
      listeners.set(channel, listener);
    },

    async unlisten(channel, listener) {
      if (listeners.get(channel) === listener) listeners.delete(channel);
      queue.requireOpen();
    },

    history(channel, query, metaTtlMs) {
      return queue.submit({
        writes: (nowMs) => liveStream(channel, nowMs) === undefined,
        write: (nowMs) => void ensureStream(channel, metaTtlMs, nowMs),
        result(nowMs) {
          const stream = liveStream(channel, nowMs);
          if (stream === undefined) throw new Error("The stream is gone within one batch");
          const position = { epoch: stream.epoch, offset: stream.top };
          return {
            publications: query.limit > 0 ? store.page(stream, query, nowMs) : [],
            position,
          };
        },
      });
    },

    removeHistory(channel) {
      return queue.submit<void>({
        writes: () => true,
        write() {
          const stream = store.stream(app, channel);
          if (stream !== undefined) store.trim(stream.id, stream.top);
        },
        result() {},
      });
    },
  };
}

function isOutdated(stream: Stream, version: number, versionEpoch: string): boolean {
  return (
    stream.version !== null && stream.version_epoch === versionEpoch && version <= stream.version
  );
}

const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const EPOCH_LETTERS = 8;

export function newEpoch(random: Random): string {
  let epoch = "";
  while (epoch.length < EPOCH_LETTERS) {
    epoch += LETTERS.charAt(Math.floor(random.fraction() * LETTERS.length));
  }
  return epoch;
}
