/** Pushes to channels: one, those that a pattern finds, and many in one request (§6.2 to §6.4). */
import { ChannelPatterns } from "../../../core/channel-pattern.ts";
import { HubError } from "../../../core/errors.ts";
import { listItems } from "../../../core/json-list.ts";
import { jsonOf, jsonView, type CompactJson, type JsonView } from "../../../core/json-text.ts";
import { isReachable } from "../../../core/namespaces.ts";
import { publishInOrder } from "../../../core/publishing.ts";
import { Slices } from "../../../core/slices.ts";
import { CHANNELS, type NewPublication, type Reach } from "../../../core/types.ts";
import { limitHit } from "../../dialect.ts";
import type { ApiAnswer } from "../../../transports/api-call.ts";
import type { GusherContext } from "../context.ts";
import { jsonOfField } from "../fields.ts";
import { fieldsOf, json, LimitError, MasterError, orFail, type MasterCall } from "./call.ts";

/** Items of one batch: bounds what one request sets off. */
export const BATCH_ITEMS_MAX = 10_000;

/** An item of more is judged in a turn of its own: a millisecond for each 250,000. */
export const LONG_ITEM_CHARACTERS = 262_144;

/** §6.2. */
export async function pushToChannel(call: MasterCall): Promise<ApiAnswer> {
  const { channel = "", event = "" } = call.params;
  const { data } = await fieldsOf(call, "data");
  if (data === "") throw new MasterError("empty data");
  const item = { channel, event, data: jsonOfField(data) };
  const push = (context: GusherContext) =>
    publish(context, admit(context, channel, call.reach) ? [item] : [], 1);
  await orFail(call, "data error", push, undefined);
  return json(
    `{"channel":${JSON.stringify(channel)},"event":${JSON.stringify(event)},"data":${item.data}}`,
  );
}

/** §6.3, its checks in their order. A word without special characters matches the names that contain it. */
export async function pushToPattern(call: MasterCall): Promise<ApiAnswer> {
  const fields = await fieldsOf(call, "channel_pattern", "event", "data");
  const { channel_pattern: pattern, event, data } = fields;
  if (pattern === "" || event === "") throw new MasterError("empty param");
  // The hub compiles it as well, so only where the hub is not asked.
  if (data === "" || call.context === undefined) await checkPattern(pattern, call);
  if (data === "") throw new MasterError("empty data");
  const publication = publicationOf(event, jsonOfField(data));
  const filter = { pattern, reach: call.reach };
  const total = await orFail(
    call,
    "get channel error",
    ({ hub }) => hub.publishMatching(filter, publication).catch(patternError),
    0,
  );
  return json(`{"total":${total},"pattern":${JSON.stringify(pattern)}}`);
}

/** §6.4. */
export async function pushBatch(call: MasterCall): Promise<ApiAnswer> {
  const { batch_data: text } = await fieldsOf(call, "batch_data");
  if (text === "") throw new MasterError("empty batch data");
  const items = await itemsOf(text, call);
  const push = async (context: GusherContext) => {
    const reached: Item[] = [];
    await new Slices(call.runtime).each(items, (item) => {
      if (admit(context, item.channel, call.reach)) reached.push(item);
    });
    await publish(context, reached, items.length);
  };
  await orFail(call, "data error", push, undefined);
  return json(`{"total":${items.length},"cap":${Buffer.byteLength(text)}}`);
}

interface Item {
  readonly channel: string;
  readonly event: string;
  readonly data: CompactJson;
}

/** What a channel takes; throws MasterError otherwise. False: the caller does not reach it, and to gusher nobody is there. */
function admit({ hub, channelBytesMax, metrics }: GusherContext, channel: string, reach: Reach) {
  // Stores and topics would take two such names for one.
  if (!channel.isWellFormed()) throw new MasterError("data error");
  // Nobody can be subscribed to such a name, and what is kept for it would be kept for nobody.
  if (Buffer.byteLength(channel) > channelBytesMax) {
    limitHit(metrics, "channel.max_length");
    throw new MasterError("data error");
  }
  return isReachable(hub.namespaces, channel, reach);
}

/** In order: all of them pass the engine as one stream. Items that a channel does not take are left out, and those that are not reached. */
async function publish({ hub, onEvent }: GusherContext, reached: readonly Item[], total: number) {
  if (reached.length < total) {
    const detail = "Channels of other dialects need an API key with their scope";
    const channels = total - reached.length;
    onEvent("Push left out", { word: "scope_missing", channels, detail });
  }
  await publishInOrder(
    reached,
    ({ channel: name, event, data }) =>
      hub.publish({ space: CHANNELS, name }, publicationOf(event, data)),
    ({ data }) => data.length,
  );
}

function publicationOf(event: string, data: CompactJson): NewPublication {
  return { data: { json: data }, tags: { event } };
}

async function checkPattern(
  pattern: string,
  { runtime }: Pick<MasterCall, "runtime">,
): Promise<void> {
  try {
    await new ChannelPatterns(runtime).compile(pattern);
  } catch (error) {
    patternError(error);
  }
}

function patternError(error: unknown): never {
  if (!(error instanceof HubError) || error.code !== "bad_request") throw error;
  throw new MasterError("channel_pattern cant regex", { cause: error });
}

/** A text of `null` alone is a list without items (§6.4). */
const NOTHING = /^[ \t\n\r]{0,100}null[ \t\n\r]{0,100}$/;

/** Found and judged one by one, in slices: a batch is as large as the original's, and one item as a call's whole body elsewhere. */
async function itemsOf(
  text: string,
  { runtime, bodyBytesMax }: Pick<MasterCall, "runtime" | "bodyBytesMax">,
): Promise<readonly Item[]> {
  const items: Item[] = [];
  if (NOTHING.test(text)) return items;
  try {
    const slices = new Slices(runtime);
    for (const item of listItems(text, bodyBytesMax)) {
      if ((item?.length ?? 0) > LONG_ITEM_CHARACTERS) slices.end();
      if (slices.isOver) await slices.turn();
      if (item === undefined) continue;
      if (items.length === BATCH_ITEMS_MAX) throw new MasterError("data error");
      items.push(itemOf(jsonView(item)));
    }
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    if (error.code === "limit_exceeded") throw new LimitError("item", "body_size_limit");
    throw new MasterError("data error", { cause: error });
  }
  return items;
}

/**
 * `null` is an item without members; a missing text is empty, missing data `null`. Names count in any case, of several the
 * last one, and a text of `null` changes nothing: as Go reads members into a struct.
 */
function itemOf(item: JsonView): Item {
  if (item.kind !== "object" && item.kind !== "null") throw new MasterError("data error");
  const read = { channel: "", event: "", data: jsonOf(null) };
  for (const [name, member] of item.entries()) {
    const folded = name.toLowerCase();
    if (folded === "data") read.data = member.json;
    else if ((folded === "channel" || folded === "event") && member.kind !== "null") {
      if (member.kind !== "string") throw new MasterError("data error");
      read[folded] = String(member.value);
    }
  }
  return read;
}
