/** Switching an endpoint off by itself (webhooks.md §7.1, §7.3): what waits for it is cancelled, and it is told. */
import type { WebhookDisabledReason } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import type { EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import type { Notices } from "./notices.ts";
import type { Outbox } from "./outbox.ts";

export type AutomaticReason = Exclude<WebhookDisabledReason, "manual">;

export interface DisablingParts {
  readonly endpoints: EndpointStore;
  readonly outbox: Outbox;
  readonly notices: Notices;
}

export function createDisabling(context: WebhooksContext, parts: DisablingParts) {
  const { runtime, moment, observer } = context;
  const { endpoints, outbox, notices } = parts;

  /** One that is disabled already stays as it is. */
  return async function disable(
    { applicationId, id }: StoredEndpoint,
    reason: AutomaticReason,
  ): Promise<void> {
    let changed = false;
    const endpoint = await endpoints.change(applicationId, id, (found) => {
      changed = found.disabledReason === null;
      if (!changed) return undefined;
      const nowMs = runtime.clock.epochMs();
      return {
        ...{ ...found, disabledReason: reason, disabledAtMs: nowMs, updatedAtMs: nowMs },
        cancelledOrder: moment().order,
      };
    });
    if (endpoint === undefined || !changed) return;
    const cancelled = await outbox.cancel(endpoint);
    observer?.disabled?.(id, reason);
    await notices.tell(endpoint, "endpoint.disabled", { reason, deliveries_cancelled: cancelled });
  };
}

export type Disable = ReturnType<typeof createDisabling>;
