/**
 * A push by pattern: `npx bun bench/pattern-push.ts`.
 * 100,000 live channels with a subscriber each, of which a pattern matches 1,000 or fewer: from request to answer, and what the longest
 * turn of the server's event loop takes meanwhile.
 */
import { startCarillon } from "./harness/carillon.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import { median } from "./harness/records.ts";
import type { Bench } from "./harness/round.ts";
import { payload, type Target } from "./harness/targets.ts";
import { WATCHED_SERVER, watched } from "./harness/watched.ts";

const CHANNELS = 100_000;
const CONNECTIONS = 10;
const PUSHES = 5;

/** Channels are `c0000000` to `c0099999`. */
const PATTERNS: readonly (readonly [pattern: string, matching: number])[] = [
  ["^c0000", 1_000],
  ["000$", 100],
  ["(?i)^C0000", 1_000],
  ["^c00(00|99)[0-9]{1}5", 200],
  ["^c[0-9]+77$", 1_000],
  ["nothing", 0],
];
const PUSH = {
  ...{ name: "push by pattern over 100,000 channels, the dearest", unit: "ms" },
  budget: { value: 50 },
};
const TURN = { name: "longest turn meanwhile", unit: "ms", budget: { value: 10 } };

export const benchPatternPush: Bench = {
  name: "pattern-push",
  roundsMax: 3,
  async take(round) {
    for (const program of [undefined, WATCHED_SERVER]) {
      const start = () =>
        startCarillon({
          channelsPerConnection: CHANNELS / CONNECTIONS,
          ...(program === undefined ? {} : { program }),
        });
      await round.each([{ name: "Carillon", side: "own", start }], async (target, { side }) => {
        await using _holders = await hold(target);
        for (const [pattern, matching] of PATTERNS) await push(target, pattern, matching);
        if (program === undefined) round.add(PUSH, side, { value: await dearest(target) });
        else {
          const { turns } = await watched(target.process, () => dearest(target));
          round.add(TURN, side, { value: turns.cpuMs.max });
        }
      });
    }
  },
};

/** Subscribers of all of them. */
export async function hold(target: Target): Promise<SubscribersProcess> {
  const { init, texts = [], replies } = await target.join("idle");
  const lines = CHANNELS / CONNECTIONS;
  const line = '{"id":1%07d,"subscribe":{"channel":"c%07d"}}';
  const holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: CONNECTIONS, texts, opening: 4, complete: false },
    bulk: { line, lines, linesPerFrame: 500 },
    ...{ init: init.slice(0, -1), replies: replies - 1 + lines },
  });
  // The heap comes to rest after so many subscribes.
  await Bun.sleep(1000);
  return holders;
}

/** Milliseconds, each pattern by the median of its pushes. */
async function dearest(target: Target): Promise<number> {
  let most = 0;
  for (const [pattern, matching] of PATTERNS) {
    const times: number[] = [];
    for (let time = 0; time < PUSHES; time++) times.push(await push(target, pattern, matching));
    most = Math.max(most, median(times));
  }
  return most;
}

async function push({ publishing }: Target, pattern: string, matching: number): Promise<number> {
  const data = payload(128)
    .replace("@nnnnnnnnnn", "1".repeat(11))
    .replace("@ttttttttttttttt", "1".repeat(16));
  const body = new URLSearchParams({ channel_pattern: pattern, event: "e", data });
  const startMs = performance.now();
  const url = `http://${publishing?.host}:${publishing?.port}/gusher/push/bench`;
  const response = await fetch(url, { method: "POST", body });
  const { total } = (await response.json()) as { total: number };
  if (total !== matching) throw new Error(`"${pattern}" matched ${total}, not ${matching}`);
  return performance.now() - startMs;
}

if (import.meta.main) await main([benchPatternPush]);
