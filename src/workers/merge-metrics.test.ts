import { expect, test } from "bun:test";
import { createMetrics } from "../operations/metrics.ts";
import { mergeMetrics } from "./merge-metrics.ts";

test("each family comes once, with the samples of all processes behind it", () => {
  const first = `# HELP a What a is
# TYPE a counter
a{worker="1"} 1
a{x="y z",worker="1"} 2

# HELP b What b is
# TYPE b histogram
b_bucket{le="+Inf",worker="1"} Nan
b_count{worker="1"} 4
`;
  const second = `# HELP c What c is
# TYPE c gauge
c{worker="2"} 5

# HELP a What a is
# TYPE a counter
a{worker="2"} 6
`;
  expect(mergeMetrics([first, second])).toBe(`# HELP a What a is
# TYPE a counter
a{worker="1"} 1
a{x="y z",worker="1"} 2
a{worker="2"} 6

# HELP b What b is
# TYPE b histogram
b_bucket{le="+Inf",worker="1"} Nan
b_count{worker="1"} 4

# HELP c What c is
# TYPE c gauge
c{worker="2"} 5
`);
});

test("what a server tells of itself survives it line by line", async () => {
  const text = await createMetrics({ worker: 1 }).scrape();
  const lines = (all: string) => all.split("\n").filter((line) => line !== "");
  expect(lines(mergeMetrics([text]))).toEqual(lines(text));
  expect(lines(text).every((line) => line.startsWith("# ") || line.includes('worker="1"'))).toBe(
    true,
  );
});
