/** A hub on the embedded engine for tests, and how they subscribe to it. */
import { namespaces, recordingEncoder, type Recorded, type Recorder } from "./recorder.ts";
import { createTestRuntime, type TestRuntime } from "./runtime.ts";
import { createEmbeddedEngine } from "../../src/engines/embedded/index.ts";
import { createHub, type OwnedHub } from "../../src/core/create-hub.ts";
import type { AppEngine } from "../../src/core/engine.ts";
import type { Connection, Encoder } from "../../src/core/hub.ts";
import { PublishTurns } from "../../src/core/publish-turns.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { Namespaces } from "../../src/core/namespaces.ts";
import type { Channel, StreamPosition } from "../../src/core/types.ts";
import { compactJson } from "../../src/core/json-text.ts";

export const HISTORY = { size: 3, ttlMs: 60_000, metaTtlMs: 600_000 };
export const PLAIN = namespaces();
export const KEPT = namespaces({ history: HISTORY });
export const json = (text: string) => ({ data: { json: compactJson(text) } });

export function channel(name: string): Channel {
  return { space: "channels", name };
}

export interface TestHub extends AsyncDisposable {
  readonly hub: OwnedHub;
  /** Another app's. */
  readonly other: OwnedHub;
  readonly runtime: TestRuntime;
}

export interface TestHubOptions {
  /** Default: `PLAIN`. */
  readonly namespaces?: Namespaces;
  /** What the hubs see of the engine; default: all. */
  readonly change?: (engine: AppEngine) => AppEngine;
  /** Default: it ends the test. */
  readonly onBug?: (error: unknown) => void;
  /** What the hubs see of the runtime; default: all. */
  readonly changeRuntime?: (runtime: TestRuntime) => Runtime;
}

export async function embeddedHub(options: TestHubOptions = {}): Promise<TestHub> {
  const { namespaces: configured = PLAIN, change = (engine) => engine, changeRuntime } = options;
  const runtime = createTestRuntime();
  const engine = createEmbeddedEngine({ dataDir: undefined, durability: "normal", runtime });
  await engine.start();
  const seen = changeRuntime?.(runtime) ?? runtime;
  const turns = new PublishTurns(seen);
  const make = (app: string) =>
    createHub({
      ...{ app, namespaces: configured, engine: change(engine.app(app)) },
      onBug: options.onBug ?? onBug,
      ...{ runtime: seen, turns },
    });
  return {
    hub: make("a"),
    other: make("b"),
    runtime,
    [Symbol.asyncDispose]: () => engine[Symbol.asyncDispose](),
  };
}

export function onBug(error: unknown): void {
  throw error;
}

/** What was recorded, with a publication's data in place of its push. */
export function pushes(recorder: Recorder): unknown[] {
  const types = (record: Recorded) =>
    record.got === "push" && record.push.type === "publication"
      ? record.push.publication.data
      : record;
  return recorder.recorded.map(types);
}

export function subscribeTo(
  recorder: Recorder,
  connection: Connection,
  name: string,
  options: { positioned?: boolean; recoverSince?: StreamPosition; encoder?: Encoder } = {},
): Promise<void> {
  const { member } = recorder;
  const asked = { encoder: recordingEncoder, member, ...options };
  return connection.subscribe(channel(name), asked, (answer) => recorder.replied(answer));
}
