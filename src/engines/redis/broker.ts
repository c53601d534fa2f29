/**
 * One app's streams and events. A stream is a hash and a Redis stream, appended to and published by one script; what keeps no
 * history is published as it is. The bus may lose: `broker-bus.ts` sees that it has.
 */
import {
  IDEMPOTENCY_TTL_MS,
  type Broker,
  type HistoryPage,
  type PublishOptions,
} from "../../core/engine.ts";
import type { Channel, NewPublication, Publication, StreamPosition } from "../../core/types.ts";
import {
  announcementBody,
  headOf,
  publicationBody,
  publicationFrom,
  type Sequence,
} from "./broker-messages.ts";
import type { Bus } from "./broker-bus.ts";
import type { Sequences } from "./broker-sequences.ts";
import type { RedisContext } from "./context.ts";
import { home } from "./keys.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript, RedisShard } from "./client/contract.ts";
import { wholeMs } from "./context.ts";

const STREAM = readScript("time") + readScript("stream");
const PUBLISH: RedisScript = { name: "publish", source: STREAM + readScript("publish") };
const ANNOUNCE: RedisScript = {
  name: "announce",
  source: readScript("time") + readScript("announce"),
};
const HISTORY: RedisScript = { name: "history", source: STREAM + readScript("history") };

export interface BrokerOptions {
  readonly app: string;
  readonly context: RedisContext;
  readonly bus: Bus;
  readonly sequences: Sequences;
}

/** Where a channel lives. */
interface Place {
  readonly shard: RedisShard;
  readonly base: string;
  readonly topic: string;
}

export function createBroker({ app, context, bus, sequences }: BrokerOptions): Broker {
  const { servers, prefix, runtime, requireOpen } = context;

  function placeOf({ space, name }: Channel): Place {
    const { tag, base } = home(prefix, [app, space], name);
    return { shard: servers.shardOf(tag), base, topic: base };
  }

  /** Sends what makes one message on the topic, and waits until it has come back here. `send` answers whether it was published. */
  async function spread(
    topic: string,
    send: (sequence: Sequence) => Promise<boolean>,
  ): Promise<void> {
    const sequence = sequences.next(topic);
    const echo = bus.echo(topic, sequence);
    let published = false;
    try {
      published = await send(sequence);
    } finally {
      if (!published) echo?.drop();
    }
    if (!published) return;
    sequences.confirm(topic, sequence);
    await echo?.heard;
  }

  /** The arguments that both scripts begin with. */
  function common(shard: RedisShard): readonly (string | number)[] {
    return [context.now(), shard.generation, newEpoch()];
  }

  /** Twelve hexadecimal digits: chance enough that no stream gets one of its own again. */
  function newEpoch(): string {
    return runtime.random.uuid().replaceAll("-", "").slice(0, 12);
  }

  async function append(
    { shard, base, topic }: Place,
    publication: NewPublication,
    options: PublishOptions,
  ): Promise<StreamPosition | undefined> {
    const { history, idempotencyKey: key, versionEpoch = "" } = options;
    const keys = [`${base}:m`, `${base}:s`, ...(key === undefined ? [] : [`${base}:i:${key}`])];
    const body = publicationBody(publication, runtime.clock.epochMs());
    const limits =
      history === undefined
        ? ["", "", ""]
        : [history.size, wholeMs(history.ttlMs), wholeMs(history.metaTtlMs)];
    let position: StreamPosition | undefined;
    await spread(topic, async (sequence) => {
      const message = [shard.publishCommand, topic, headOf("publication", sequence), body];
      const once = [publication.version ?? "", versionEpoch, IDEMPOTENCY_TTL_MS];
      const args = [...common(shard), ...message, ...limits, ...once];
      const reply = (await shard.run(PUBLISH, keys, args)) as [string, number, 0 | 1];
      const [epoch, offset, published] = reply;
      if (epoch !== "") position = { epoch, offset };
      return published === 1;
    });
    return position;
  }

  function send({ shard, topic }: Place, text: (sequence: Sequence) => string): Promise<void> {
    return spread(topic, async (sequence) => {
      await shard.call(shard.publishCommand, topic, text(sequence));
      return true;
    });
  }

  return {
    lossless: false,

    async publish(channel, publication, options = {}) {
      requireOpen();
      const place = placeOf(channel);
      if (options.history !== undefined || options.idempotencyKey !== undefined) {
        return append(place, publication, options);
      }
      const body = publicationBody(publication, runtime.clock.epochMs());
      await send(place, (sequence) => `${headOf("publication", sequence)}\n${body}`);
      return undefined;
    },

    async announce(channel, announcement, { positioned = false } = {}) {
      requireOpen();
      const place = placeOf(channel);
      const { type } = announcement;
      const body = announcementBody(announcement);
      if (!positioned) return send(place, (sequence) => `${headOf(type, sequence)}\n${body}`);
      const { shard, base, topic } = place;
      await spread(topic, async (sequence) => {
        const message = [shard.publishCommand, topic, headOf(type, sequence), body];
        await shard.run(ANNOUNCE, [`${base}:m`], [context.now(), shard.generation, ...message]);
        return true;
      });
    },

    async listen(channel, listener) {
      requireOpen();
      const { shard, topic } = placeOf(channel);
      await bus.listen(shard, topic, listener);
    },

    async unlisten(channel, listener) {
      bus.unlisten(placeOf(channel).topic, listener);
      requireOpen();
    },

    async history(channel, query, metaTtlMs) {
      requireOpen();
      const { shard, base } = placeOf(channel);
      const { limit, sinceOffset, reverse = false } = query;
      const page = [limit, sinceOffset ?? "", reverse ? 1 : 0];
      const args = [...common(shard), wholeMs(metaTtlMs), ...page];
      return pageOf((await shard.run(HISTORY, [`${base}:m`, `${base}:s`], args)) as Page);
    },

    async removeHistory(channel) {
      requireOpen();
      const { shard, base } = placeOf(channel);
      await shard.call("UNLINK", `${base}:s`);
    },
  };
}

/** Epoch and top, then offset and body in turns. */
type Page = readonly [string, number, ...(string | number)[]];

function pageOf([epoch, offset, ...entries]: Page): HistoryPage {
  const publications: Publication[] = [];
  for (let index = 0; index < entries.length; index += 2) {
    const position = { epoch, offset: Number(entries[index]) };
    publications.push(publicationFrom(String(entries[index + 1]), position));
  }
  return { publications, position: { epoch, offset } };
}
