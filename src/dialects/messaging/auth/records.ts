/** Subscribers and keys as they are kept in an app's records: where, and in which form. */
import { z } from "zod";
import type { StoredRecord } from "../../../core/engine.ts";
import { HubError } from "../../../core/errors.ts";
import { RECORD_ATTEMPTS_MAX } from "../../../core/update-record.ts";

/** Below these, in an app's records. Ids of subscribers have no `/` (`SUBSCRIBER_ID`). */
const SUBSCRIBERS = "messaging/subscriber/";
const KEYS = "messaging/key/";

export const subscriberPrefix = SUBSCRIBERS;
export const subscriberAt = (id: string): string => SUBSCRIBERS + id;
/** A subscriber's keys by their ids; each holds its token's hash. */
export const keysPrefix = (subscriber: string): string => `${KEYS}${subscriber}/`;
export const keyAt = (subscriber: string, keyId: string): string => keysPrefix(subscriber) + keyId;
/** A key by its token's hash. */
export const tokenAt = (hash: string): string => `messaging/token/${hash}`;
/** A token of another's making that ended before its time, by its hash. */
export const deniedAt = (hash: string): string => `messaging/denied/${hash}`;

const subscriberRecord = z.object({
  active: z.boolean(),
  /** It stays as a mark, so that no token that is still out brings it back. */
  deleted: z.boolean(),
  /** JSON. */
  profile: z.string(),
  passwordHash: z.string().optional(),
  /** Counts the times that all of its tokens ended: a key of another one has ended. */
  generation: z.number(),
  /** When they did last, epoch milliseconds; 0: never. Of tokens that other servers made. */
  endedMs: z.number(),
  createdMs: z.number(),
  changedMs: z.number(),
});
export type SubscriberRecord = Readonly<z.output<typeof subscriberRecord>>;

const keyRecord = z.object({
  subscriber: z.string(),
  keyId: z.string(),
  name: z.string(),
  active: z.boolean(),
  generation: z.number(),
  /** Epoch milliseconds; null: it does not expire. */
  expiresMs: z.number().nullable(),
  createdMs: z.number(),
});
export type KeyRecord = Readonly<z.output<typeof keyRecord>>;

export const readSubscriber = ({ value }: StoredRecord): SubscriberRecord =>
  subscriberRecord.parse(JSON.parse(value));
export const readKey = ({ value }: StoredRecord): KeyRecord => keyRecord.parse(JSON.parse(value));

/** Milliseconds that a key's records are kept: it ends with its time. */
export function lifetimeOf({ expiresMs }: KeyRecord, nowMs: number): { readonly ttlMs?: number } {
  return expiresMs === null ? {} : { ttlMs: Math.max(1, expiresMs - nowMs) };
}

/** Tries a change of several records until no other one came first, which it says by undefined. Throws HubError `unavailable`. */
export async function repeated<Result>(
  attempt: () => Promise<Result | undefined>,
): Promise<Result> {
  for (let times = 0; times < RECORD_ATTEMPTS_MAX; times++) {
    const result = await attempt();
    if (result !== undefined) return result;
  }
  throw new HubError("unavailable", "Other callers change these records too often: try again");
}
