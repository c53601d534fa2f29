/** Channels with who is in them, and one channel's presence and history. */
import { z } from "zod";
import type { HistoryPage } from "../../core/engine.ts";
import type { Hub } from "../../core/hub.ts";
import { jsonOf } from "../../core/json-text.ts";
import { FirstRows, type Occupancy, type Page } from "../../core/pages.ts";
import { jsonOfPayload } from "../../core/payload.ts";
import { Slices } from "../../core/slices.ts";
import {
  CHANNELS,
  type Channel,
  type ClientInfo,
  type Payload,
  type Publication,
  type StreamPosition,
} from "../../core/types.ts";
import {
  adminOperation,
  badCursor,
  cursorOf,
  isoTime,
  JsonText,
  pageAnswer,
  pageQueryOf,
  pageRequest,
  pageViewOf,
  placeOf,
  type AdminOperation,
} from "../../dialects/admin-operation.ts";
import { appOf, type AdminContext } from "./context.ts";

/** Publications that a page of a history shows, and characters of their data beyond which the page ends. */
export const HISTORY_ROWS_MAX = 50;
export const HISTORY_CHARACTERS_MAX = 1_048_576;
/** Publications that are read in one turn of the event loop: they may be large. */
const HISTORY_PIECE_ROWS = 4;

const count = z.int().min(0);
export const occupancyAnswer = z.record(z.string(), count).describe("Connections by dialect.");
export const spaceParameter = z
  .string()
  .default(CHANNELS)
  .describe(
    "`channels` for those that clients name; dialects keep others in spaces of their own, such as `tasks`.",
  );
export const channelName = z.string().min(1, "must not be empty");

const channelAnswer = z
  .strictObject({
    channel: z.string(),
    connections: count.describe("On all nodes."),
    by_dialect: occupancyAnswer,
  })
  .meta({ title: "admin_channel" });

const client = {
  connection: z.string(),
  user: z.string().describe("Empty: anonymous."),
  info: z.unknown().optional(),
};
const clientAnswer = z
  .strictObject({ ...client, channel_info: z.unknown().optional() })
  .meta({ title: "admin_client" });

const publicationAnswer = z
  .strictObject({
    ...{ offset: count, at: z.iso.datetime() },
    data: z.unknown().describe("As it was published; bytes that are no JSON as base64."),
    tags: z.record(z.string(), z.string()).optional(),
    publisher: clientAnswer.optional(),
  })
  .meta({ title: "admin_publication" });

export function channelOperations(context: AdminContext): readonly AdminOperation[] {
  return [
    adminOperation({
      method: "GET",
      path: "channels",
      summary: "Channels with a subscribed connection, in the order of their names",
      request: z.strictObject({
        prefix: z.string().optional().describe("What the name begins with."),
        pattern: z
          .string()
          .optional()
          .describe("An RE2 expression that is found anywhere in the name."),
        ...{ space: spaceParameter, ...pageRequest },
      }),
      answer: pageAnswer(channelAnswer),
      async run(call) {
        const { prefix, pattern, space, ...page } = call.request;
        const found = await appOf(context, call).hub.channelPage({
          ...pageQueryOf(page),
          space,
          ...(prefix === undefined ? {} : { prefix }),
          ...(pattern === undefined ? {} : { pattern }),
        });
        return pageViewOf(found, ({ name, connections }) => {
          return { channel: name, connections: total(connections), by_dialect: connections };
        });
      },
    }),
    adminOperation({
      method: "GET",
      path: "channels/presence",
      summary: "Who is in a channel that keeps presence, in the order of the connections' ids",
      request: z.strictObject({ channel: channelName, ...pageRequest }),
      answer: pageAnswer(clientAnswer).extend({ clients: count, users: count }),
      async run(call) {
        const { channel, ...page } = call.request;
        const query = pageQueryOf(page);
        const { hub } = appOf(context, call);
        const named: Channel = { space: CHANNELS, name: channel };
        const [clients, stats] = await Promise.all([hub.presence(named), hub.presenceStats(named)]);
        const first = new FirstRows<ClientInfo>(
          { ...query, limit: query.limit + 1 },
          ({ connectionId }) => connectionId,
        );
        await new Slices(context.runtime).each(clients, (info) => {
          if (first.wants(info.connectionId)) first.add(info);
        });
        const rows = first.take();
        const shown = rows.slice(0, query.limit);
        const next = rows.length > query.limit ? shown.at(-1)?.connectionId : undefined;
        return pageText({
          rows: shown.map(clientText),
          members: { ...stats, ...(next === undefined ? {} : { next: cursorOf(next) }) },
        });
      },
    }),
    adminOperation({
      method: "GET",
      path: "channels/history",
      summary: "A channel's publications that are kept, newest first",
      request: z.strictObject({
        ...{ channel: channelName, space: spaceParameter },
        limit: pageRequest.limit.unwrap().max(HISTORY_ROWS_MAX).default(HISTORY_ROWS_MAX),
        cursor: pageRequest.cursor,
      }),
      answer: pageAnswer(publicationAnswer).extend({
        epoch: z.string(),
        offset: count.describe("The stream's newest."),
      }),
      async run(call) {
        const { channel, space, limit, cursor } = call.request;
        const { rows, next, position } = await historyPage(
          appOf(context, call).hub,
          { space, name: channel },
          { limit, ...(cursor === undefined ? {} : { since: positionOf(cursor) }) },
        );
        return pageText({
          rows,
          members: { ...position, ...(next === undefined ? {} : { next: cursorOf(next) }) },
        });
      },
    }),
  ];
}

export function total(occupancy: Occupancy): number {
  return Object.values(occupancy).reduce((sum, each) => sum + each, 0);
}

/** As JSON text, since what is published stays as it was. */
function pageText({
  rows,
  members,
}: {
  readonly rows: readonly string[];
  readonly members: Readonly<Record<string, unknown>>;
}): JsonText {
  return new JsonText(`{"data":[${rows.join(",")}],${JSON.stringify(members).slice(1)}`);
}

function clientText({ connectionId, userId, info, channelInfo }: ClientInfo): string {
  const members = [
    `"connection":${JSON.stringify(connectionId)}`,
    `"user":${JSON.stringify(userId)}`,
    ...(info === undefined ? [] : [`"info":${payloadText(info)}`]),
    ...(channelInfo === undefined ? [] : [`"channel_info":${payloadText(channelInfo)}`]),
  ];
  return `{${members.join(",")}}`;
}

function publicationText({ position, timeMs, data, tags, publisher }: Publication): string {
  const members = [
    `"offset":${position?.offset ?? 0}`,
    `"at":${JSON.stringify(isoTime(timeMs))}`,
    `"data":${payloadText(data)}`,
    ...(tags === undefined ? [] : [`"tags":${JSON.stringify(tags)}`]),
    ...(publisher === undefined ? [] : [`"publisher":${clientText(publisher)}`]),
  ];
  return `{${members.join(",")}}`;
}

function payloadText(payload: Payload): string {
  return jsonOfPayload(payload) ?? ("bytes" in payload ? jsonOf(payload.bytes.toBase64()) : "null");
}

/** Piece by piece, since large publications take long to read. At least one row, however large, so that each page leads on. */
async function historyPage(
  hub: Pick<Hub, "history">,
  channel: Channel,
  { limit, since }: { readonly limit: number; readonly since?: StreamPosition },
): Promise<Page<string> & Pick<HistoryPage, "position">> {
  const rows: string[] = [];
  let characters = 0;
  let last = since;
  let newest: StreamPosition | undefined;
  for (;;) {
    const piece = { limit: HISTORY_PIECE_ROWS, reverse: true, revised: true };
    const { publications, position } = await hub.history(
      channel,
      last === undefined ? piece : { ...piece, since: last },
    );
    newest ??= position;
    for (const publication of publications) {
      const row = publicationText(publication);
      characters += row.length;
      const full =
        rows.length === limit || (rows.length > 0 && characters > HISTORY_CHARACTERS_MAX);
      if (full) return { rows, position: newest, next: `${last?.offset ?? 0}/${position.epoch}` };
      rows.push(row);
      last = { epoch: position.epoch, offset: publication.position?.offset ?? 0 };
    }
    if (publications.length < HISTORY_PIECE_ROWS) return { rows, position: newest };
  }
}

function positionOf(cursor: string) {
  const [, offset, epoch = ""] = /^(\d{1,15})\/(.+)$/.exec(placeOf(cursor)) ?? [];
  if (offset === undefined) throw badCursor();
  return { epoch, offset: Number(offset) };
}
