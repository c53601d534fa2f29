/** Changing a record that others change too. */
import type { Records, StoredRecord } from "./engine.ts";
import { HubError } from "./errors.ts";

/** Attempts at one change: each that fails is another's that was made, so that more of them are a store that is not well. */
export const RECORD_ATTEMPTS_MAX = 100;

export interface RecordUpdate<Result> {
  /** Absent: the record stays as it is. */
  readonly put?: string;
  /** Of what is put, milliseconds from now; absent: for ever. */
  readonly ttlMs?: number;
  readonly result: Result;
}

/**
 * Puts what `change` makes of the record, undefined if there is none, and answers its result. `change` is asked again when another
 * change came first; what it throws is thrown. Throws HubError `unavailable` when others always come first.
 */
export async function updateRecord<Result>(
  records: Pick<Records, "get" | "put">,
  key: string,
  change: (
    record: StoredRecord | undefined,
  ) => RecordUpdate<Result> | Promise<RecordUpdate<Result>>,
): Promise<Result> {
  for (let attempt = 0; attempt < RECORD_ATTEMPTS_MAX; attempt++) {
    const record = await records.get(key);
    const { put, result, ...options } = await change(record);
    if (put === undefined) return result;
    const ifVersion = record?.version ?? 0;
    if ((await records.put(key, put, { ...options, ifVersion })) !== undefined) return result;
  }
  throw new HubError("unavailable", "A record kept changing: the update was given up");
}
