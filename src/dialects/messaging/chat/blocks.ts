/** Whom a subscriber hears nothing of (messaging.md §7.5). */
import { updateRecord } from "../../../core/update-record.ts";
import { Refusal } from "../errors.ts";
import type { ChatContext } from "./context.ts";
import type { Blocks } from "./contract.ts";
import { blocksKey } from "./keys.ts";
import { BLOCKS_MAX } from "./settings.ts";

export function createBlocks({ records, subscribers }: ChatContext): Blocks {
  async function list(subscriber: string): Promise<readonly string[]> {
    return JSON.parse((await records.get(blocksKey(subscriber)))?.value ?? "[]") as string[];
  }

  /** The answer of `change`, in order; undefined: it stays as it is. */
  function update(
    subscriber: string,
    change: (blocked: readonly string[]) => readonly string[] | undefined,
  ): Promise<void> {
    return updateRecord(records, blocksKey(subscriber), (record) => {
      const next = change(JSON.parse(record?.value ?? "[]") as string[]);
      return next === undefined
        ? { result: undefined }
        : { put: JSON.stringify([...next].sort()), result: undefined };
    });
  }

  return {
    list,

    async block(caller, subscriber) {
      if ((await subscribers.find(subscriber)) === undefined) {
        throw new Refusal("not-found", "There is no such subscriber", { field: "subscriber" });
      }
      await update(caller, (blocked) => {
        if (blocked.includes(subscriber)) return undefined;
        if (blocked.length >= BLOCKS_MAX) {
          throw new Refusal("limit-reached", `A subscriber may block ${BLOCKS_MAX} others`);
        }
        return [...blocked, subscriber];
      });
    },

    async unblock(caller, subscriber) {
      await update(caller, (blocked) =>
        blocked.includes(subscriber) ? blocked.filter((id) => id !== subscriber) : undefined,
      );
    },

    async blockersOf(subscriber, among) {
      const blocking = await Promise.all(
        among.map(async (id) => ((await list(id)).includes(subscriber) ? [id] : [])),
      );
      return new Set(blocking.flat());
    },
  };
}
