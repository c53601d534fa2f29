import { expect, test } from "bun:test";
import { Slots } from "./slots.ts";

function user(): { wake(): void; woken: number } {
  return {
    woken: 0,
    wake() {
      this.woken += 1;
    },
  };
}

test("an endpoint may have ten, and one once half are taken", () => {
  const slots = new Slots(20);
  expect([slots.perEndpoint, slots.free]).toEqual([10, 20]);
  slots.use(9);
  expect(slots.perEndpoint).toBe(10);
  slots.use(1);
  expect([slots.perEndpoint, slots.free, slots.used]).toEqual([1, 10, 10]);
  slots.release();
  expect(slots.perEndpoint).toBe(10);
});

test("those that wait are woken one per slot, in their order", () => {
  const slots = new Slots(2);
  slots.use(2);
  const [one, two, three] = [user(), user(), user()];
  for (const waiting of [one, two, one, three]) slots.wait(waiting);
  slots.leave(two);
  slots.release();
  expect([one.woken, two.woken, three.woken]).toEqual([1, 0, 0]);
  slots.release();
  slots.release();
  expect([one.woken, two.woken, three.woken]).toEqual([1, 0, 1]);
});
