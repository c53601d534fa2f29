/**
 * One app's streams and events. A stream is a hash and a Redis stream, appended to and published by one script; what keeps no
 * history is published as it is. The bus may lose: `broker-bus.ts` sees that it has.
 */
import {
  IDEMPOTENCY_TTL_MS,
  type Announcement,
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
import {
  createLimitsText,
  type Outlet,
  type Outlets,
  type Place,
  type Space,
} from "./broker-outlets.ts";
import { wholeMs, type RedisContext } from "./context.ts";
import { readScript } from "./script-file.ts";
import type { RedisArgument, RedisScript } from "./client/contract.ts";

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
  readonly outlets: Outlets;
}

/** What the script of a publication replies. */
type Published = readonly [epoch: string, offset: number, published: 0 | 1];

function isPublished(reply: unknown): boolean {
  return (reply as Published)[2] === 1;
}

export function createBroker({ app, context, bus, outlets }: BrokerOptions): Broker {
  const { runtime, requireOpen } = context;
  const spaces = new Map<string, Space>();
  const limitsText = createLimitsText();

  function spaceOf({ space }: Channel): Space {
    let found = spaces.get(space);
    if (found === undefined) spaces.set(space, (found = outlets.space(app, space)));
    return found;
  }

  function placeOf(channel: Channel): Place {
    return spaceOf(channel).place(channel.name);
  }

  /** Sends what makes one message on the topic, and waits until it has come back here, if it was published. */
  async function spread<Reply>(
    outlet: Outlet,
    send: (sequence: Sequence) => Promise<Reply>,
    isPublished: (reply: Reply) => boolean = () => true,
  ): Promise<Reply> {
    const sequence = outlet.next();
    const echo = bus.echo(outlet.place.topic, sequence);
    let published = false;
    try {
      const reply = await send(sequence);
      published = isPublished(reply);
      if (!published) return reply;
      outlet.confirm(sequence);
      if (echo !== undefined) await echo.heard;
      return reply;
    } finally {
      if (!published) echo?.drop();
    }
  }

  async function append(
    outlet: Outlet,
    publication: NewPublication,
    options: PublishOptions,
  ): Promise<StreamPosition | undefined> {
    const { shard, topic, metaKey, listKey } = outlet.place;
    const { history, idempotencyKey: key, versionEpoch = "" } = options;
    const { version } = publication;
    const keys = key === undefined ? [metaKey, listKey] : [metaKey, listKey, `${topic}:i:${key}`];
    const body = publicationBody(publication, runtime.clock.epochMs());
    const how = `${context.now()} ${shard.generation} ${shard.publishCommand} ${limitsText(history)}`;
    const send = (sequence: Sequence): Promise<unknown> => {
      const args: RedisArgument[] = [headOf("publication", sequence), body, how];
      const once = key !== undefined || version !== undefined;
      if (once) args.push(version ?? "", versionEpoch, IDEMPOTENCY_TTL_MS);
      return shard.run(PUBLISH, keys, args);
    };
    const reply = await spread(outlet, send, isPublished);
    const [epoch, offset] = reply as Published;
    return epoch === "" ? undefined : { epoch, offset };
  }

  async function send(
    outlet: Outlet,
    type: "publication" | Announcement["type"],
    body: string,
  ): Promise<void> {
    const { shard, topic } = outlet.place;
    await spread(outlet, (sequence) =>
      shard.call(shard.publishCommand, topic, `${headOf(type, sequence)}\n${body}`),
    );
  }

  return {
    lossless: false,

    async publish(channel, publication, options = {}) {
      requireOpen();
      const outlet = spaceOf(channel).outlet(channel.name);
      if (options.history !== undefined || options.idempotencyKey !== undefined) {
        return await append(outlet, publication, options);
      }
      await send(outlet, "publication", publicationBody(publication, runtime.clock.epochMs()));
      return undefined;
    },

    async announce(channel, announcement, { positioned = false } = {}) {
      requireOpen();
      const outlet = spaceOf(channel).outlet(channel.name);
      const { type } = announcement;
      const body = announcementBody(announcement);
      if (!positioned) {
        await send(outlet, type, body);
        return;
      }
      const { shard, topic, metaKey } = outlet.place;
      await spread(outlet, (sequence) => {
        const message = [shard.publishCommand, topic, headOf(type, sequence), body];
        const args = [context.now(), shard.generation, ...message];
        return shard.run(ANNOUNCE, [metaKey], args);
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
      const { shard, metaKey, listKey } = placeOf(channel);
      const { limit, sinceOffset, reverse = false } = query;
      const page = [limit, sinceOffset ?? "", reverse ? 1 : 0];
      const stream = [context.now(), shard.generation, runtime.random.uuid()];
      const args = [...stream, wholeMs(metaTtlMs), ...page];
      return pageOf((await shard.run(HISTORY, [metaKey, listKey], args)) as Page);
    },

    async removeHistory(channel) {
      requireOpen();
      const { shard, listKey } = placeOf(channel);
      await shard.call("UNLINK", listKey);
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
