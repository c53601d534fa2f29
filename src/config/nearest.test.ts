import { expect, test } from "bun:test";
import { nearest } from "./nearest.ts";

test.each([
  ["prot", ["host", "port"], "port"],
  ["histroy_size", ["history_ttl", "history_size"], "history_size"],
  ["tsl", ["tls"], "tls"],
  ["a", ["b"], "b"],
])("%s among %p is %s", (word, candidates, meant) => {
  expect(nearest(word, candidates)).toBe(meant);
});

test("one slip in three characters is near, one more is another word", () => {
  expect(nearest("abcdef", ["xycdef"])).toBe("xycdef");
  expect(nearest("abcdef", ["xyzdef"])).toBeUndefined();
  expect(nearest("apps", ["port", "data_dir", "workers"])).toBeUndefined();
});
