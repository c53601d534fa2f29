/** How a message gets in: matched, stored, queued (webhooks.md §4). */
import { WEBHOOK_LIMITS, WebhookError, type NewWebhookMessage } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import type { DeliveryStore } from "./delivery-store.ts";
import type { EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import type { MessageStore, StoredMessage } from "./message-store.ts";
import type { Outbox } from "./outbox.ts";

export interface IntakeStores {
  readonly endpoints: EndpointStore;
  readonly messages: MessageStore;
  readonly deliveries: DeliveryStore;
  readonly outbox: Outbox;
}

export interface Selection {
  readonly wants: (endpoint: StoredEndpoint) => boolean;
  readonly internal?: boolean;
}

export function createIntake(
  { runtime, settings, moment }: WebhooksContext,
  { endpoints, messages, deliveries, outbox }: IntakeStores,
) {
  /** The step that was last before a kill is taken again: each of them adds what is there already only once. */
  async function queueAll(
    application: string,
    message: StoredMessage,
    known: readonly StoredEndpoint[],
  ): Promise<void> {
    const wanted = known.filter(({ id }) => message.endpoints.includes(id));
    await Promise.all([
      messages.log(application, message),
      ...wanted.map((endpoint) => outbox.add(endpoint, message)),
    ]);
  }

  async function again(
    application: string,
    { message }: { readonly message: StoredMessage },
  ): Promise<number> {
    const known = await endpoints.of(application);
    const attempted = await deliveries.of(application, message.id);
    await queueAll(
      application,
      message,
      known.filter(({ id }) => !attempted.has(id)),
    );
    return message.endpoints.length;
  }

  return {
    /** Answers how many endpoints it matched. */
    async accept(accepted: NewWebhookMessage, { wants, internal }: Selection): Promise<number> {
      const { applicationId, id, eventType, channels, body } = accepted;
      const bytes = Buffer.byteLength(body);
      if (bytes > WEBHOOK_LIMITS.bodyBytes) {
        throw new WebhookError("payload_too_large", "The message is too large for webhooks.");
      }
      const before = await messages.find(applicationId, id);
      if (before !== undefined) return again(applicationId, before);
      const known = await endpoints.of(applicationId);
      const matched = known.filter(
        (endpoint) => endpoint.disabledReason === null && wants(endpoint),
      );
      // Nobody would ever ask for it: it is replayed to none.
      if (internal === true && matched.length === 0) return 0;
      const { atMs, order } = moment();
      const message: StoredMessage = {
        ...{ id, order, eventType, channels, bytes },
        acceptedAtMs: atMs,
        expiresAtMs: atMs + settings.retentionMs,
        endpoints: matched.map((endpoint) => endpoint.id),
        ...(internal === true ? { internal } : {}),
      };
      if (await messages.add(applicationId, message, body)) {
        await queueAll(applicationId, message, matched);
        return matched.length;
      }
      const raced = await messages.find(applicationId, id);
      return raced === undefined ? 0 : again(applicationId, raced);
    },

    /** A message that is for one endpoint and goes there by itself. */
    async addFor(
      endpoint: StoredEndpoint,
      sent: Pick<StoredMessage, "id" | "eventType">,
      body: string,
    ) {
      const { atMs, order } = moment();
      const message: StoredMessage = {
        ...{ ...sent, order, channels: [], bytes: Buffer.byteLength(body) },
        ...{ acceptedAtMs: atMs, expiresAtMs: runtime.clock.epochMs() + settings.retentionMs },
        ...{ endpoints: [endpoint.id], internal: true },
      };
      await messages.add(endpoint.applicationId, message, body);
      await messages.log(endpoint.applicationId, message);
      return message;
    },
  };
}

export type Intake = ReturnType<typeof createIntake>;
