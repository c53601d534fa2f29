/** Pages of what is kept newest first (webhooks.md §5.5). An iterator says where its page begins and where those before it did. */
import type { Records, StoredRecord } from "../core/engine.ts";
import {
  WebhookError,
  type WebhookPage,
  type WebhookPageQuery,
  type WebhookWindow,
} from "./contract.ts";
import { orderFrom, orderMs } from "./keys.ts";

/** Records read for one page: with a filter that few of them pass, a page ends here with what was found. */
const SCAN_RECORDS_MAX = 5_000;
const READ_RECORDS = 250;
/** Of the earlier pages in an iterator: what is further back is forgotten, and the first page stands for it. */
const BACK_CHARACTERS_MAX = 1_000;
/** Begins every iterator, so that none is empty. */
const MARK = "page";
/** Longer ones are none of ours, nor is their content looked at. */
const ITERATOR_CHARACTERS_MAX = 4_096;

interface Place {
  /** What the page comes behind; `""`: nothing. */
  readonly after: string;
  /** The same of the pages before it, the nearest last. */
  readonly back: readonly string[];
}

export interface ListQuery extends WebhookPageQuery {
  readonly prefix: string;
  /** By the moment that begins what follows the prefix. */
  readonly window?: WebhookWindow;
}

/** `pick` makes the row, or leaves the record out. */
export async function listPage<Row>(
  records: Records,
  { prefix, window, limit, iterator }: ListQuery,
  pick: (record: StoredRecord) => Row | undefined,
): Promise<WebhookPage<Row>> {
  const place = placeOf(iterator);
  const rows: Row[] = [];
  let after = later(place.after, window?.untilMs === undefined ? "" : orderFrom(window.untilMs));
  for (let scanned = 0; ;) {
    const found = await records.list(prefix, { after: prefix + after, limit: READ_RECORDS });
    for (const record of found) {
      const suffix = record.key.slice(prefix.length);
      if (isBefore(suffix, window?.sinceMs)) return pageOf(rows, place, undefined);
      if (rows.length === limit || scanned === SCAN_RECORDS_MAX) return pageOf(rows, place, after);
      after = suffix;
      scanned += 1;
      const row = pick(record);
      if (row !== undefined) rows.push(row);
    }
    if (found.length < READ_RECORDS) return pageOf(rows, place, undefined);
  }
}

/** A page of what was read as a whole, in the order of `order`. */
export function arrayPage<Row>(
  all: readonly { readonly order: string; readonly row: Row }[],
  { limit, iterator }: WebhookPageQuery,
): WebhookPage<Row> {
  const place = placeOf(iterator);
  const sorted = all.toSorted((a, b) => (a.order < b.order ? -1 : 1));
  const rest = sorted.filter(({ order }) => order > place.after);
  const page = rest.slice(0, limit);
  const next = rest.length > limit ? page.at(-1)?.order : undefined;
  return pageOf(
    page.map(({ row }) => row),
    place,
    next,
  );
}

function pageOf<Row>(data: readonly Row[], place: Place, next: string | undefined) {
  const { after, back } = place;
  const before = back.at(-1);
  return {
    data,
    iterator: next === undefined ? null : iteratorOf({ after: next, back: [...back, after] }),
    prevIterator:
      before === undefined && after === ""
        ? null
        : iteratorOf({ after: before ?? "", back: back.slice(0, -1) }),
    done: next === undefined,
  };
}

function isBefore(suffix: string, sinceMs: number | undefined): boolean {
  return sinceMs !== undefined && orderMs(suffix) < sinceMs;
}

function later(one: string, other: string): string {
  return one > other ? one : other;
}

function iteratorOf({ after, back }: Place): string {
  const kept: string[] = [];
  let characters = 0;
  for (const place of back.toReversed()) {
    characters += place.length;
    if (characters > BACK_CHARACTERS_MAX) break;
    kept.unshift(place);
  }
  return Buffer.from([MARK, after, ...kept].join(",")).toString("base64url");
}

function placeOf(iterator: string | undefined): Place {
  if (iterator === undefined) return { after: "", back: [] };
  const bytes = Buffer.from(iterator, "base64url");
  const text = bytes.toString("latin1");
  const ours = /^[\w/,]*$/.test(text) && bytes.toString("base64url") === iterator;
  const [mark, after = "", ...back] = text.split(",");
  if (mark === MARK && ours && iterator.length <= ITERATOR_CHARACTERS_MAX) return { after, back };
  throw new WebhookError(
    "invalid_request",
    "The iterator does not belong to this list: begin without one.",
  );
}
