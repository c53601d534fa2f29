/** Services that nodes offer each other by name: who answers, and when. */
import { describe, expect, test } from "bun:test";
import { embeddedHub, onBug, PLAIN } from "../../test/support/hub.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createHub } from "./create-hub.ts";

describe("ask()", () => {
  test("reaches the node that has an answer, whichever it is", async () => {
    const runtime = createTestRuntime(1);
    const cluster = new SimulatedCluster({ random: runtime.random, lossRate: 0 });
    const [a, b] = [0, 1].map(() =>
      createHub({ app: "a", namespaces: PLAIN, engine: cluster.node(), runtime, onBug }),
    );
    const sessions = new Map([["s1", "here"]]);
    a?.serve("sessions", () => null);
    b?.serve("sessions", (id) => sessions.get(id as string) ?? null);
    const asked = Promise.all([
      a?.ask("sessions", "s1"),
      b?.ask("sessions", "s1"),
      a?.ask("sessions", "s1", { node: b?.nodeId ?? "" }),
      b?.ask("sessions", "s1", { node: a?.nodeId ?? "" }),
      a?.ask("sessions", "s2"),
      a?.ask("unknown service", "s1"),
    ]);
    await cluster.settle();
    expect(await asked).toEqual([["here"], ["here"], ["here"], [], [], []]);
  });

  test("waits for an answer that takes its time, up to its own deadline", async () => {
    await using server = await embeddedHub();
    const { hub, runtime } = server;
    const { promise, resolve } = Promise.withResolvers<string>();
    hub.serve("poll", () => promise);
    const [patient, hasty] = [hub.ask("poll", 0, { deadlineMs: 30_000 }), hub.ask("poll", 0)];
    await runtime.advance(1_000);
    expect(await hasty).toEqual([]);
    resolve("frame");
    expect(await patient).toEqual(["frame"]);
  });

  test("is answered by its own app alone", async () => {
    await using server = await embeddedHub();
    server.other.serve("sessions", () => "there");
    expect(await server.hub.ask("sessions", "s1")).toEqual([]);
  });
});
