/** Channels of a dialect's own space: each publication says what is kept of it, and joiners are replayed the newest. */
import { compactJson } from "./json-text.ts";
import { expect, test } from "bun:test";
import { namespaces, Recorder, recordingEncoder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { createEmbeddedEngine } from "../engines/embedded/index.ts";
import { createHub } from "./create-hub.ts";
import type { Frame, Push } from "./types.ts";

const LATEST = { space: "tasks", name: "t" };
const kept = (ttlMs = 60_000) => ({ history: { size: 1, ttlMs, metaTtlMs: 600_000 } });
const json = (text: string) => ({ data: { json: compactJson(text) } });

async function ownSpace() {
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const onBug = (error: unknown): void => {
    throw error;
  };
  const { broker } = engine.app("a");
  const hub = createHub({
    ...{ app: "a", namespaces: namespaces(), engine: engine.app("a"), runtime, onBug },
  });
  return {
    hub,
    broker,
    runtime,
    async join(id: string, replayNewest: number) {
      const recorder = new Recorder(id);
      const connection = hub.connect(recorder);
      const options = { encoder: recordingEncoder, replayNewest };
      await connection.subscribe(LATEST, options, (answer) => recorder.replied(answer));
      return recorder;
    },
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

function replayed(recorder: Recorder): unknown {
  const [answer] = recorder.recorded;
  if (answer?.got !== "reply") throw new Error("No answer");
  const { position, publications } = answer.subscribed;
  return { offset: position?.offset, data: publications.map(({ data }) => data) };
}

test("a publication's own limits apply outside the namespaces, one by one", async () => {
  await using server = await ownSpace();
  const { hub, runtime } = server;
  expect((await hub.publish(LATEST, json("1"), kept()))?.offset).toBe(1);
  expect((await hub.publish(LATEST, json("2"), kept(1000)))?.offset).toBe(2);
  const page = await hub.history(LATEST, { limit: 10 });
  expect(page.publications.map(({ data }) => data)).toEqual([{ json: compactJson("2") }]);
  await runtime.advance(1000);
  expect((await hub.history(LATEST, { limit: 10 })).publications).toEqual([]);
  expect(await hub.publish(LATEST, json("3"))).toBeUndefined();
});

test("limits of a publication do not apply to a channel that a namespace rules", async () => {
  await using server = await ownSpace();
  const channel = { space: "channels", name: "c" };
  expect(await server.hub.publish(channel, json("1"), kept())).toBeUndefined();
});

test("replayNewest gives a joiner the newest that are kept, and none with 0", async () => {
  await using server = await ownSpace();
  const two = { history: { ...kept().history, size: 2 } };
  for (const text of ["1", "2", "3"]) await server.hub.publish(LATEST, json(text), two);
  expect(replayed(await server.join("one", 1))).toEqual({ offset: 3, data: [{ json: "3" }] });
  const both = { offset: 3, data: [{ json: "2" }, { json: "3" }] };
  expect(replayed(await server.join("nine", 9))).toEqual(both);
  expect(replayed(await server.join("none", 0))).toEqual({ offset: 3, data: [] });
});

test("a publication made while a joiner reads the history is replayed or follows, once", async () => {
  await using server = await ownSpace();
  await server.hub.publish(LATEST, json("1"), kept());
  const joining = server.join("joiner", 1);
  await Promise.all([server.hub.publish(LATEST, json("2"), kept()), joining]);
  const { recorded } = await joining;
  const seen = recorded.flatMap((record) => {
    if (record.got === "reply") return record.subscribed.publications.map(({ data }) => data);
    return record.got === "push" && record.push.type === "publication"
      ? [record.push.publication.data]
      : [];
  });
  expect(seen.filter((data) => "json" in data && data.json === "2")).toHaveLength(1);
  expect(seen.at(-1)).toEqual({ json: compactJson("2") });
});

test("a stream that begins anew does not end a subscription that was promised no position", async () => {
  await using server = await ownSpace();
  const brief = { history: { size: 1, ttlMs: 1000, metaTtlMs: 1000 } };
  await server.hub.publish(LATEST, json("0"), brief);
  const recorder = await server.join("waiting", 1);
  await server.runtime.advance(1000);
  await server.hub.publish(LATEST, json("1"), kept());
  expect(recorder.recorded.map(({ got }) => got)).toEqual(["reply", "push"]);
});

test("a subscriber without groups is told with each frame what it encodes", async () => {
  await using server = await ownSpace();
  const told: unknown[] = [];
  class Completing extends Recorder {
    override send(frame: Frame, push?: Push): void {
      told.push([JSON.parse(String(frame)), push]);
    }
  }
  const completing = new Completing("completing");
  const connection = server.hub.connect(completing);
  await connection.subscribe(LATEST, { encoder: recordingEncoder }, () => {});
  await server.hub.publish(LATEST, json("1"));
  await server.hub.push({ connection: "completing" }, json("2"));
  expect(told).toHaveLength(2);
  for (const [encoded, push] of told as [unknown, unknown][]) expect(encoded).toEqual(push);
});
