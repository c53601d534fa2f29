/** How an endpoint did within a window, counted from its attempts. */
import { WEBHOOK_LIMITS, type WebhookStats, type WebhookWindow } from "./contract.ts";
import { parseAttempt } from "./attempt-log.ts";
import type { WebhooksContext } from "./context.ts";
import type { StoredEndpoint } from "./endpoint-store.ts";
import { attemptsKey, cancelledKey } from "./keys.ts";
import { listPage } from "./paging.ts";

/** Pages by which the attempts are read: the event loop turns between them. */
const PAGE_ROWS = 1_000;

export async function endpointStats(
  { records }: WebhooksContext,
  { applicationId, id }: StoredEndpoint,
  window: WebhookWindow,
): Promise<Omit<WebhookStats, "pending">> {
  const counts = { succeeded: 0, failed: 0 };
  const durations: number[] = [];
  let seen = 0;
  const attempts = { prefix: attemptsKey(applicationId, id), window };
  for await (const row of pages(records, attempts, parseAttempt)) {
    if (row.ended !== undefined) counts[row.ended] += 1;
    if (row.responseStatus !== null) durations.push(row.durationMs);
    if ((seen += 1) === WEBHOOK_LIMITS.statsAttempts) break;
  }
  let cancelled = 0;
  const cancellings = { prefix: cancelledKey(applicationId, id), window };
  for await (const count of pages(records, cancellings, ({ value }) => Number(value))) {
    cancelled += count;
  }
  durations.sort((a, b) => a - b);
  return {
    ...{ ...counts, cancelled },
    ...{ p50Ms: quantile(durations, 0.5), p95Ms: quantile(durations, 0.95) },
  };
}

async function* pages<Row>(
  records: WebhooksContext["records"],
  list: { readonly prefix: string; readonly window: WebhookWindow },
  parse: (record: {
    readonly key: string;
    readonly value: string;
    readonly version: number;
  }) => Row,
): AsyncGenerator<Row> {
  for (let iterator: string | null | undefined; iterator !== null;) {
    const from = iterator === undefined ? {} : { iterator };
    const page = await listPage(records, { ...list, limit: PAGE_ROWS, ...from }, parse);
    yield* page.data;
    ({ iterator } = page);
  }
}

/** Of sorted numbers; null of none. */
function quantile(sorted: readonly number[], share: number): number | null {
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? null;
}
