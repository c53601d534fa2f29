/** The keys of an app's subscribers, which are their opaque tokens (messaging.md §13.2, §13.3). */
import type { Records } from "../../../core/engine.ts";
import type { Clock } from "../../../core/runtime.ts";
import { updateRecord } from "../../../core/update-record.ts";
import { limitHit, type DialectMetrics } from "../../dialect.ts";
import { REMOVED_KEYS_PAGE } from "../limits.ts";
import { AuthError } from "./errors.ts";
import {
  keyAt,
  keysPrefix,
  lifetimeOf,
  readKey,
  repeated,
  subscriberAt,
  tokenAt,
  type KeyRecord,
} from "./records.ts";
import {
  unknownSubscriber,
  type Page,
  type PageQuery,
  type SubscriberStore,
} from "./subscriber-store.ts";
import { hashOf, newKeyId, newToken } from "./token.ts";

export interface NewKey {
  readonly name: string;
  /** Milliseconds from now; Infinity: it does not expire. */
  readonly lifetimeMs: number;
}

export interface FoundKey {
  readonly hash: string;
  readonly key: KeyRecord;
}

export interface KeyStore {
  /** The token is not kept, and shown this once. Throws AuthError `not_found`, `conflict` for a subscriber that is not active, `limit_reached`. */
  mint(
    subscriber: string,
    key: NewKey,
  ): Promise<{ readonly token: string; readonly key: KeyRecord }>;
  /** Undefined: the key does not exist, or its time is over. Callers check whether it is active. */
  byToken(hash: string): Promise<KeyRecord | undefined>;
  /** Throws AuthError `not_found`. */
  find(subscriber: string, keyId: string): Promise<FoundKey>;
  /** Throws AuthError `not_found`. */
  update(
    found: FoundKey,
    change: { readonly name?: string | undefined; readonly active?: boolean | undefined },
  ): Promise<KeyRecord>;
  delete(found: FoundKey): Promise<void>;
  /** In byte order of their ids; a page may be short. */
  list(subscriber: string, query: PageQuery): Promise<Page<KeyRecord>>;
  /** Removes the records of keys that ended with all others of their subscriber. */
  sweep(subscriber: string): Promise<void>;
}

export interface KeyStoreOptions {
  readonly records: Records;
  readonly clock: Clock;
  readonly subscribers: Pick<SubscriberStore, "read">;
  /** Of one subscriber. */
  readonly keysMax: number;
  readonly metrics: DialectMetrics;
}

export function createKeyStore({
  records,
  clock,
  subscribers,
  keysMax,
  metrics,
}: KeyStoreOptions): KeyStore {
  /** Undefined: somebody changed the subscriber meanwhile. */
  async function tryMint(subscriber: string, { name, lifetimeMs }: NewKey) {
    const known = await subscribers.read(subscriber);
    if (known === undefined || known.subscriber.deleted) throw unknownSubscriber();
    if (!known.subscriber.active) {
      throw new AuthError("conflict", "The subscriber is not active, so that it gets no tokens");
    }
    const kept = await records.list(keysPrefix(subscriber), { limit: keysMax });
    if (kept.length >= keysMax) {
      limitHit(metrics, "key_limit");
      throw new AuthError("limit_reached", `The subscriber has ${keysMax} keys: delete some first`);
    }
    const token = newToken();
    const nowMs = clock.epochMs();
    const key: KeyRecord = {
      subscriber,
      keyId: newKeyId(),
      name,
      active: true,
      generation: known.subscriber.generation,
      expiresMs: lifetimeMs === Infinity ? null : nowMs + lifetimeMs,
      createdMs: nowMs,
    };
    const hash = hashOf(token);
    const lifetime = lifetimeOf(key, nowMs);
    const changed = await records.change([
      { key: subscriberAt(subscriber), ifVersion: known.version },
      { key: tokenAt(hash), put: JSON.stringify(key), ifVersion: 0, ...lifetime },
      { key: keyAt(subscriber, key.keyId), put: hash, ifVersion: 0, ...lifetime },
    ]);
    return changed && { token, key };
  }

  async function byToken(hash: string): Promise<KeyRecord | undefined> {
    const record = await records.get(tokenAt(hash));
    const key = record && readKey(record);
    return key !== undefined && !isOver(key) ? key : undefined;
  }

  const isOver = ({ expiresMs }: KeyRecord): boolean =>
    expiresMs !== null && expiresMs <= clock.epochMs();

  const generationOf = async (subscriber: string): Promise<number | undefined> =>
    (await subscribers.read(subscriber))?.subscriber.generation;

  const remove = (subscriber: string, keyId: string, hash: string) =>
    [
      { key: tokenAt(hash), delete: true },
      { key: keyAt(subscriber, keyId), delete: true },
    ] as const;

  async function pageOf(subscriber: string, { limit, after }: PageQuery) {
    const prefix = keysPrefix(subscriber);
    const found = await records.list(prefix, {
      limit: limit + 1,
      ...(after === undefined ? {} : { after: prefix + after }),
    });
    const page = found.slice(0, limit).map(({ key, value: hash }) => {
      return { keyId: key.slice(prefix.length), hash };
    });
    const last = page.at(-1);
    return { page, ...(found.length > limit && last !== undefined ? { next: last.keyId } : {}) };
  }

  return {
    byToken,
    mint: (subscriber, key) => repeated(() => tryMint(subscriber, key)),
    async find(subscriber, keyId) {
      const index = await records.get(keyAt(subscriber, keyId));
      const key = index && (await byToken(index.value));
      if (index === undefined || key === undefined) throw unknownKey();
      if (key.generation !== (await generationOf(subscriber))) throw unknownKey();
      return { hash: index.value, key };
    },
    update: ({ hash }, change) =>
      updateRecord(records, tokenAt(hash), (record) => {
        const key = record && readKey(record);
        if (key === undefined || isOver(key)) throw unknownKey();
        const { name = key.name, active = key.active } = change;
        const changed = { ...key, name, active };
        const lifetime = lifetimeOf(changed, clock.epochMs());
        return { put: JSON.stringify(changed), ...lifetime, result: changed };
      }),
    async delete({ hash, key: { subscriber, keyId } }) {
      await records.change(remove(subscriber, keyId, hash));
    },
    async list(subscriber, query) {
      const { page, ...rest } = await pageOf(subscriber, query);
      const generation = await generationOf(subscriber);
      const keys = await Promise.all(page.map(({ hash }) => byToken(hash)));
      const items = keys.flatMap((key) =>
        key !== undefined && key.generation === generation ? [key] : [],
      );
      return { items, ...rest };
    },
    async sweep(subscriber) {
      const generation = (await generationOf(subscriber)) ?? 0;
      let after: string | undefined;
      do {
        const { page, next } = await pageOf(subscriber, { limit: REMOVED_KEYS_PAGE, after });
        const keys = await Promise.all(page.map(({ hash }) => byToken(hash)));
        // Those made meanwhile are of a later one.
        const ended = page.filter((_, index) => (keys[index]?.generation ?? -1) < generation);
        if (ended.length > 0) {
          await records.change(ended.flatMap(({ keyId, hash }) => remove(subscriber, keyId, hash)));
        }
        after = next;
      } while (after !== undefined);
    },
  };
}

const unknownKey = () => new AuthError("not_found", "The subscriber has no such key");
