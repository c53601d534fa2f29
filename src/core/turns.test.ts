import { expect, test } from "bun:test";
import { createRandom } from "../../test/support/random.ts";
import { Turns, type Piece } from "./turns.ts";

/** An event loop that a test turns by hand. Pieces are named by their party's letter and a number. */
function createLoop(costMax: number) {
  let soon: (() => void)[] = [];
  let ran: string[] = [];
  const log: string[] = [];
  const turns = new Turns({ soon: (callback) => void soon.push(callback) }, costMax);

  /** Runs what was asked for soon, until something ran or nothing is left. */
  function turn(): string[] {
    ran = [];
    while (soon.length > 0 && ran.length === 0) for (const callback of soon.splice(0)) callback();
    return ran;
  }

  return {
    turns,
    enter(name: string, piece: Partial<Piece> = {}): void {
      const run = (): void => {
        ran.push(name);
        log.push(name);
      };
      turns.enter({ party: name.charAt(0), cost: 1, ...piece, run });
    },
    /** What ran at once. */
    now: () => ran,
    /** All that ran so far. */
    log,
    turn,
    /** What runs in each turn from here on. */
    rest(): string[][] {
      const all: string[][] = [];
      while (turn().length > 0) all.push(ran);
      return all;
    },
  };
}

const names = (party: string, count: number) =>
  Array.from({ length: count }, (_, index) => `${party}${index}`);

test("what a turn has room for runs at once, one more waits for the next", () => {
  const loop = createLoop(3);
  for (const name of names("a", 3)) loop.enter(name);
  expect(loop.now()).toEqual(["a0", "a1", "a2"]);
  loop.enter("a3");
  expect(loop.now()).toHaveLength(3);
  expect(loop.turns.isWaiting("a")).toBe(true);
  expect(loop.rest()).toEqual([["a3"]]);
  expect(loop.turns.isWaiting("a")).toBe(false);
  loop.enter("a4");
  expect(loop.now()).toEqual(["a4"]);
});

test("a party's flood does not hold up another's single piece", () => {
  const loop = createLoop(4);
  for (const name of names("a", 12)) loop.enter(name);
  loop.enter("b0");
  expect(loop.rest()).toEqual([["a4", "b0", "a5", "a6"], ["a7", "a8", "a9", "a10"], ["a11"]]);
});

test("parties with floods share each turn", () => {
  const loop = createLoop(4);
  for (const party of ["a", "b"]) for (const name of names(party, 6)) loop.enter(name);
  expect(loop.rest()).toEqual([
    ["a4", "b0", "a5", "b1"],
    ["b2", "b3", "b4", "b5"],
  ]);
});

test("a piece that costs more than a turn has one to itself", () => {
  const loop = createLoop(4);
  loop.enter("a0");
  loop.enter("b0", { cost: 100 });
  loop.enter("b1");
  loop.enter("c0");
  expect(loop.now()).toEqual(["a0", "c0"]);
  expect(loop.rest()).toEqual([["b0"], ["b1"]]);
});

test("pieces on one thing share its cost within a turn, and pay it again in the next", () => {
  const loop = createLoop(10);
  const on = {};
  for (const name of names("a", 12)) loop.enter(name, { on, cost: 6, costMore: 1 });
  expect(loop.now()).toHaveLength(5);
  expect(loop.rest().map(({ length }) => length)).toEqual([5, 2]);
});

test("a party that was passed over comes before whoever comes later", () => {
  const loop = createLoop(4);
  loop.enter("a0", { cost: 4 });
  loop.enter("b0", { cost: 4 });
  loop.enter("c0", { cost: 4 });
  expect(loop.turn()).toEqual(["b0"]);
  const order: string[] = [];
  for (let turn = 1; turn < 4; turn++) {
    loop.enter(`d${turn}`, { cost: 4 });
    order.push(...loop.turn());
  }
  expect(order).toEqual(["c0", "d1", "d2"]);
});

test("whatever comes: all of it runs, a party's in their order, and no turn takes more than it has room for", () => {
  const random = createRandom("turns");
  const costMax = 20;
  const loop = createLoop(costMax);
  const things = names("t", 3).map(() => ({}));
  const pieces = new Map<string, { on: object; cost: number; costMore: number }>();
  const counts = new Map<string, number>();
  const turns: string[][] = [];
  for (let round = 0; round < 300; round++) {
    for (let more = random.integer(8); more > 0; more--) {
      const party = random.pick(["a", "b", "c"]);
      const number = counts.get(party) ?? 0;
      counts.set(party, number + 1);
      const cost = 1 + random.integer(30);
      const piece = { on: random.pick(things), cost, costMore: 1 + random.integer(cost) };
      pieces.set(`${party}${number}`, piece);
      loop.enter(`${party}${number}`, piece);
    }
    if (random.chance(0.7)) turns.push(loop.turn());
  }
  const all = [...turns, ...loop.rest()];
  expect(loop.log.toSorted()).toEqual([...pieces.keys()].toSorted());
  for (const party of ["a", "b", "c"]) {
    const ran = loop.log.filter((name) => name.startsWith(party));
    expect(ran).toEqual(names(party, ran.length));
    expect(loop.turns.isWaiting(party)).toBe(false);
  }
  for (const turn of all) {
    const on = new Set<object>();
    const cost = turn.reduce((sum, name) => {
      const piece = pieces.get(name);
      if (piece === undefined) throw new Error(`${name} was never asked for`);
      const shared = on.has(piece.on);
      on.add(piece.on);
      return sum + (shared ? piece.costMore : piece.cost);
    }, 0);
    expect(turn.length > 1 ? cost : 0).toBeLessThanOrEqual(costMax);
  }
});

test("what is taken asks for a callback only once it adds up, and no turn takes more for it", () => {
  const callbacks: (() => void)[] = [];
  const turns = new Turns({ soon: (callback) => void callbacks.push(callback) }, 16);
  const taken = (count: number) =>
    Array.from({ length: count }, () => turns.take("a", 1)).filter(Boolean).length;
  expect([taken(1), callbacks.length]).toEqual([1, 0]);
  expect([taken(1), callbacks.length]).toEqual([1, 1]);
  expect([taken(15), callbacks.length]).toEqual([14, 1]);
  callbacks.shift()?.();
  expect([taken(17), callbacks.length]).toEqual([16, 1]);
});
