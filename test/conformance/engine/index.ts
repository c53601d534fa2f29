/** What every engine owes the core: one case per promise of `src/core/engine.ts`, one file here per contract. */
import { describe } from "bun:test";
import { testBroker } from "./broker.ts";
import { testControl } from "./control.ts";
import { testHistory } from "./history.ts";
import { testLife } from "./life.ts";
import { testListeners } from "./listeners.ts";
import { testPresence } from "./presence.ts";
import { testQueueOrder } from "./queue-order.ts";
import { testQueueRemove } from "./queue-remove.ts";
import { testQueueWatch } from "./queue-watch.ts";
import { testQueue } from "./queue.ts";
import { testRecords } from "./records.ts";
import { testRepeats } from "./repeats.ts";
import type { Create } from "./under-test.ts";

export interface EngineCapabilities {
  /** False where expiry runs on a clock that a test cannot move (a server's own): the cases of time are then skipped. */
  readonly movesTime: boolean;
}

export function testEngine(name: string, create: Create, { movesTime }: EngineCapabilities): void {
  describe(`${name}: broker`, () => {
    testBroker(create);
    testHistory(create, movesTime);
  });
  describe(`${name}: broker, idempotency and versions`, () => testRepeats(create, movesTime));
  describe(`${name}: broker, listeners`, () => testListeners(create));
  describe(`${name}: presence`, () => testPresence(create));
  describe(`${name}: control`, () => testControl(create, movesTime));
  describe(`${name}: records`, () => testRecords(create, movesTime));
  describe(`${name}: queue`, () => testQueue(create, movesTime));
  describe(`${name}: queue, order keys`, () => testQueueOrder(create, movesTime));
  describe(`${name}: queue, removing`, () => testQueueRemove(create, movesTime));
  describe(`${name}: queue, watching`, () => testQueueWatch(create, movesTime));
  describe(`${name}: life`, () => testLife(create));
}
