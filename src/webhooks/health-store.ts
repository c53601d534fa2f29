/** How an endpoint does, as it is kept: nothing before its first request, then whether one succeeded, and its failures since. */
import type { StoredRecord } from "../core/engine.ts";
import { updateRecord } from "../core/update-record.ts";
import type { WebhooksContext } from "./context.ts";
import { afterFailure, type Failures, type FailureVerdict, type Health } from "./failure-clock.ts";
import { healthKey } from "./keys.ts";

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
