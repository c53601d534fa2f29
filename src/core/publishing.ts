/** Publishing: what a channel takes, what is kept of it, and many channels at once. */
import type { Claims } from "./claims.ts";
import type { Broker, HistoryLimits, PublishOptions } from "./engine.ts";
import { HubError } from "./errors.ts";
import type { ChannelFilter, Hub, HubPublishOptions } from "./hub.ts";
import {
  LOSSY_HISTORY_SIZE_MIN,
  PUBLICATIONS_WAITING_CHARACTERS_MAX,
  PUBLICATIONS_WAITING_MAX,
  PUBLISH_SLICE_CHARACTERS,
  PUBLISH_SLICE_PUBLICATIONS,
} from "./limits.ts";
import { requireUnicode } from "./names.ts";
import type { ChannelOptions } from "./namespaces.ts";
import { jsonOfPayload } from "./payload.ts";
import {
  CHANNELS,
  type Channel,
  type NewPublication,
  type Payload,
  type StreamPosition,
} from "./types.ts";

export interface PublishingOptions {
  readonly broker: Broker;
  readonly claims: Claims;
  /** Undefined outside the namespaces: any JSON, kept as the publication says. */
  readonly optionsFor: (channel: Channel) => ChannelOptions | undefined;
  readonly channels: (filter: ChannelFilter) => Promise<ReadonlyMap<string, number>>;
  /** This app's turn among those that publish. */
  readonly inTurn: InTurn;
}

export type InTurn = <Result>(channel: Channel, publish: () => Promise<Result>) => Promise<Result>;

const UNKEPT: PublishOptions = {};

export function createPublishing({
  broker,
  claims,
  optionsFor,
  channels,
  inTurn,
}: PublishingOptions): Pick<Hub, "publish" | "publishMatching"> {
  const waiting = new Waiting();

  async function publish(
    channel: Channel,
    publication: NewPublication,
    options: HubPublishOptions = {},
  ): Promise<StreamPosition | undefined> {
    const { idempotencyKey, versionEpoch, pastClaims } = options;
    if (idempotencyKey !== undefined) requireUnicode(idempotencyKey, "idempotency key");
    if (versionEpoch !== undefined) requireUnicode(versionEpoch, "version's epoch");
    const claim = pastClaims === true ? undefined : claims.on(channel)?.claim;
    const taken = claim && (await claim(channel.name, publication, options));
    if (taken !== undefined) return taken.position;
    const kept = optionsOf(channel, publication, options);
    const characters = waiting.enter(publication.data);
    try {
      return await inTurn(channel, () => broker.publish(channel, publication, kept));
    } finally {
      waiting.leave(characters);
    }
  }

  /** What holds for the publication. Throws `bad_request` for one that the channel does not take. */
  function optionsOf(
    channel: Channel,
    { data }: NewPublication,
    options: HubPublishOptions,
  ): PublishOptions {
    const { idempotencyKey, versionEpoch, skipHistory, history: asked } = options;
    const rules = optionsFor(channel);
    requireFormat(data, rules?.publicationDataFormat ?? "json");
    const limits = rules === undefined ? fillable(asked) : rules.history;
    const history = skipHistory === true ? undefined : limits;
    const kept = history === undefined ? UNKEPT : { history };
    if (idempotencyKey === undefined && versionEpoch === undefined) return kept;
    return {
      ...kept,
      ...(idempotencyKey === undefined ? {} : { idempotencyKey }),
      ...(versionEpoch === undefined ? {} : { versionEpoch }),
    };
  }

  /** What a dialect of a space of its own wants kept may be too little to fill a node's gaps from. */
  function fillable(limits: HistoryLimits | undefined): HistoryLimits | undefined {
    if (limits === undefined || broker.lossless) return limits;
    return { ...limits, size: Math.max(limits.size, LOSSY_HISTORY_SIZE_MIN) };
  }

  async function publishMatching(
    filter: ChannelFilter,
    publication: NewPublication,
    hearsIn: readonly string[] = [],
  ): Promise<number> {
    const { space = CHANNELS } = filter;
    const spaces = [space, ...hearsIn];
    const found = await Promise.all(spaces.map((each) => channels({ ...filter, space: each })));
    return publishInOrder(namesOf(found), (name) => publish({ space, name }, publication));
  }

  return { publish, publishMatching };
}

/** Each once, and none before it is asked for: they may be all there are. */
function* namesOf(found: readonly ReadonlyMap<string, number>[]): Iterable<string> {
  for (const [at, counts] of found.entries()) {
    const before = found.slice(0, at);
    for (const name of counts.keys()) {
      if (!before.some((earlier) => earlier.has(name))) yield name;
    }
  }
}

/** Publications that are handed to the engine and not answered. */
class Waiting {
  #publications = 0;
  #characters = 0;

  /** How many characters wait from here on. Throws HubError `unavailable` beyond the bounds. */
  enter(data: Payload): number {
    const characters = "json" in data ? data.json.length : data.bytes.length;
    const full =
      this.#publications >= PUBLICATIONS_WAITING_MAX ||
      (this.#publications > 0 &&
        this.#characters + characters > PUBLICATIONS_WAITING_CHARACTERS_MAX);
    if (full) throw new HubError("unavailable", "Too many publications wait to be delivered");
    this.#publications += 1;
    this.#characters += characters;
    return characters;
  }

  leave(characters: number): void {
    this.#publications -= 1;
    this.#characters -= characters;
  }
}

/**
 * Publishes each item in order, a slice of them at a time, so that many do not hold the event loop. An item that its
 * channel does not take (`bad_request`) is left out. `charactersOf` its data, where items differ much. Throws what else failed, once its slice is done.
 * How many items there were, those that were left out included.
 */
export async function publishInOrder<Item>(
  items: Iterable<Item>,
  publish: (item: Item) => Promise<unknown>,
  charactersOf: (item: Item) => number = () => 0,
): Promise<number> {
  let count = 0;
  let slice: Item[] = [];
  let characters = 0;
  for (const item of items) {
    count++;
    slice.push(item);
    characters += charactersOf(item);
    if (slice.length < PUBLISH_SLICE_PUBLICATIONS && characters < PUBLISH_SLICE_CHARACTERS)
      continue;
    await publishSlice(slice, publish);
    slice = [];
    characters = 0;
  }
  await publishSlice(slice, publish);
  return count;
}

async function publishSlice<Item>(
  slice: readonly Item[],
  publish: (item: Item) => Promise<unknown>,
): Promise<void> {
  const failed = (await Promise.allSettled(slice.map(publish))).find(
    (result): result is PromiseRejectedResult =>
      result.status === "rejected" && !isRefusal(result.reason),
  );
  if (failed !== undefined) throw failed.reason;
}

function isRefusal(error: unknown): boolean {
  return error instanceof HubError && error.code === "bad_request";
}

/** Bytes go on as they are: whoever splices them into JSON compacts them. */
function requireFormat(data: Payload, format: ChannelOptions["publicationDataFormat"]): void {
  if (format === "binary") return;
  if ("bytes" in data && data.bytes.length === 0) {
    throw new HubError("bad_request", "A publication needs data");
  }
  if (format === "") return;
  const json = jsonOfPayload(data);
  if (json === undefined) throw new HubError("bad_request", "The data is not JSON in UTF-8");
  if (format === "json_object" && !json.startsWith("{")) {
    throw new HubError("bad_request", "The channel takes JSON objects only");
  }
}
