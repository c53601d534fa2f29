/** How an endpoint ends, with all that waits for it: switched off by itself, which it is told of (webhooks.md §7.1, §7.3), or taken out. */
import type { WebhooksContext } from "./context.ts";
import type { WebhookDisabledReason } from "./contract.ts";
import type { EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import type { HealthStore } from "./health.ts";
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

export interface RemovingParts {
  readonly endpoints: EndpointStore;
  readonly health: HealthStore;
  readonly outbox: Outbox;
  /** No more is taken of what waits for it, on this node. */
  readonly lanes: { drop(endpoint: string): void };
}

export interface Removed {
  /** False: another call did it. */
  readonly removed: boolean;
  readonly cancelled: number;
}

export function createRemoving({ endpoints, health, outbox, lanes }: RemovingParts) {
  return async function remove(endpoint: StoredEndpoint): Promise<Removed> {
    const { applicationId, id } = endpoint;
    lanes.drop(id);
    // Before and behind: after a kill the endpoint is still there to be removed, and what is accepted meanwhile goes too.
    const before = await outbox.cancel(endpoint);
    const removed = await endpoints.remove(applicationId, id);
    const behind = await outbox.cancel(endpoint);
    await health.remove(applicationId, id);
    return { removed, cancelled: before + behind };
  };
}

export type Remove = ReturnType<typeof createRemoving>;
