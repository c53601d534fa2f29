/** Stands in until deliveries are wired. */
import type { Webhooks } from "./core/webhooks.ts";
export function noWebhooks(): Webhooks {
  return {
    accept: async () => ({ endpoints: 0 }),
    deprovisioned: async () => ({ endpointsDeleted: 0, deliveriesCancelled: 0 }),
  } as unknown as Webhooks;
}
