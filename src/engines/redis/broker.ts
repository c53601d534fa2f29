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
import type { Channel, NewPublication, Publication } from "../../core/types.ts";
import {
  announcementBody,
  headOf,
  publicationBody,
  publicationFrom,
  type MessageType,
  type Sequence,
} from "./broker-messages.ts";
import { Appends, type Appended } from "./broker-appends.ts";
import type { Bus } from "./broker-bus.ts";
import { Flow } from "./broker-flow.ts";
import {
  createLimitsText,
  type Outlet,
  type Outlets,
  type Place,
  type Space,
} from "./broker-outlets.ts";
import { wholeMs, type RedisContext } from "./context.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript } from "./client/contract.ts";

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
  /** Resolves once all nodes have what was sent before, or do not say so in time. */
  readonly caughtUp: () => Promise<void>;
}

/** How many heard what was published; negative when it was not. */
type HearingOf = (reply: unknown) => number;

const hearingOfAppended: HearingOf = (reply) => (reply as Appended)[2];

export function createBroker({ app, context, bus, outlets, caughtUp }: BrokerOptions): Broker {
  const { runtime, requireOpen } = context;
  const spaces = new Map<string, Space>();
  const limitsText = createLimitsText();
  const flow = new Flow(caughtUp);
  const appends = new Appends();

  function spaceOf({ space }: Channel): Space {
    let found = spaces.get(space);
    if (found === undefined) spaces.set(space, (found = outlets.space(app, space)));
    return found;
  }

  function placeOf(channel: Channel): Place {
    return spaceOf(channel).place(channel.name);
  }

  /**
   * Sends what makes one message on the topic, and waits until it has come back here, if it was published. `hearingOf`: of a
   * publication, which waits for the other nodes as well where they are behind.
   */
  async function spread(
    outlet: Outlet,
    send: (sequence: Sequence) => Promise<unknown>,
    publication?: { readonly hearingOf: HearingOf; readonly characters: number },
  ): Promise<unknown> {
    const sequence = outlet.next();
    const echo = bus.echo(outlet.place.topic, sequence);
    let published = false;
    try {
      const reply = await send(sequence);
      const hearing = publication?.hearingOf(reply) ?? 0;
      published = hearing >= 0;
      if (!published) return reply;
      outlet.confirm(sequence);
      if (echo !== undefined) await echo.heard;
      const others = hearing > (echo === undefined ? 0 : 1);
      const behind = others ? flow.sent(publication?.characters ?? 0) : undefined;
      if (behind !== undefined) await behind;
      return reply;
    } finally {
      if (!published) echo?.drop();
    }
  }

  /** What appends to the stream and publishes, as one step. */
  function appending(
    outlet: Outlet,
    body: string,
    options: PublishOptions & Pick<NewPublication, "version">,
  ): (sequence: Sequence) => Promise<unknown> {
    const { shard, topic, metaKey, listKey } = outlet.place;
    const { history, idempotencyKey: key, version, versionEpoch = "" } = options;
    const how = `${context.now()} ${shard.generation} ${shard.publishCommand} ${limitsText(history)}`;
    if (key === undefined && version === undefined) {
      return (sequence) => appends.add(outlet, how, `${headOf("publication", sequence)}\n${body}`);
    }
    const keys = key === undefined ? [metaKey, listKey] : [metaKey, listKey, `${topic}:i:${key}`];
    return (sequence) => {
      const message = `${how}\n${headOf("publication", sequence)}\n${body}`;
      return shard.run(PUBLISH, keys, [message, version ?? "", versionEpoch, IDEMPOTENCY_TTL_MS]);
    };
  }

  /** What publishes, and keeps nothing. */
  function sending({ shard, topic }: Place, type: MessageType, body: string) {
    return (sequence: Sequence): Promise<unknown> =>
      shard.call(shard.publishCommand, topic, `${headOf(type, sequence)}\n${body}`);
  }

  return {
    lossless: false,

    async publish(channel, publication, options = {}) {
      requireOpen();
      const outlet = spaceOf(channel).outlet(channel.name);
      const { place } = outlet;
      const body = publicationBody(publication, runtime.clock.epochMs());
      const characters = body.length;
      if (options.history === undefined && options.idempotencyKey === undefined) {
        await spread(outlet, sending(place, "publication", body), {
          hearingOf: Number,
          characters,
        });
        return undefined;
      }
      const { version } = publication;
      const send = appending(
        outlet,
        body,
        version === undefined ? options : { ...options, version },
      );
      const reply = await spread(outlet, send, { hearingOf: hearingOfAppended, characters });
      const [epoch, offset] = reply as Appended;
      return epoch === "" ? undefined : { epoch, offset };
    },

    async announce(channel, announcement, { positioned = false } = {}) {
      requireOpen();
      const outlet = spaceOf(channel).outlet(channel.name);
      const { type } = announcement;
      const body = announcementBody(announcement);
      if (!positioned) {
        await spread(outlet, sending(outlet.place, type, body));
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
      const outlet = spaceOf(channel).outlet(channel.name);
      // What is published behind it stays.
      outlet.next();
      const { shard, listKey } = outlet.place;
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
