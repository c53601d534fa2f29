/** The embedded engine: what every engine owes the core, and what is left of a handler's bug and of a close. */
import { expect, test } from "bun:test";
import { testEngine } from "../../../test/conformance/engine/index.ts";
import { start, useDirs } from "./test-engine.ts";

const newDir = useDirs();

for (const kind of ["in memory", "in a file"]) {
  testEngine(
    `embedded engine ${kind}`,
    async () => {
      const { engine, runtime } = await start(kind === "in a file" ? { dataDir: newDir() } : {});
      return {
        engine,
        advance: (ms) => runtime.advance(ms),
        [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
      };
    },
    { movesTime: true },
  );
}

test("ask() of a handler that throws gathers no answer and reports the error", async () => {
  await using run = await start();
  const bug = new Error("handler's own");
  run.control.serve(() => {
    throw bug;
  });
  expect(await run.control.ask(1, 1000)).toEqual({ answers: [], nodesAsked: 1 });
  expect(run.bugs).toEqual([bug]);
});

test("a close leaves no timer behind", async () => {
  const run = await start();
  await run.control.ask(1, 1000);
  expect(run.runtime.pendingTimers).toBe(1);
  await run.engine[Symbol.asyncDispose]();
  expect(run.runtime.pendingTimers).toBe(0);
});
