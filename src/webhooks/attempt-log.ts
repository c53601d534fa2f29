/** Attempts as they are kept, newest first by endpoint: for 30 days, what the receiver answered for 7, and neither for longer than messages are kept. */
import type { StoredRecord } from "../core/engine.ts";
import type { WebhookAttempt } from "./contract.ts";
import { ATTEMPT_RETENTION_MS, RESPONSE_RETENTION_MS, type WebhooksContext } from "./context.ts";
import { attemptsKey, responseKey } from "./keys.ts";

export type StoredAttempt = Omit<WebhookAttempt, "responseBody"> & {
  /** What it made of its delivery, when that had not ended so before. */
  readonly ended?: "succeeded" | "failed";
  /** The receiver answered without a body: none is kept, and none is missing. */
  readonly bodyless?: true;
};

export interface NewAttempt {
  readonly attempt: StoredAttempt;
  readonly order: string;
  readonly responseBody: string | null;
}

export function createAttemptLog({ records, settings }: WebhooksContext) {
  const keptMs = (ms: number) => Math.min(ms, settings.retentionMs);
  return {
    async add(application: string, { attempt, order, responseBody }: NewAttempt): Promise<void> {
      const key = attemptsKey(application, attempt.endpointId) + order;
      const stored: StoredAttempt = responseBody === "" ? { ...attempt, bodyless: true } : attempt;
      await Promise.all([
        records.put(key, JSON.stringify(stored), { ttlMs: keptMs(ATTEMPT_RETENTION_MS) }),
        responseBody === null || responseBody === ""
          ? undefined
          : records.put(responseKey(application, attempt.id), responseBody, {
              ttlMs: keptMs(RESPONSE_RETENTION_MS),
            }),
      ]);
    },

    async find(application: string, endpoint: string, order: string) {
      const record = await records.get(attemptsKey(application, endpoint) + order);
      return record === undefined ? undefined : parseAttempt(record);
    },

    async withResponse(application: string, attempt: StoredAttempt): Promise<WebhookAttempt> {
      const { ended: _, bodyless, ...shown } = attempt;
      if (bodyless === true) return { ...shown, responseBody: "" };
      const record = await records.get(responseKey(application, attempt.id));
      return { ...shown, responseBody: record?.value ?? null };
    },
  };
}

export type AttemptLog = ReturnType<typeof createAttemptLog>;

export function parseAttempt({ value }: StoredRecord): StoredAttempt {
  return JSON.parse(value) as StoredAttempt;
}
