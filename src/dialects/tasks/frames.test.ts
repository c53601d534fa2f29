import { expect, test } from "bun:test";
import { errorFrame, formatTicks, messageFrame, tickFrame } from "./frames.ts";

test.each([
  [0, "00:00"],
  [-1, "00:00"],
  [1, "00:01"],
  [1000, "00:01"],
  [1001, "00:02"],
  [59_999, "01:00"],
  [60_000, "01:00"],
  [599_001, "10:00"],
  [5_999_000, "99:59"],
  [6_000_000, "100:00"],
  [172_800_000, "2880:00"],
])("%p ms are %s", (remainingMs, ticks) => {
  expect(formatTicks(remainingMs)).toBe(ticks);
});

test("every frame has the four members in their order", () => {
  expect(tickFrame("09:58")).toBe('{"Error":"","Ticks":"09:58","Message":"","Completed":false}');
  expect(errorFrame("timeout", "00:00")).toBe(
    '{"Error":"timeout","Ticks":"00:00","Message":"","Completed":true}',
  );
  const message = { ticks: "20:00", message: '"AA=="', completed: false };
  expect(messageFrame(message)).toBe(
    '{"Error":"","Ticks":"20:00","Message":"AA==","Completed":false}',
  );
  expect(messageFrame({ ...message, extended: { seq: 7, replay: true } })).toBe(
    '{"Error":"","Ticks":"20:00","Message":"AA==","Completed":false,"Seq":7,"Replay":true}',
  );
});
