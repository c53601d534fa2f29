/** The message log and what became of its messages (webhooks.md §5.2). */
import {
  WebhookError,
  type WebhookAttempt,
  type WebhookDelivery,
  type WebhookMessages,
  type WebhookMessageSummary,
} from "./contract.ts";
import { parseAttempt, type AttemptLog, type StoredAttempt } from "./attempt-log.ts";
import type { WebhooksContext } from "./context.ts";
import { newDelivery, statusOf, type DeliveryStore } from "./delivery-store.ts";
import type { EndpointStore } from "./endpoint-store.ts";
import { attemptsKey, logKey } from "./keys.ts";
import type { Lanes } from "./lanes.ts";
import {
  logged,
  type FoundMessage,
  type MessageStore,
  type StoredMessage,
} from "./message-store.ts";
import type { Outbox } from "./outbox.ts";
import { arrayPage, listPage } from "./paging.ts";

/** From an attempt's beginning to its record, at the most. */
const ATTEMPT_MS_MAX = 60_000;

export interface MessagesParts {
  readonly endpoints: EndpointStore;
  readonly messages: MessageStore;
  readonly deliveries: DeliveryStore;
  readonly attempts: AttemptLog;
  readonly outbox: Outbox;
  readonly lanes: Lanes;
}

export function createMessages(context: WebhooksContext, parts: MessagesParts): WebhookMessages {
  const { records } = context;
  const { endpoints, messages, deliveries, attempts, outbox, lanes } = parts;

  async function deliveriesOf(application: string, { message, body }: FoundMessage) {
    const known = await deliveries.of(application, message.id);
    const present = new Map((await endpoints.of(application)).map((one) => [one.id, one]));
    const ids = new Set([...message.endpoints, ...known.keys()]);
    return [...ids].map((endpointId): WebhookDelivery => {
      const delivery = known.get(endpointId) ?? newDelivery(message);
      const about = { endpoint: present.get(endpointId), erased: body === undefined };
      const status = statusOf(delivery, about);
      const open = status === "pending";
      return {
        endpointId,
        status: open && lanes.sends(endpointId, message.id) ? "sending" : status,
        attempts: delivery.attempts,
        nextAttemptAtMs: open ? delivery.nextAttemptAtMs : null,
      };
    });
  }

  const withResponses = (application: string, rows: readonly StoredAttempt[]) =>
    Promise.all(
      rows.map((row): Promise<WebhookAttempt> => attempts.withResponse(application, row)),
    );

  return {
    async get(owner, id) {
      const found = await messages.require(owner, id);
      return {
        ...summary(found.message),
        body: found.body ?? null,
        deliveries: await deliveriesOf(owner.applicationId, found),
      };
    },

    list({ applicationId }, { eventType, channel, ...window }, page) {
      return listPage(records, { prefix: logKey(applicationId), window, ...page }, (record) => {
        const message = logged(record);
        const wanted =
          (eventType === undefined || message.eventType === eventType) &&
          (channel === undefined || message.channels.includes(channel));
        return wanted ? summary(message) : undefined;
      });
    },

    async attempts(owner, messageId, page) {
      const { applicationId } = owner;
      const { message } = await messages.require(owner, messageId);
      const known = await deliveries.of(applicationId, message.id);
      const all = [...known].flatMap(([endpoint, { attemptOrders }]) =>
        attemptOrders.map((order) => ({ order, row: { endpoint, order } })),
      );
      const { data, ...rest } = arrayPage(all, page);
      const found = await Promise.all(
        data.map(({ endpoint, order }) => attempts.find(applicationId, endpoint, order)),
      );
      const rows = found.filter((row) => row !== undefined);
      return { ...rest, data: await withResponses(applicationId, rows) };
    },

    async attemptsOf(owner, endpointId, filter, page) {
      const { applicationId } = owner;
      const { status, statusClass, sinceMs = 0, untilMs = Infinity } = filter;
      await endpoints.require(owner, endpointId);
      const prefix = attemptsKey(applicationId, endpointId);
      // Listed by their ends, asked for by their beginnings.
      const window = { sinceMs, untilMs: untilMs + ATTEMPT_MS_MAX };
      const { data, ...rest } = await listPage(records, { prefix, window, ...page }, (record) => {
        const row = parseAttempt(record);
        const wanted =
          (status === undefined || row.status === status) &&
          (statusClass === undefined || classOf(row) === statusClass) &&
          row.atMs >= sinceMs &&
          row.atMs <= untilMs;
        return wanted ? row : undefined;
      });
      return { ...rest, data: await withResponses(applicationId, data) };
    },

    async erase(owner, messageId) {
      const { applicationId } = owner;
      // Only the message's own record may change meanwhile, and only by another erasure.
      const found = await messages.require(owner, messageId);
      if (found.body === undefined) return;
      await messages.erase(applicationId, found);
      const known = await deliveries.of(applicationId, messageId);
      const ids = new Set([...found.message.endpoints, ...known.keys()]);
      await Promise.all([...ids].map((id) => outbox.cancel({ applicationId, id }, messageId)));
    },
  };
}

function classOf({ responseStatus }: StoredAttempt): number | undefined {
  return responseStatus === null ? undefined : Math.floor(responseStatus / 100);
}

function summary({
  id,
  eventType,
  channels,
  acceptedAtMs,
  bytes,
}: StoredMessage): WebhookMessageSummary {
  return { id, eventType, channels, acceptedAtMs, bytes };
}

/** What a replay needs. Throws `not_found` when the content is gone. */
export function requireBody(found: FoundMessage): FoundMessage & { readonly body: string } {
  const { body } = found;
  if (body !== undefined) return { ...found, body };
  throw new WebhookError("not_found", "The message's content is gone.");
}
