/** What waits to be sent: one queue per endpoint, its bounds, and how it is emptied. */
import type { TakenJob } from "../core/engine.ts";
import { HubError } from "../core/errors.ts";
import { WEBHOOK_LIMITS } from "./contract.ts";
import { ATTEMPT_RETENTION_MS, type WebhooksContext } from "./context.ts";
import type { DeadLetterStore } from "./dead-letter-store.ts";
import { newDelivery, type DeliveryStore, type StoredDelivery } from "./delivery-store.ts";
import type { StoredEndpoint } from "./endpoint-store.ts";
import { cancelledKey, queueName, waitingKey } from "./keys.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";

/** A job of an endpoint's queue. Its id is the message's, so that a message waits once. */
export interface Waiting {
  readonly messageId: string;
  /** One request whatever the schedule says. */
  readonly manual: boolean;
  /** Of an ordered endpoint: its place among those that wait. */
  readonly place?: string;
}

interface Payload {
  readonly m: string;
  readonly manual?: true;
  readonly place?: string;
}

/** Records read and deleted at a time. */
const SLICE = 250;

export interface OutboxOptions {
  readonly messages: MessageStore;
  readonly deliveries: DeliveryStore;
  readonly deadLetters: DeadLetterStore;
  /** Something was put into the endpoint's queue. */
  readonly added: (endpoint: StoredEndpoint) => void;
}

export function createOutbox(context: WebhooksContext, options: OutboxOptions) {
  const { records, queue, moment } = context;
  const { messages, deliveries, deadLetters } = options;
  type Target = Pick<StoredEndpoint, "applicationId" | "id">;

  const nameOf = ({ applicationId, id }: Target) => queueName(applicationId, id);
  const placesOf = ({ applicationId, id }: Target) => waitingKey(applicationId, id);

  async function fail(endpoint: Target, message: StoredMessage): Promise<void> {
    const { applicationId, id } = endpoint;
    const known = await deliveries.find(applicationId, message.id, id);
    const delivery: StoredDelivery = known ?? newDelivery(message);
    await deliveries.put(applicationId, { message }, id, { ...delivery, state: "failed" });
    const { attempts } = delivery;
    await deadLetters.add(applicationId, message, {
      ...{ endpointId: id, attempts, reason: "overflow" },
    });
  }

  async function addOrdered(endpoint: StoredEndpoint, message: StoredMessage): Promise<boolean> {
    const place = moment().ascending;
    const key = placesOf(endpoint) + place;
    await records.put(key, message.id, { ttlMs: ATTEMPT_RETENTION_MS });
    const payload: Payload = { m: message.id, place };
    const added = await addJob(endpoint, message, payload, { orderKey: endpoint.id });
    await dropOverflow(endpoint);
    return added;
  }

  async function addJob(
    endpoint: StoredEndpoint,
    message: StoredMessage,
    payload: Payload,
    order: { readonly orderKey?: string } = {},
  ): Promise<boolean> {
    try {
      await queue.add(nameOf(endpoint), {
        ...{ payload: JSON.stringify(payload), id: message.id },
        ...order,
      });
      return true;
    } catch (error) {
      if (!(error instanceof HubError) || error.code !== "limit_exceeded") throw error;
      await fail(endpoint, message);
      return false;
    }
  }

  /** The oldest behind the first, which may be under way. */
  async function dropOverflow(endpoint: Target): Promise<void> {
    const name = nameOf(endpoint);
    const prefix = placesOf(endpoint);
    for (;;) {
      const { waiting, leased } = await queue.counts(name);
      const excess = waiting + leased - 1 - WEBHOOK_LIMITS.orderedMessages;
      if (excess <= 0) return;
      const limit = Math.min(excess, SLICE) + 1;
      const [, ...oldest] = await records.list(prefix, { limit });
      if (oldest.length === 0) return;
      for (const { key, value: messageId } of oldest) {
        const removed = await queue.remove(name, messageId);
        await records.delete(key);
        const found = await messages.find(endpoint.applicationId, messageId);
        if (removed > 0 && found !== undefined) await fail(endpoint, found.message);
      }
    }
  }

  return {
    /** Durable once it resolves. False: there was no room, and it is failed with `overflow`. */
    async add(endpoint: StoredEndpoint, message: StoredMessage): Promise<boolean> {
      const added = endpoint.ordered
        ? await addOrdered(endpoint, message)
        : await addJob(endpoint, message, { m: message.id });
      options.added(endpoint);
      return added;
    },

    /** One more request, beside the schedule and before whatever an ordered endpoint waits for. */
    async addManual(endpoint: StoredEndpoint, message: StoredMessage): Promise<void> {
      const payload: Payload = { m: message.id, manual: true };
      await queue.add(nameOf(endpoint), {
        ...{ payload: JSON.stringify(payload), id: `manual:${message.id}` },
      });
      options.added(endpoint);
    },

    read({ payload }: TakenJob): Waiting {
      const { m, manual = false, place } = JSON.parse(payload) as Payload;
      return { messageId: m, manual, ...(place === undefined ? {} : { place }) };
    },

    /** It has ended. */
    async done(endpoint: Target, job: TakenJob, { place }: Waiting): Promise<void> {
      if (place !== undefined) await records.delete(placesOf(endpoint) + place);
      await queue.done(nameOf(endpoint), job);
    },

    async retry(endpoint: Target, job: TakenJob, atMs: number): Promise<void> {
      await queue.retry(nameOf(endpoint), job, atMs);
    },

    async pending(endpoint: Target): Promise<number> {
      const { waiting, leased } = await queue.counts(nameOf(endpoint));
      return waiting + leased;
    },

    /** Takes out everything, or what belongs to one message. Answers how many deliveries; requests under way may end. */
    async cancel(endpoint: Target, messageId?: string): Promise<number> {
      const name = nameOf(endpoint);
      const { applicationId, id } = endpoint;
      let cancelled: number;
      if (messageId === undefined) {
        cancelled = await queue.remove(name);
        await removePlaces(endpoint);
      } else {
        cancelled = await queue.remove(name, messageId);
        await queue.remove(name, `manual:${messageId}`);
      }
      if (cancelled > 0) {
        const key = cancelledKey(applicationId, id) + moment().order;
        await records.put(key, `${cancelled}`, { ttlMs: ATTEMPT_RETENTION_MS });
      }
      return cancelled;
    },

    /** When the queue may have something due; the answer ends it. */
    watch: (endpoint: Target, onDue: () => void) => queue.watch(nameOf(endpoint), onDue),

    take: (endpoint: Target, take: { readonly limit: number; readonly leaseMs: number }) =>
      queue.take(nameOf(endpoint), take),
  };

  async function removePlaces(endpoint: Target): Promise<void> {
    for (;;) {
      const found = await records.list(placesOf(endpoint), { limit: SLICE });
      await Promise.all(found.map(({ key }) => records.delete(key)));
      if (found.length < SLICE) return;
    }
  }
}

export type Outbox = ReturnType<typeof createOutbox>;
