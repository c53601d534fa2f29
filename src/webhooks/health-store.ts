/** An endpoint's failures as they are kept: nothing while it does well. */
import type { WebhooksContext } from "./context.ts";
import { afterFailure, type Failures, type FailureVerdict } from "./failure-clock.ts";
import { healthKey } from "./keys.ts";

const ATTEMPTS_MAX = 50;

export function createHealthStore({ records, runtime }: WebhooksContext) {
  return {
    async find(application: string, endpoint: string): Promise<Failures | undefined> {
      const record = await records.get(healthKey(application, endpoint));
      return record === undefined ? undefined : (JSON.parse(record.value) as Failures);
    },

    async failed(application: string, endpoint: string): Promise<FailureVerdict> {
      const key = healthKey(application, endpoint);
      for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
        const record = await records.get(key);
        const before = record === undefined ? undefined : (JSON.parse(record.value) as Failures);
        const verdict = afterFailure(before, runtime.clock.epochMs());
        const put = { ifVersion: record?.version ?? 0 };
        const version = await records.put(key, JSON.stringify(verdict.failures), put);
        if (version !== undefined) return verdict;
      }
      throw new Error("An endpoint's health changes all the time");
    },

    /** Also when it is enabled, deleted. */
    async forget(application: string, endpoint: string): Promise<void> {
      const key = healthKey(application, endpoint);
      // Most have nothing to forget, and a look is cheaper than a write.
      if ((await records.get(key)) !== undefined) await records.delete(key);
    },
  };
}

export type HealthStore = ReturnType<typeof createHealthStore>;
