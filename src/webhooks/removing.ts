/** Taking an endpoint out, with all that waits for it. */
import type { EndpointStore, StoredEndpoint } from "./endpoint-store.ts";
import type { HealthStore } from "./health-store.ts";
import type { Lanes } from "./lanes.ts";
import type { Outbox } from "./outbox.ts";

export interface RemovingParts {
  readonly endpoints: EndpointStore;
  readonly health: HealthStore;
  readonly outbox: Outbox;
  readonly lanes: Lanes;
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
