/** How an endpoint does: when one that goes on failing is told of, and disabled (webhooks.md §7.3), judged at failures and never by time alone; and how that is kept. */
import type { StoredRecord } from "../core/engine.ts";
import { updateRecord } from "../core/update-record.ts";
import type { WebhooksContext } from "./context.ts";
import type { WebhookHealth } from "./contract.ts";
import { healthKey } from "./keys.ts";

const HOUR_MS = 3_600_000;
/** Two failures this far apart, without a success between them, start the clock at the first. */
const APART_MS = 12 * HOUR_MS;
/** Without any attempt for this long, what was before is forgotten. */
const FORGET_MS = 240 * HOUR_MS;
const NOTICES_MS = [24 * HOUR_MS, 96 * HOUR_MS];
const DISABLE_MS = 120 * HOUR_MS;

export interface Health {
  /** Undefined: the last request succeeded, or there was none. */
  readonly failures: Failures | undefined;
  /** Whether any request ever did. */
  readonly succeeded: boolean;
}

export interface Failures {
  readonly firstMs: number;
  readonly lastMs: number;
  /** Since the last success. */
  readonly count: number;
  /** How many of the notices went out. */
  readonly noticed: number;
}

export interface FailureVerdict {
  readonly failures: Failures;
  /** A notice is due; when the endpoint will be disabled unless something succeeds. */
  readonly notice?: { readonly disableAtMs: number };
  readonly disable: boolean;
}

export function afterFailure(before: Failures | undefined, nowMs: number): FailureVerdict {
  const known = before === undefined || nowMs - before.lastMs >= FORGET_MS ? undefined : before;
  const { lastMs, count, noticed } = known ?? { lastMs: nowMs, count: 0, noticed: 0 };
  // As long before the last one as it was, where the clock was set back behind that.
  const firstMs = (known?.firstMs ?? nowMs) - Math.max(0, lastMs - nowMs);
  const runningMs = nowMs - firstMs >= APART_MS ? nowMs - firstMs : 0;
  const disable = runningMs >= DISABLE_MS;
  const due = NOTICES_MS.filter((ms) => runningMs >= ms).length;
  return {
    failures: { firstMs, lastMs: nowMs, count: count + 1, noticed: Math.max(noticed, due) },
    ...(due > noticed && !disable ? { notice: { disableAtMs: firstMs + DISABLE_MS } } : {}),
    disable,
  };
}

export function healthOf({ failures, succeeded }: Health): WebhookHealth {
  if (failures === undefined) {
    return { state: "healthy", failingSinceMs: null, consecutiveFailures: 0 };
  }
  const { firstMs, lastMs, count } = failures;
  const forMs = lastMs - firstMs;
  const state = succeeded ? "healthy" : "unproven";
  return {
    state: forMs >= (NOTICES_MS[0] ?? 0) ? "failing" : state,
    failingSinceMs: forMs >= APART_MS ? firstMs : null,
    consecutiveFailures: count,
  };
}

type Stored = { readonly succeeded?: boolean } & (Failures | { readonly count?: undefined });

const WELL = JSON.stringify({ succeeded: true } satisfies Stored);

export function createHealthStore({ records, runtime }: WebhooksContext) {
  return {
    async find(application: string, endpoint: string): Promise<Health> {
      return parse(await records.get(healthKey(application, endpoint)));
    },

    async failed(application: string, endpoint: string): Promise<FailureVerdict> {
      return updateRecord(records, healthKey(application, endpoint), (record) => {
        const { failures, succeeded } = parse(record);
        const result = afterFailure(failures, runtime.clock.epochMs());
        const stored: Stored = { ...result.failures, succeeded };
        return { put: JSON.stringify(stored), result };
      });
    },

    async succeeded(application: string, endpoint: string): Promise<void> {
      const key = healthKey(application, endpoint);
      // Nearly all are known to do well, and a look is cheaper than a write.
      if ((await records.get(key))?.value !== WELL) await records.put(key, WELL);
    },

    /** Enabled again: it begins anew. */
    async clear(application: string, endpoint: string): Promise<void> {
      const key = healthKey(application, endpoint);
      const record = await records.get(key);
      if (parse(record).succeeded) await records.put(key, WELL);
      else if (record !== undefined) await records.delete(key);
    },

    async remove(application: string, endpoint: string): Promise<void> {
      await records.delete(healthKey(application, endpoint));
    },
  };
}

function parse(record: StoredRecord | undefined): Health {
  const stored = record && (JSON.parse(record.value) as Stored);
  const failures = stored?.count === undefined ? undefined : stored;
  return { failures, succeeded: stored?.succeeded === true };
}

export type HealthStore = ReturnType<typeof createHealthStore>;
