/** Turns and repetitions of changes. */
import { expect, test } from "bun:test";
import { RECORD_ATTEMPTS_MAX } from "../../../core/update-record.ts";
import { createChange } from "./change.ts";

const put = { key: "k", put: "v", ifVersion: 0 };

test("a change is planned anew until it is made", async () => {
  let conflicts = 3;
  const change = createChange({
    change: async (changes) => (conflicts-- > 0 ? undefined : changes.map(() => 7)),
  });
  let plans = 0;
  const result = await change("s", async () => ({
    changes: [put],
    result: (versions: readonly number[]) => [++plans, ...versions],
  }));
  expect(result).toEqual([1, 7]);
  expect(conflicts).toBe(-1);
});

test("a change of nothing is not made", async () => {
  const change = createChange({ change: () => Promise.reject(new Error("It was made")) });
  expect(await change("s", async () => ({ changes: [], result: "so" }))).toBe("so");
});

test("a change that others always come before is unavailable", async () => {
  let attempts = 0;
  const change = createChange({
    change: async () => {
      attempts++;
      return undefined;
    },
  });
  const changing = change("s", async () => ({ changes: [put], result: undefined }));
  await expect(changing).rejects.toMatchObject({ code: "unavailable" });
  expect(attempts).toBe(RECORD_ATTEMPTS_MAX);
});

test("changes of one subject take turns, whatever becomes of the one before; of others they do not", async () => {
  const change = createChange({ change: async () => [1] });
  const order: string[] = [];
  let open = (): void => {};
  const gate = new Promise<void>((resolve) => (open = resolve));
  const plan = (name: string, wait?: Promise<void>) => async () => {
    order.push(`${name} begins`);
    await wait;
    if (name === "first") throw new Error("It fails");
    order.push(`${name} ends`);
    return { changes: [put], result: undefined };
  };
  const first = change("a", plan("first", gate));
  const second = change("a", plan("second"));
  await change("b", plan("other"));
  expect(order).toEqual(["first begins", "other begins", "other ends"]);
  open();
  await expect(first).rejects.toThrow("It fails");
  await second;
  expect(order.slice(3)).toEqual(["second begins", "second ends"]);
});
