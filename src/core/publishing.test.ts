import { expect, test } from "bun:test";
import { Claims } from "./claims.ts";
import type { Broker } from "./engine.ts";
import { HubError } from "./errors.ts";
import { jsonOf } from "./json-text.ts";
import {
  PUBLICATIONS_WAITING_CHARACTERS_MAX,
  PUBLICATIONS_WAITING_MAX,
  PUBLISH_SLICE_CHARACTERS,
  PUBLISH_SLICE_PUBLICATIONS,
} from "./limits.ts";
import { createPublishing, publishInOrder } from "./publishing.ts";

/** How many of these are handed on at a time. */
async function slicesOf(sizes: readonly number[]): Promise<readonly number[]> {
  const slices: number[] = [];
  let pending = 0;
  await publishInOrder(
    sizes,
    async () => {
      pending++;
      await Promise.resolve();
      if (pending > 0) slices.push(pending);
      pending = 0;
    },
    (size) => size,
  );
  return slices;
}

test("publishInOrder() hands on so many at a time, and so many characters", async () => {
  const many = Array<number>(PUBLISH_SLICE_PUBLICATIONS + 1).fill(0);
  expect(await slicesOf(many.slice(1))).toEqual([PUBLISH_SLICE_PUBLICATIONS]);
  expect(await slicesOf(many)).toEqual([PUBLISH_SLICE_PUBLICATIONS, 1]);
  expect(await slicesOf([PUBLISH_SLICE_CHARACTERS - 1, 1, 1])).toEqual([2, 1]);
  expect(await slicesOf([PUBLISH_SLICE_CHARACTERS, 1, 1])).toEqual([1, 2]);
  expect(await slicesOf([1, 1, PUBLISH_SLICE_CHARACTERS * 2, 1])).toEqual([3, 1]);
  expect(await slicesOf([])).toEqual([]);
});

test("publishInOrder() takes no item before its slice, and counts them with those that are refused", async () => {
  let taken = 0;
  const takenBy: number[] = [];
  function* items() {
    while (taken < PUBLISH_SLICE_PUBLICATIONS * 2 + 1) yield taken++;
  }
  const count = await publishInOrder(items(), async (item) => {
    if (item % PUBLISH_SLICE_PUBLICATIONS > 0) return;
    takenBy.push(taken);
    throw new HubError("bad_request", "The channel takes something else");
  });
  expect(count).toBe(PUBLISH_SLICE_PUBLICATIONS * 2 + 1);
  const slice = PUBLISH_SLICE_PUBLICATIONS;
  expect(takenBy).toEqual([slice, slice * 2, count]);
});

/** On an engine that answers when it is told to, in order. */
function slow() {
  const answers: (() => void)[] = [];
  const published = () =>
    new Promise<undefined>((resolve) => answers.push(() => resolve(undefined)));
  const { publish } = createPublishing({
    broker: { publish: published } as unknown as Broker,
    claims: new Claims(),
    optionsFor: () => undefined,
    channels: async () => new Map(),
    inTurn: (_channel, start) => start(),
  });
  return {
    answer: () => answers.shift()?.(),
    handed: () => answers.length,
    /** The error's code, or "published". `characters`: of the data, its quotes included. */
    publish: (characters = 2) =>
      publish(
        { space: "s", name: "c" },
        { data: { json: jsonOf("x".repeat(characters - 2)) } },
      ).then(
        () => "published",
        (error: { readonly code?: string }) => error.code,
      ),
  };
}

test("as many publications may wait for the engine as the bound says; one beyond is refused for now", async () => {
  const { publish, answer, handed } = slow();
  const first = publish();
  for (let number = 2; number <= PUBLICATIONS_WAITING_MAX; number += 1) void publish();
  expect(await publish()).toBe("unavailable");
  expect(handed()).toBe(PUBLICATIONS_WAITING_MAX);
  answer();
  expect(await first).toBe("published");
  void publish();
  expect(handed()).toBe(PUBLICATIONS_WAITING_MAX);
});

test("as many characters may wait, and one publication of any size", async () => {
  const { publish, answer, handed } = slow();
  const half = PUBLICATIONS_WAITING_CHARACTERS_MAX / 2;
  const waiting = [publish(half), publish(half)];
  expect(await publish()).toBe("unavailable");
  answer();
  answer();
  expect(await Promise.all(waiting)).toEqual(["published", "published"]);
  const large = publish(PUBLICATIONS_WAITING_CHARACTERS_MAX + 1);
  expect(handed()).toBe(1);
  expect(await publish()).toBe("unavailable");
  answer();
  expect(await large).toBe("published");
});
