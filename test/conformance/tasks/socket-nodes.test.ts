/** Two nodes on a simulated network: task-tokens.md §5.8; checklist §6 items 26 and 32. */
import { describe, expect, test } from "bun:test";
import { createTestRuntime } from "../../support/runtime.ts";
import { SimulatedCluster } from "../../support/simulated-cluster.ts";
import { createTaskNode, TASK, taskToken } from "../../support/task-nodes.ts";
import type { TaskToken } from "../../../src/dialects/tasks/client-token.ts";

const SEEDS = Array.from({ length: 50 }, (_, index) => index + 1);

/** `controlLossRate` is of what nodes say to each other, such as displacements. */
function twoNodes(seed = 1, { controlLossRate = 0 } = {}) {
  const runtime = createTestRuntime(seed);
  const { random, clock } = runtime;
  const cluster = new SimulatedCluster({ random, clock, lossRate: 0, controlLossRate });
  const bugs: unknown[] = [];
  const node = () => createTaskNode({ engine: cluster.node(), runtime, bugs });
  const [one, two] = [node(), node()];
  return {
    ...{ one, two, cluster, runtime, bugs },
    issue: (options: Partial<TaskToken>) => taskToken(runtime, options),
    /** What the network has to do is done, in an order of chance; time stands still. */
    settle: () => cluster.settle(),
    async finish<Result>(work: Promise<Result>): Promise<Result> {
      let done = false;
      const ended = work.finally(() => {
        done = true;
      });
      while (!done) await cluster.takeStep();
      return ended;
    },
    async advance(ms: number): Promise<void> {
      let moved = false;
      const moving = runtime.advance(ms).then(() => {
        moved = true;
      });
      while (!moved) await cluster.takeStep();
      await moving;
      await cluster.settle();
    },
  };
}

describe("a message", () => {
  test.each(SEEDS.slice(0, 10))(
    "sent on one node reaches the sockets of both, seed %p",
    async (seed) => {
      const nodes = twoNodes(seed);
      const { one, two, issue } = nodes;
      const sockets = [one.connect(issue({})), two.connect(issue({})), two.connect(issue({}))];
      await nodes.settle();
      for (const text of ["a", "b", "c"]) {
        const sent = { taskId: TASK, message: text, newTimeoutMs: 60_000, report: true };
        expect((await nodes.finish(one.context.tasks.invoke(sent))).delivered).toBe(3);
      }
      await nodes.settle();
      for (const { frames } of sockets) {
        expect(frames.map(({ Message }) => Message)).toEqual(["", "a", "b", "c"]);
      }
      const status = await nodes.finish(two.context.tasks.status(TASK));
      expect(status).toMatchObject({ connections: 3, completed: false, expiresInMs: 60_000 });
      expect(nodes.bugs).toEqual([]);
    },
  );
});

describe("a single-use token", () => {
  test.each(SEEDS)("opens one socket of two that race on two nodes, seed %p", async (seed) => {
    const nodes = twoNodes(seed);
    const token = nodes.issue({ singleUse: true });
    const sockets = [nodes.one.connect(token), nodes.two.connect(token)];
    await nodes.settle();
    const ends = sockets.map(({ closeCode }) => closeCode);
    expect(ends.filter((code) => code === undefined)).toHaveLength(1);
    expect(ends.filter((code) => code === 4503)).toHaveLength(1);
  });
});

describe("a connection that stands alone", () => {
  const alone = { singleInstance: true };

  test.each([
    ["the newer one", {}, alone],
    ["the older one", alone, {}],
  ])("ends the older one on another node, where it is %s", async (_, first, second) => {
    const nodes = twoNodes();
    const older = nodes.one.connect(nodes.issue(first));
    await nodes.settle();
    const newer = nodes.two.connect(nodes.issue(second));
    await nodes.settle();
    expect([older.closeCode, older.last?.Error]).toEqual([4501, "replaced"]);
    expect(newer.isOpen).toBe(true);
  });

  test("that no bus message reaches ends itself within 30 s", async () => {
    const nodes = twoNodes(1, { controlLossRate: 1 });
    const older = nodes.one.connect(nodes.issue(alone));
    await nodes.settle();
    const newer = nodes.two.connect(nodes.issue({}));
    await nodes.settle();
    expect(older.isOpen).toBe(true);
    await nodes.advance(30_100);
    expect([older.closeCode, newer.isOpen]).toEqual([4501, true]);
  });

  test("tells a node again that did not hear of it", async () => {
    const nodes = twoNodes(1, { controlLossRate: 1 });
    const older = nodes.one.connect(nodes.issue({}));
    await nodes.settle();
    nodes.two.connect(nodes.issue(alone));
    await nodes.settle();
    expect(older.isOpen).toBe(true);
    nodes.cluster.healControl();
    await nodes.advance(5000);
    expect(older.closeCode).toBe(4501);
  });

  test.each(SEEDS)("is the one that stays of two at once, seed %p", async (seed) => {
    const nodes = twoNodes(seed);
    const sockets = [nodes.one.connect(nodes.issue(alone)), nodes.two.connect(nodes.issue(alone))];
    await nodes.settle();
    expect(sockets.filter(({ isOpen }) => isOpen)).toHaveLength(1);
    expect(sockets.filter(({ closeCode }) => closeCode === 4501)).toHaveLength(1);
  });
});

describe("the task clock", () => {
  test.each(SEEDS.slice(0, 10))("is one on both nodes, seed %p", async (seed) => {
    const nodes = twoNodes(seed);
    const persist = (timeoutMs: number) => nodes.issue({ persistTimeout: true, timeoutMs });
    const sockets = [nodes.one.connect(persist(600_000)), nodes.two.connect(persist(300_000))];
    await nodes.settle();
    // Each displaces the other: the one that stays has the time that the first of them set.
    const [open] = sockets.filter(({ isOpen }) => isOpen);
    const left = open?.last?.Ticks;
    expect(left).toBeOneOf(["10:00", "05:00"]);
    const status = await nodes.finish(nodes.one.context.tasks.status(TASK));
    expect(status.expiresInMs).toBe(left === "10:00" ? 600_000 : 300_000);
  });
});

describe("close_envoy", () => {
  test("ends sockets on the other node, also where it has to be told again", async () => {
    const nodes = twoNodes(1, { controlLossRate: 1 });
    const here = nodes.one.connect(nodes.issue({}));
    const there = nodes.two.connect(nodes.issue({}));
    await nodes.settle();
    await nodes.finish(nodes.one.context.tasks.close(TASK));
    expect([here.closeCode, there.closeCode]).toEqual([4504, undefined]);
    nodes.cluster.healControl();
    await nodes.advance(5000);
    expect([there.closeCode, there.last?.Error]).toEqual([4504, "revoked"]);
  });
});
