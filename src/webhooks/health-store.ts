/** How an endpoint does, as it is kept: nothing before its first request, then whether one succeeded, and its failures since. */
import type { WebhooksContext } from "./context.ts";
import { afterFailure, type Failures, type FailureVerdict, type Health } from "./failure-clock.ts";
import { healthKey } from "./keys.ts";

type Stored = { readonly succeeded?: boolean } & (Failures | { readonly count?: undefined });

const ATTEMPTS_MAX = 50;
const WELL = JSON.stringify({ succeeded: true } satisfies Stored);

export function createHealthStore({ records, runtime }: WebhooksContext) {
  async function read(key: string) {
    const record = await records.get(key);
    const stored = record === undefined ? undefined : (JSON.parse(record.value) as Stored);
    const failures = stored?.count === undefined ? undefined : stored;
    const health: Health = { failures, succeeded: stored?.succeeded === true };
    return { health, record };
  }

  return {
    async find(application: string, endpoint: string): Promise<Health> {
      return (await read(healthKey(application, endpoint))).health;
    },

    async failed(application: string, endpoint: string): Promise<FailureVerdict> {
      const key = healthKey(application, endpoint);
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        const { health, record } = await read(key);
        const verdict = afterFailure(health.failures, runtime.clock.epochMs());
        const stored: Stored = { ...verdict.failures, succeeded: health.succeeded };
        const put = { ifVersion: record?.version ?? 0 };
        const version = await records.put(key, JSON.stringify(stored), put);
        if (version !== undefined) return verdict;
      }
      throw new Error("An endpoint's health changes all the time");
    },

    async succeeded(application: string, endpoint: string): Promise<void> {
      const key = healthKey(application, endpoint);
      // Nearly all are known to do well, and a look is cheaper than a write.
      if ((await records.get(key))?.value !== WELL) await records.put(key, WELL);
    },

    /** Enabled again: it begins anew. */
    async clear(application: string, endpoint: string): Promise<void> {
      const key = healthKey(application, endpoint);
      const { health, record } = await read(key);
      if (health.succeeded) await records.put(key, WELL);
      else if (record !== undefined) await records.delete(key);
    },

    async remove(application: string, endpoint: string): Promise<void> {
      await records.delete(healthKey(application, endpoint));
    },
  };
}

export type HealthStore = ReturnType<typeof createHealthStore>;
