/** Changes of several records in one step, made again when another change came first. */
import { HubError } from "../../../core/errors.ts";
import type { RecordChange, Records } from "../../../core/engine.ts";
import { RECORD_ATTEMPTS_MAX } from "../../../core/update-record.ts";

export interface Planned<Result> {
  /** Each with the version that the plan was made of. None: nothing is to change. */
  readonly changes: readonly RecordChange[];
  /** `versions`: of the records that were put, in the order of the changes. */
  readonly result: Result | ((versions: readonly number[]) => Result);
}

/**
 * Makes the change that `plan` returns; `plan` reads its records anew each time, and its errors are thrown on. Changes that wait for the
 * same `subject` take turns on this node, so that only nodes race: otherwise a thousand that join one channel at once
 * would each read for every one before it. Throws HubError `unavailable` when others always come first.
 */
export type Change = <Result>(
  subject: string,
  plan: () => Promise<Planned<Result>>,
) => Promise<Result>;

export function createChange(records: Pick<Records, "change">): Change {
  /** By subject: settles when the last that waits has had its turn. */
  const turns = new Map<string, Promise<unknown>>();

  async function attempt<Result>(plan: () => Promise<Planned<Result>>): Promise<Result> {
    for (let attempts = 0; attempts < RECORD_ATTEMPTS_MAX; attempts++) {
      const { changes, result } = await plan();
      const versions = changes.length === 0 ? [] : await records.change(changes);
      if (versions === undefined) continue;
      return typeof result === "function"
        ? (result as (versions: readonly number[]) => Result)(versions)
        : result;
    }
    throw new HubError("unavailable", "Other callers change these records too often: try again");
  }

  return (subject, plan) => {
    const before = turns.get(subject);
    const turn = before === undefined ? attempt(plan) : before.then(() => attempt(plan));
    const settled: Promise<unknown> = turn
      .catch(() => {})
      .then(() => {
        if (turns.get(subject) === settled) turns.delete(subject);
      });
    turns.set(subject, settled);
    return turn;
  };
}
