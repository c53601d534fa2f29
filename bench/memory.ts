/**
 * Memory: `npx bun bench/memory.ts`.
 * What the server's resident memory grows by with 10,000 idle connections, each with one subscription and another user's, per connection:
 * all in one channel, then each in one of its own. From cold, which charges them with all that the server compiles; and by each of the last
 * 8,000. gusher's users log in over HTTP first, which counts as theirs.
 */
import { CHANNEL } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { startCarillon, startCarillonGusher } from "./harness/carillon.ts";
import { main } from "./harness/main.ts";
import { memoryOf, SubscribersProcess } from "./harness/load.ts";
import { centrifugo, type Bench, type Contender } from "./harness/round.ts";

const CONNECTIONS = 10_000;
const CHANNELS = [
  { channel: "bench", what: "in one channel" },
  { channel: "c%d", what: "each in its own channel" },
];
const GUSHER = ", gusher";

export const benchMemory: Bench = {
  name: "memory",
  floor: "bare `Bun.serve` sockets in a topic",
  roundsMax: 3,
  async take(round) {
    const users = CONNECTIONS;
    const contenders: readonly Contender[] = [
      { name: "", side: "own", start: () => startCarillon({ users }) },
      { name: GUSHER, side: "own", start: () => startCarillonGusher({ channel: CHANNEL, users }) },
      ...centrifugo({ users }),
      { name: "topics", side: "floor", start: startTopics },
    ];
    for (const { channel, what } of CHANNELS) {
      await round.each(contenders, async (target, { name, side }) => {
        const found = await memoryOf(target.process, CONNECTIONS, (connections, part) =>
          SubscribersProcess.start(target, {
            ...{ connections, channel: channel.replace("c%d", `${part}%d`) },
          }),
        );
        for (const dialect of side === "own" ? [name] : ["", GUSHER]) {
          const row = (how: string, most: number) => ({
            ...{ name: `idle, ${what}${dialect}, ${how}`, unit: "KB/connection" },
            budget: { value: most, ofPeer: 1 },
          });
          round.add(row("from cold", 5.5), side, { value: found.fromCold });
          round.add(row("further", 4), side, { value: found.further });
        }
      });
    }
  },
};

if (import.meta.main) await main([benchMemory]);
