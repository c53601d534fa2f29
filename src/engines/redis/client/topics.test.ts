/** Topics under random orders of subscribing, leaving, answers and losses, on a wire that the test holds. */
import { expect, test } from "bun:test";
import { createTestRuntime } from "../../../../test/support/runtime.ts";
import { Topics, type TopicWire } from "./topics.ts";

const CASES = process.env["CARILLON_SOAK"] === undefined ? 2_000 : 100_000;
const SEED = Number(process.env["SEED"] ?? Math.floor(Math.random() * 2 ** 31));
const NAMES = ["a", "b"];

/** A server's side of one connection: requests are carried out in order, when the test says so. */
class Wire implements TopicWire {
  readonly subscribed = new Set<string>();
  readonly #steps: { readonly run: () => void; readonly lose: () => void }[] = [];

  subscribe(names: readonly string[]): Promise<void> {
    return this.#ask(() => {
      for (const name of names) {
        if (this.subscribed.has(name)) throw new Error(`${name} is subscribed twice`);
        this.subscribed.add(name);
      }
    });
  }

  unsubscribe(name: string): Promise<void> {
    return this.#ask(() => void this.subscribed.delete(name));
  }

  step(): boolean {
    const next = this.#steps.shift();
    next?.run();
    return next !== undefined;
  }

  lose(): void {
    for (const { lose } of this.#steps.splice(0)) lose();
  }

  #ask(carryOut: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#steps.push({
        run() {
          carryOut();
          resolve();
        },
        lose: () => reject(new Error("lost")),
      });
    });
  }
}

test(`what is wanted is subscribed once all is answered (seed ${SEED})`, async () => {
  for (let index = 0; index < CASES; index += 1) {
    try {
      await runCase(SEED + index);
    } catch (cause) {
      throw new Error(`Case of seed ${SEED + index} failed: ${String(cause)}`, { cause });
    }
  }
}, 60_000);

async function runCase(seed: number): Promise<void> {
  const { random } = createTestRuntime(seed);
  const below = (count: number) => Math.floor(random.fraction() * count);
  const heard: string[] = [];
  const topics = new Topics((error) => {
    throw error;
  });
  let wire = new Wire();
  /** By name: the handler that must be called, as the answers to its subscribes say. */
  const wanted = new Map<string, number>();
  let handlers = 0;

  const subscribe = (name: string) => {
    const handler = (handlers += 1);
    wanted.set(name, handler);
    topics
      .subscribe(name, (message) => void heard.push(`${handler} ${message}`), wire)
      .catch(() => {
        if (wanted.get(name) === handler) wanted.delete(name);
      });
  };

  for (let steps = 5 + below(25); steps > 0; steps -= 1) {
    const name = NAMES[below(NAMES.length)] ?? "a";
    const choice = below(10);
    if (choice < 4) subscribe(name);
    else if (choice < 6) {
      wanted.delete(name);
      topics.unsubscribe(name, wire);
    } else if (choice < 9) wire.step();
    else {
      wire.lose();
      topics.lost();
      wire = new Wire();
      topics.restore(wire).catch(() => {});
    }
    if (below(2) === 0) await Promise.resolve();
  }
  for (let quiet = 0; quiet < 3; quiet += 1) {
    while (wire.step()) await Promise.resolve();
    await new Promise<void>((resolve) => setImmediate(resolve));
  }
  expect([...wire.subscribed].sort()).toEqual([...wanted.keys()].sort());
  for (const name of NAMES) topics.dispatch("x", name);
  expect(heard).toEqual(
    NAMES.flatMap((name) => (wanted.has(name) ? [`${wanted.get(name)} x`] : [])),
  );
}

test("what a handler throws is reported, and the next message comes all the same", async () => {
  const bugs: unknown[] = [];
  const topics = new Topics((error) => void bugs.push(error));
  const wire = new Wire();
  const subscribed = topics.subscribe(
    "a",
    (message) => {
      throw new Error(message);
    },
    wire,
  );
  wire.step();
  await subscribed;
  topics.dispatch("one", "a");
  topics.dispatch("two", "a");
  expect(bugs.map(String)).toEqual(["Error: one", "Error: two"]);
});
