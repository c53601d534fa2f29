/** Chance for randomised tests: one seed per run, named in the output, so that a failure can be had again. */

export interface Random {
  readonly seed: number;
  /** From 0 up to `below`, without it. */
  integer(below: number): number;
  chance(probability: number): boolean;
  pick<Item>(items: readonly Item[]): Item;
  bytes(length: number): Uint8Array;
  /** Of letters, escapes, controls, and code points of every UTF-8 length; never a lone surrogate. */
  string(lengthMax: number): string;
  /** Any value that JSON has, nested up to `depth`. */
  json(depth: number): unknown;
}

/** `SEED=…` in the environment replays a run. */
export function createRandom(subject: string): Random {
  const seed = Number(process.env["SEED"] ?? Date.now() % 2 ** 32);
  console.log(`${subject}: SEED=${seed}`);
  return randomFrom(seed);
}

const CHARACTERS = Array.from(
  'abc 0"\\/{}[],:\n\r\t\u0000\u001f\u007fé€\u2028\u00a0\ufeff\u{1f514}',
);
const NAMES = ["a", "data", "channel", "__proto__", "constructor", "", "ü", 'q"q', "0"];

export function randomFrom(seed: number): Random {
  let state = seed >>> 0;
  function fraction(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  }
  const random: Random = {
    seed,
    integer: (below) => Math.floor(fraction() * below),
    chance: (probability) => fraction() < probability,
    pick(items) {
      const item = items[random.integer(items.length)];
      if (item === undefined) throw new Error("Nothing to pick from");
      return item;
    },
    bytes: (length) => Uint8Array.from({ length }, () => random.integer(256)),
    string: (lengthMax) =>
      Array.from({ length: random.integer(lengthMax + 1) }, () => random.pick(CHARACTERS)).join(""),
    json(depth) {
      const kind = random.integer(depth > 0 ? 7 : 5);
      if (kind === 0) return null;
      if (kind === 1) return random.chance(0.5);
      if (kind === 2) return random.integer(2 ** 31) - 2 ** 30;
      if (kind === 3) return (fraction() - 0.5) * 10 ** (random.integer(600) - 300);
      if (kind === 4) return random.string(12);
      const length = random.integer(5);
      if (kind === 5) return Array.from({ length }, () => random.json(depth - 1));
      return Object.fromEntries(
        Array.from({ length }, () => [
          random.chance(0.7) ? random.pick(NAMES) : random.string(4),
          random.json(depth - 1),
        ]),
      );
    },
  };
  return random;
}
