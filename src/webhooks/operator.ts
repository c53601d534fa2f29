/** The operator's own hook: an endpoint like any other, in an application of its own, as the configuration says. */
import { WEBHOOK_LIMITS } from "./contract.ts";
import type { WebhooksContext } from "./context.ts";
import { NEVER_CANCELLED, type EndpointStore } from "./endpoint-store.ts";
import type { HealthStore } from "./health.ts";
import { OPERATOR } from "./notices.ts";
import type { Remove } from "./endpoint-ends.ts";

const ENDPOINT_ID = `ep_${"0".repeat(27)}`;

export interface OperatorParts {
  readonly endpoints: EndpointStore;
  readonly health: HealthStore;
  readonly remove: Remove;
}

/** Before the lanes start. What waits for it from an earlier run stays. */
export async function setOperatorHook(
  { settings, moment }: WebhooksContext,
  { endpoints, health, remove }: OperatorParts,
): Promise<void> {
  const { applicationId } = OPERATOR;
  const known = await endpoints.find(applicationId, ENDPOINT_ID);
  const { operator } = settings;
  if (operator === undefined) {
    if (known !== undefined) await remove(known);
    return;
  }
  const { atMs, order } = moment();
  const { url, secret } = operator;
  await endpoints.add({
    ...{ ...OPERATOR, id: ENDPOINT_ID, order: known?.order ?? order, signature: "hmac" },
    ...{ description: null, eventTypes: null, channels: null, metadata: {}, ordered: false },
    ...{ rateLimit: WEBHOOK_LIMITS.rateLimitDefault, retryScheduleS: null },
    ...{ disabledReason: null, disabledAtMs: null, enabledAgainAtMs: null },
    cancelledOrder: known?.cancelledOrder ?? NEVER_CANCELLED,
    ...{ createdAtMs: known?.createdAtMs ?? atMs, updatedAtMs: atMs },
    sealed: await endpoints.seal({ url, headers: {}, keys: [{ key: secret }] }),
  });
  // Whoever starts the server has looked at it.
  await health.clear(applicationId, ENDPOINT_ID);
}
