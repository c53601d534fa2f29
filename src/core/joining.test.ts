/** Ordering promises under random interleavings, on a simulated network engine: nothing lost in silence, nothing twice. */
import { describe, expect, test } from "bun:test";
import {
  namespaces,
  Recorder,
  recordingEncoder,
  RecordingFanout,
} from "../../test/support/recorder.ts";
import { createTestRuntime } from "../../test/support/runtime.ts";
import { SimulatedCluster } from "../../test/support/simulated-cluster.ts";
import { createHub, type OwnedHub } from "./create-hub.ts";
import { HubError } from "./errors.ts";
import type { Connection } from "./hub.ts";
import type { StreamPosition } from "./types.ts";
import { compactJson, jsonOf } from "./json-text.ts";

const CHANNEL = { space: "channels", name: "c" };
const CASES = process.env["CARILLON_SOAK"] === undefined ? 4_000 : 200_000;
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const HISTORY = { size: 8, ttlMs: 60_000, metaTtlMs: 600_000 };

interface Scenario {
  readonly lossRate: number;
  readonly recovering: boolean;
  readonly losesData: boolean;
}

interface Client {
  readonly recorder: Recorder;
  readonly connection: Connection;
  /** What it must have: every offset from here on. Set by its last answer. */
  alive: boolean;
}

/** One case: two nodes, clients that come and go, publications, in an order that the seed decides. */
async function runCase(seed: number, scenario: Scenario): Promise<void> {
  const runtime = createTestRuntime(seed);
  const { random } = runtime;
  const cluster = new SimulatedCluster({ random, lossRate: scenario.lossRate });
  const bugs: unknown[] = [];
  const hubs: OwnedHub[] = [0, 1].map(() =>
    createHub({
      app: "app",
      namespaces: namespaces({ history: HISTORY }),
      engine: cluster.node(),
      runtime,
      onBug: (error) => bugs.push(error),
    }),
  );
  const fanouts = hubs.map(() => new RecordingFanout());
  const clients: Client[] = [];
  const failures: unknown[] = [];
  const pick = (count: number): number => Math.floor(random.fraction() * count);

  function follow(work: Promise<unknown>): void {
    work.catch((error: unknown) => {
      if (!(error instanceof HubError && error.code === "unavailable")) failures.push(error);
    });
  }

  function subscribe(): void {
    const node = pick(2);
    const fanout = fanouts[node];
    const recorder = new Recorder(
      `client-${clients.length}`,
      fanout !== undefined && random.fraction() < 0.7 ? { fanout } : {},
    );
    const connection = hubs[node]?.connect(recorder);
    if (connection === undefined) return;
    const client: Client = { recorder, connection, alive: true };
    clients.push(client);
    const recoverSince = scenario.recovering ? somePosition() : undefined;
    const positioned = random.fraction() < 0.8;
    const options = {
      encoder: recordingEncoder,
      member: recorder.member,
      positioned,
      ...(recoverSince === undefined ? {} : { recoverSince }),
    };
    follow(connection.subscribe(CHANNEL, options, (answer) => recorder.replied(answer)));
  }

  function somePosition(): StreamPosition {
    const { epoch, top } = cluster.stream(CHANNEL.name);
    return { epoch, offset: pick(top + 1) };
  }

  let notes = 0;
  function announce(): void {
    const note = { dialect: "test", json: jsonOf(notes++) };
    follow(hubs[pick(2)]?.note(CHANNEL, note) ?? Promise.resolve());
  }

  function end(client: Client | undefined): void {
    if (client === undefined || !client.alive) return;
    client.alive = false;
    const { connection } = client;
    const ending = random.fraction() < 0.5 ? connection.close() : connection.unsubscribe(CHANNEL);
    if (ending !== undefined) follow(ending);
  }

  for (let action = 0; action < 24; action++) {
    const chance = random.fraction();
    if (chance < 0.2) subscribe();
    else if (chance < 0.5)
      follow(
        hubs[pick(2)]?.publish(CHANNEL, { data: { json: compactJson("1") } }) ?? Promise.resolve(),
      );
    else if (chance < 0.56) end(clients[pick(clients.length)]);
    else if (chance < 0.66) announce();
    else if (chance < 0.67 && scenario.losesData) cluster.forget(CHANNEL.name);
    else await cluster.takeStep();
  }
  await cluster.settle();
  // What the bus lost at the very end shows in the next publication, or when positions are compared.
  await comparePositions(runtime, cluster);

  expect(bugs).toEqual([]);
  expect(failures).toEqual([]);
  const { epoch, top } = cluster.stream(CHANNEL.name);
  for (const { recorder, alive } of clients) {
    checkOrder(recorder, { epoch, top, alive, scenario });
    checkNotes(recorder, cluster.notes, scenario);
  }
}

/**
 * Publications that a note came behind are before it at every client, and all others behind it, unless the bus had lost what the
 * history then gave while the note was still on its way. None comes twice.
 */
function checkNotes(
  recorder: Recorder,
  notes: ReadonlyMap<string, StreamPosition>,
  { lossRate }: Scenario,
): void {
  const seen = new Set<string>();
  let position: StreamPosition | undefined;
  let pushed: StreamPosition | undefined;
  let after: StreamPosition | undefined;
  for (const record of recorder.recorded) {
    if (record.got === "reply") {
      ({ position } = record.subscribed);
      after = undefined;
      pushed = undefined;
    }
    if (record.got !== "push") continue;
    const { push } = record;
    if (push.type === "note") {
      const { json } = push.note;
      expect(seen.has(json)).toBe(false);
      seen.add(json);
      after = notes.get(json);
      if (position?.epoch === after?.epoch) {
        expect(position?.offset ?? 0).toBeGreaterThanOrEqual(after?.offset ?? 0);
      }
      if (lossRate === 0 && pushed?.epoch === after?.epoch)
        expect(pushed?.offset ?? 0).toBe(after?.offset ?? 0);
    } else if (push.type === "publication") {
      ({ position } = push.publication);
      pushed = position;
      if (position?.epoch === after?.epoch) {
        expect(position?.offset ?? 0).toBeGreaterThan(after?.offset ?? 0);
      }
    }
  }
}

async function comparePositions(
  runtime: ReturnType<typeof createTestRuntime>,
  cluster: SimulatedCluster,
): Promise<void> {
  // The comparison asks the engine, whose answers are steps: both go on until neither has anything to do.
  for (let round = 0; round < 2; round++) {
    let moved = false;
    const moving = runtime.advance(40_000).then(() => {
      moved = true;
    });
    while (!moved) await cluster.takeStep();
    await moving;
    await cluster.settle();
  }
}

function checkOrder(
  recorder: Recorder,
  {
    epoch,
    top,
    alive,
    scenario,
  }: { epoch: string; top: number; alive: boolean; scenario: Scenario },
): void {
  let position: StreamPosition | undefined;
  let subscribed = false;
  let positioned = false;
  for (const record of recorder.recorded) {
    if (record.got === "dropped") subscribed = false;
    else if (record.got === "reply") {
      // Promise 2: nothing of the channel came before.
      expect(subscribed).toBe(false);
      subscribed = true;
      const { recovered, publications } = record.subscribed;
      positioned = record.subscribed.position !== undefined;
      ({ position } = record.subscribed);
      if (recovered === true) {
        // Promise 4: exactly what was missed, up to the position.
        const offsets = publications.map((publication) => publication.position?.offset);
        const first = (position?.offset ?? 0) - offsets.length + 1;
        expect(offsets).toEqual(offsets.map((_, index) => first + index));
      } else expect(publications).toEqual([]);
    } else if (record.got === "push" && record.push.type === "publication") {
      expect(subscribed).toBe(true);
      const at = record.push.publication.position;
      expect(at).toBeDefined();
      if (at === undefined) continue;
      // Promise 1: in order, none twice; and none left out without a word.
      if (position !== undefined && position.epoch === at.epoch) {
        expect(at.offset).toBe(position.offset + 1);
      } else if (position !== undefined) expect(positioned).toBe(false);
      position = at;
    }
  }
  // Promise 5: whoever is still subscribed has everything up to the end.
  if (alive && subscribed && position !== undefined && (positioned || scenario.lossRate === 0)) {
    expect(position).toEqual({ epoch, offset: top });
  }
}

describe(`random interleavings, seed ${SEED}`, () => {
  const scenarios: Record<string, Scenario> = {
    "subscribe while publishing": { lossRate: 0, recovering: false, losesData: false },
    "recover while publishing": { lossRate: 0, recovering: true, losesData: false },
    "recover while publishing over a bus that loses messages": {
      ...{ lossRate: 0.15, recovering: true, losesData: false },
    },
    "recover while publishing on an engine that loses its data": {
      ...{ lossRate: 0.05, recovering: true, losesData: true },
    },
  };
  for (const [name, scenario] of Object.entries(scenarios)) {
    test(
      name,
      async () => {
        for (let index = 0; index < CASES; index++) {
          const seed = SEED + index;
          try {
            await runCase(seed, scenario);
          } catch (cause) {
            throw new Error(`Case of seed ${seed} failed: ${String(cause)}`, { cause });
          }
        }
      },
      600_000,
    );
  }
});
