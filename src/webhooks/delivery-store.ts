/**
 * Deliveries as they are kept. One that was never attempted nor queued again has no record: the message's list of endpoints tells
 * of it. That one was cancelled is told by its endpoint, which is gone or says up to when it cancelled.
 */
import type { StoredRecord } from "../core/engine.ts";
import type { WebhookDeliveryStatus } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import type { StoredEndpoint } from "./endpoint-store.ts";
import { deliveriesKey } from "./keys.ts";
import type { FoundMessage, StoredMessage } from "./message-store.ts";

export interface StoredDelivery {
  readonly state: "pending" | "succeeded" | "failed";
  /** Requests made, by whatever trigger. */
  readonly attempts: number;
  /** Those of the present run through the schedule. */
  readonly run: number;
  /** Of them, the ones that ended with a blocked address. */
  readonly blocked: number;
  /** The moment of its last being put into the queue. */
  readonly queuedOrder: string;
  /** Of a pending one. */
  readonly nextAttemptAtMs: number;
  /** The last scheduled attempt: when its job was due, and how long after it the next one is to be made. */
  readonly last?: { readonly dueMs: number; readonly waitMs: number };
  /** The orders of its attempts among the endpoint's, the newest last; the last `ATTEMPTS_LISTED_MAX`. */
  readonly attemptOrders: readonly string[];
  /** It was told that it keeps failing. */
  readonly toldFailing?: true;
}

/** Manual replays have no end of their own. */
export const ATTEMPTS_LISTED_MAX = 250;
/** Endpoints of one message, deleted ones included. */
const LIST_RECORDS = 500;

export function createDeliveryStore({ records, runtime }: WebhooksContext) {
  const parse = ({ value }: StoredRecord) => JSON.parse(value) as StoredDelivery;

  return {
    async find(application: string, message: string, endpoint: string) {
      const record = await records.get(deliveriesKey(application, message) + endpoint);
      return record === undefined ? undefined : { ...parse(record), version: record.version };
    },

    /** By endpoint. */
    async of(application: string, message: string): Promise<ReadonlyMap<string, StoredDelivery>> {
      const prefix = deliveriesKey(application, message);
      const found = await records.list(prefix, { limit: LIST_RECORDS });
      return new Map(found.map((record) => [record.key.slice(prefix.length), parse(record)]));
    },

    /** False: it is not as it was at that version; 0: there was none. */
    async put(
      application: string,
      { message }: Pick<FoundMessage, "message">,
      endpoint: string,
      delivery: StoredDelivery,
      ifVersion?: number,
    ): Promise<boolean> {
      const ttlMs = Math.max(1, message.expiresAtMs - runtime.clock.epochMs());
      const key = deliveriesKey(application, message.id) + endpoint;
      const condition = ifVersion === undefined ? {} : { ifVersion };
      const put = await records.put(key, JSON.stringify(delivery), { ttlMs, ...condition });
      return put !== undefined;
    },
  };
}

export type DeliveryStore = ReturnType<typeof createDeliveryStore>;

/** One that was queued when its message was accepted. */
export function newDelivery({ order, acceptedAtMs }: StoredMessage): StoredDelivery {
  return {
    ...{ state: "pending", attempts: 0, run: 0, blocked: 0 },
    ...{ queuedOrder: order, nextAttemptAtMs: acceptedAtMs, attemptOrders: [] },
  };
}

/** As callers see it; whether it is being sent is for the lanes to know. */
export function statusOf(
  delivery: Pick<StoredDelivery, "state" | "queuedOrder">,
  { endpoint, erased }: { readonly endpoint: StoredEndpoint | undefined; readonly erased: boolean },
): Exclude<WebhookDeliveryStatus, "sending"> {
  if (delivery.state !== "pending") return delivery.state;
  // Older moments have greater orders.
  const cancelled = endpoint === undefined || delivery.queuedOrder > endpoint.cancelledOrder;
  return erased || cancelled ? "cancelled" : "pending";
}
