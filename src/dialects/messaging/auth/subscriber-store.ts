/** The subscribers of one app in its records (messaging.md §13.4). Callers end the connections that a change concerns. */
import type { Records } from "../../../core/engine.ts";
import type { Clock } from "../../../core/runtime.ts";
import { updateRecord } from "../../../core/update-record.ts";
import type { Subscribers } from "./contract.ts";
import { AuthError } from "./errors.ts";
import {
  readSubscriber,
  repeated,
  subscriberAt,
  subscriberPrefix,
  type SubscriberRecord,
} from "./records.ts";

export interface NewSubscriber {
  readonly id: string;
  readonly active: boolean;
  /** JSON. */
  readonly profile: string;
  readonly passwordHash?: string;
}

export interface FoundSubscriber {
  readonly id: string;
  readonly subscriber: SubscriberRecord;
}

export interface Page<Item> {
  readonly items: readonly Item[];
  /** Cursor of the next page. Absent: this was the last one. */
  readonly next?: string;
}

export interface PageQuery {
  readonly limit: number;
  readonly after?: string | undefined;
}

type Change = (subscriber: SubscriberRecord) => Partial<SubscriberRecord>;

export interface SubscriberStore extends Subscribers {
  /** Deleted ones as well: their marks. */
  read(
    id: string,
  ): Promise<{ readonly subscriber: SubscriberRecord; readonly version: number } | undefined>;
  /** All or none. Throws AuthError `conflict` when one is there; one that was deleted is made anew. */
  create(all: readonly NewSubscriber[]): Promise<readonly FoundSubscriber[]>;
  /** Makes the one that a signed token names for the first time. */
  ensure(id: string): Promise<void>;
  /** Throws AuthError `not_found`, and errors of `change`, which may be called again. */
  update(id: string, change: Change): Promise<SubscriberRecord>;
  /** Ends every token that it has, in the same step as `change`. */
  endTokens(id: string, change?: Change): Promise<SubscriberRecord>;
  /** In byte order of their ids. Deleted ones are left out, so that a page may be short. */
  list(query: PageQuery): Promise<Page<FoundSubscriber>>;
}

export function createSubscriberStore({
  records,
  clock,
}: {
  readonly records: Records;
  readonly clock: Clock;
}): SubscriberStore {
  const made = ({ active, profile, passwordHash }: NewSubscriber, former?: SubscriberRecord) => {
    const nowMs = clock.epochMs();
    const subscriber: SubscriberRecord = {
      active,
      deleted: false,
      profile,
      ...(passwordHash === undefined ? {} : { passwordHash }),
      // Ended tokens stay ended.
      generation: former?.generation ?? 0,
      endedMs: former?.endedMs ?? 0,
      createdMs: nowMs,
      changedMs: nowMs,
    };
    return subscriber;
  };

  async function read(id: string) {
    const record = await records.get(subscriberAt(id));
    return record && { subscriber: readSubscriber(record), version: record.version };
  }

  const update = (id: string, change: Change): Promise<SubscriberRecord> =>
    updateRecord(records, subscriberAt(id), (record) => {
      const subscriber = record && readSubscriber(record);
      if (subscriber === undefined || subscriber.deleted) throw unknownSubscriber();
      const changed = { ...subscriber, ...change(subscriber), changedMs: clock.epochMs() };
      return { put: JSON.stringify(changed), result: changed };
    });

  async function tryCreate(all: readonly NewSubscriber[]) {
    const found: FoundSubscriber[] = [];
    const changes = [];
    for (const one of all) {
      const known = await read(one.id);
      if (known !== undefined && !known.subscriber.deleted) {
        throw new AuthError("conflict", "A subscriber with this msisdn is there", {
          field: "msisdn",
        });
      }
      const subscriber = made(one, known?.subscriber);
      found.push({ id: one.id, subscriber });
      changes.push({
        key: subscriberAt(one.id),
        put: JSON.stringify(subscriber),
        ifVersion: known?.version ?? 0,
      });
    }
    return (await records.change(changes)) && found;
  }

  return {
    read,
    update,
    async find(id) {
      const { subscriber } = (await read(id)) ?? {};
      return subscriber === undefined || subscriber.deleted
        ? undefined
        : { active: subscriber.active };
    },
    create: (all) => repeated(() => tryCreate(all)),
    async ensure(id) {
      const subscriber = made({ id, active: true, profile: "{}" });
      await records.put(subscriberAt(id), JSON.stringify(subscriber), { ifVersion: 0 });
    },
    endTokens: (id, change = () => ({})) =>
      update(id, (subscriber) => ({
        ...change(subscriber),
        generation: subscriber.generation + 1,
        endedMs: clock.epochMs(),
      })),
    async list({ limit, after }) {
      const found = await records.list(subscriberPrefix, {
        limit: limit + 1,
        ...(after === undefined ? {} : { after: subscriberAt(after) }),
      });
      const page = found.slice(0, limit).map((record) => ({
        id: record.key.slice(subscriberPrefix.length),
        subscriber: readSubscriber(record),
      }));
      const last = page.at(-1);
      return {
        items: page.filter(({ subscriber }) => !subscriber.deleted),
        ...(found.length > limit && last !== undefined ? { next: last.id } : {}),
      };
    },
  };
}

export const unknownSubscriber = () =>
  new AuthError("not_found", "The domain has no such subscriber");
