/** An engine that goes away between a client's answer and what the others are told. */
import { expect, test } from "bun:test";
import { namespaces, Recorder, recordingEncoder } from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { createEmbeddedEngine } from "../engines/embedded/index.ts";
import { createHub } from "./create-hub.ts";
import type { AppEngine } from "./engine.ts";
import { HubError } from "./errors.ts";
import { compactJson } from "./json-text.ts";

test("a join or leave that cannot be announced undoes nothing that was answered", async () => {
  const runtime = createTestRuntime();
  await using embedded = createEmbeddedEngine({
    dataDir: undefined,
    durability: "normal",
    runtime,
  });
  await embedded.start();
  const whole = embedded.app("a");
  const away = new HubError("unavailable", "Away");
  const engine: AppEngine = {
    ...whole,
    broker: { ...whole.broker, announce: () => Promise.reject(away) },
  };
  const bugs: unknown[] = [];
  const hub = createHub({
    app: "a",
    namespaces: namespaces({ presence: true, joinLeave: true }),
    engine,
    runtime,
    onBug: (error) => void bugs.push(error),
  });
  const channel = { space: "channels", name: "c" };
  const recorder = new Recorder("one");
  const connection = hub.connect(recorder);
  await connection.subscribe(channel, { encoder: recordingEncoder }, (answer) =>
    recorder.replied(answer),
  );
  await hub.publish(channel, { data: { json: compactJson("1") } });
  expect(recorder.recorded.map(({ got }) => got)).toEqual(["reply", "push"]);
  expect(await connection.unsubscribe(channel)).toBe(true);
  expect(await hub.presence(channel)).toEqual([]);
  expect(bugs).toEqual([away, away]);
});
