/** Asking all nodes: which handlers answer, and by when. */
import { expect, test } from "bun:test";
import { type Create, setUp } from "./under-test.ts";

export function testControl(create: Create, movesTime: boolean): void {
  const timed = test.skipIf(!movesTime);
  const DEADLINE_MS = 1000;

  test("ask() gathers this node's own answer", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    control.serve((request) => ({ heard: request }));
    const request = { op: "count", of: ["a", null, 1.5] };
    const { answers, nodesAsked } = await control.ask(request, DEADLINE_MS);
    expect(answers).toEqual([{ heard: request }]);
    expect(nodesAsked).toBe(1);
  });

  test("ask() awaits a handler that answers later", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    control.serve(async (request) => {
      await Promise.resolve();
      return request;
    });
    expect((await control.ask(7, DEADLINE_MS)).answers).toEqual([7]);
  });

  test("ask() of one node reaches it by its id, and waits for no other", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    control.serve((request) => ({ heard: request }));
    const here = await control.ask("you", DEADLINE_MS, control.nodeId);
    expect(here).toEqual({ answers: [{ heard: "you" }], nodesAsked: 1 });
    const gone = await control.ask("you", DEADLINE_MS, "a-node-that-is-gone");
    expect(gone).toEqual({ answers: [], nodesAsked: 1 });
  });

  timed("ask() gives up on a handler at the deadline", async () => {
    await using at = await setUp(create);
    const { control } = at.app;
    const { promise, resolve } = Promise.withResolvers<unknown>();
    control.serve(() => promise);
    const asked = control.ask("slow", DEADLINE_MS);
    await at.under.advance(DEADLINE_MS);
    expect(await asked).toEqual({ answers: [], nodesAsked: 1 });
    resolve("too late");
  });

  test("ask() reaches handlers of its own app only", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    at.app.control.serve(() => "here");
    other.control.serve(() => "there");
    expect((await at.app.control.ask("where", DEADLINE_MS)).answers).toEqual(["here"]);
    expect((await other.control.ask("where", DEADLINE_MS)).answers).toEqual(["there"]);
  });

  test("a node has one id, the same for every app", async () => {
    await using at = await setUp(create);
    const other = at.under.engine.app(`${at.appId}-other`);
    expect(at.app.control.nodeId).not.toBe("");
    expect(other.control.nodeId).toBe(at.app.control.nodeId);
  });
}
