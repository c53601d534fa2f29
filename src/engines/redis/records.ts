/**
 * One app's small durable records. All of an app lie together, so that a list needs one server. What has expired is decided by
 * this node's clock; the server drops it some time later, and puts forget its key.
 */
import {
  requireFewChanges,
  type RecordChange,
  type Records,
  type StoredRecord,
} from "../../core/engine.ts";
import { steadyTime } from "../../core/deadline.ts";
import type { Clock } from "../../core/runtime.ts";
import { home } from "./keys.ts";
import { readScript } from "./script-file.ts";
import type { RedisScript, RedisServers } from "./client/contract.ts";
import { wholeMs } from "./context.ts";

/** How long records outlive their expiry on the server, milliseconds: more than the clocks of nodes differ. */
export const EXPIRED_KEPT_MS = 60_000;
/** Expired keys that one put forgets: more than it adds, and too few to be felt. */
export const FORGET_PER_PUT_MAX = 10;
/** Records that a list asks for at a time. */
export const LIST_PAGE_RECORDS = 500;

const source = readScript("records-change");
const RECORDS_CHANGE: RedisScript = { name: "records-change", source: `#!lua\n${source}` };
/** Allowed on a full server: it is the way to less. */
const RECORDS_DELETE: RedisScript = {
  name: "records-delete",
  source: `#!lua flags=allow-oom\n${source}`,
};

export interface RedisRecordsOptions {
  readonly app: string;
  /** What all keys begin with; without braces. */
  readonly prefix: string;
  readonly servers: RedisServers;
  readonly clock: Clock;
}

/** A record's hash: value, version and expiry, each null where there is none. */
type Fields = readonly [string | null, string | null, string | null];

export function createRedisRecords(options: RedisRecordsOptions): Records {
  const { app, prefix, servers } = options;
  const timeMs = steadyTime(options.clock);
  const { tag, base } = home(prefix, [app], "records");
  const shard = servers.shardOf(tag);
  const [index, expiry, version] = [`${base}:index`, `${base}:expiry`, `${base}:version`];
  const recordKey = (key: string) => `${base}:record:${key}`;

  async function get(key: string): Promise<StoredRecord | undefined> {
    const fields = await shard.call("HMGET", recordKey(key), "value", "version", "expires");
    const [value, number, expires] = fields as Fields;
    if (value === null || number === null) return undefined;
    if (expires !== null && Number(expires) <= timeMs()) return undefined;
    return { key, value, version: Number(number) };
  }

  async function change(changes: readonly RecordChange[]): Promise<readonly number[] | undefined> {
    requireFewChanges(changes);
    const nowMs = timeMs();
    const keys = [index, expiry, version, ...changes.map(({ key }) => recordKey(key))];
    const forget = [wholeMs(nowMs - EXPIRED_KEPT_MS), FORGET_PER_PUT_MAX];
    const args = [nowMs, ...forget, ...changes.flatMap((each) => changeArguments(each, nowMs))];
    const puts = changes.some((each) => "put" in each);
    const reply = await shard.run(puts ? RECORDS_CHANGE : RECORDS_DELETE, keys, args);
    return (reply as readonly (string | number)[] | null)?.map(Number);
  }

  return {
    get,

    put: async (key, value, options) => (await change([{ key, put: value, ...options }]))?.[0],

    delete: async (key, options) => (await change([{ key, delete: true, ...options }]))?.[0] === 1,

    change,

    async list(prefixWanted, { after, limit }) {
      const records: StoredRecord[] = [];
      // No UTF-8 text holds the byte 255: everything that begins with the prefix is below it.
      const end = Buffer.concat([Buffer.from(`(${prefixWanted}`), Buffer.of(255)]);
      let start = isBehind(after, prefixWanted) ? `(${after}` : `[${prefixWanted}`;
      for (;;) {
        const page = Math.min(limit - records.length, LIST_PAGE_RECORDS);
        const range = [start, end, "BYLEX", "LIMIT", 0, page];
        const keys = (await shard.call("ZRANGE", index, ...range)) as string[];
        // One pipeline. Some have expired, or have been deleted since.
        for (const record of await Promise.all(keys.map(get))) {
          if (record !== undefined) records.push(record);
        }
        if (keys.length < page || records.length >= limit) return records;
        start = `(${keys.at(-1)}`;
      }
    },
  };
}

/** Whether a list of the prefix begins behind `after`, by bytes. */
function isBehind(after: string | undefined, prefix: string): after is string {
  return after !== undefined && Buffer.compare(Buffer.from(after), Buffer.from(prefix)) >= 0;
}

/** Six for each change, as the script takes them. */
function changeArguments(change: RecordChange, nowMs: number): readonly (string | number)[] {
  const { key, ifVersion = "" } = change;
  if (!("put" in change)) {
    return [key, "delete" in change ? "delete" : "compare", ifVersion, "", "", ""];
  }
  const { put, ttlMs } = change;
  if (ttlMs === undefined) return [key, "put", ifVersion, put, "", ""];
  return [key, "put", ifVersion, put, wholeMs(nowMs + ttlMs), wholeMs(ttlMs) + EXPIRED_KEPT_MS];
}
