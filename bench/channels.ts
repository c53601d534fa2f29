/**
 * Cost against the number of channels: `npx bun bench/channels.ts`.
 * With 10 to 1,000,000 live channels, each with one subscriber: what one more subscribe, unsubscribe and publish costs.
 * 80 channels come and go meanwhile; publishes go to any of the others by chance, ten in a request. Beside it bare topics.
 */
import { startTopics } from "./harness/floors.ts";
import { startCarillon } from "./harness/carillon.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import type { Bench, Contender } from "./harness/round.ts";
import { payload, type Publishing, type Target } from "./harness/targets.ts";
import type { ChangesReport, ChangesSpec } from "./load/channel-changes.ts";

const SIZES = [10, 1000, 100_000, 1_000_000];
const WITHIN = 3;
const PER_CONNECTION_MAX = 10_000;
const CONNECTIONS = 8;
const PER_FRAME = 10;
const OPERATIONS = ["subscribe", "unsubscribe", "publish"] as const;

interface Costs {
  /** Microseconds of wall time per operation, at the pace of the load described above. */
  readonly subscribe: number;
  readonly unsubscribe: number;
  readonly publish: number;
  readonly missing: number;
  readonly misordered: number;
}

interface Commands {
  subscribe(channel: string): string;
  unsubscribe(channel: string): string;
  batch(publishing: Publishing, channel: string, data: string): Publishing & { body(): string };
}

const STREAMING: Commands = {
  subscribe: (channel) => `{"id":%i,"subscribe":{"channel":"${channel}"}}`,
  unsubscribe: (channel) => `{"id":%i,"unsubscribe":{"channel":"${channel}"}}`,
  batch(publishing, channel, data) {
    const command = `{"publish":{"channel":"${channel}","data":${data}}}`;
    const commands = Array.from({ length: PER_FRAME }, () => command).join(",");
    return { ...publishing, path: "/api/batch", body: () => `{"commands":[${commands}]}` };
  },
};

const TOPICS: Commands = {
  subscribe: (channel) => `s ${channel}`,
  unsubscribe: (channel) => `u ${channel}`,
  batch(publishing, channel, data) {
    const lines = Array.from({ length: PER_FRAME }, () => publishing.body(channel, data));
    return { ...publishing, body: () => lines.join("\n") };
  },
};

export const benchChannels: Bench = {
  name: "channels",
  floor: "bare `Bun.serve` topics",
  // A million subscribes take half a minute.
  roundsMax: 3,
  async take(round) {
    const sizes = round.quick ? SIZES.slice(0, 3) : SIZES;
    const contenders: readonly Contender[] = [
      {
        ...{ name: "Carillon", side: "own" },
        start: () => startCarillon({ channelsPerConnection: PER_CONNECTION_MAX }),
      },
      { name: "topics", side: "floor", start: startTopics },
    ];
    /** Of Carillon's, by size. */
    const found: Costs[] = [];
    for (const channels of sizes) {
      await round.each(contenders, async (target, { side }) => {
        const costs = await measure(target, side === "own" ? STREAMING : TOPICS, channels);
        if (side === "own") found.push(costs);
        const { missing, misordered } = costs;
        for (const operation of OPERATIONS) {
          const name = `${operation}, ${channels.toLocaleString("en")} channels`;
          const checks = operation === "publish" ? { missing, misordered } : {};
          round.add({ name, unit: "µs" }, side, { value: costs[operation], ...checks });
        }
      });
    }
    for (const operation of OPERATIONS) {
      const each = found.map((costs) => costs[operation]);
      const name = `${operation}, dearest to cheapest of 10 to 1,000,000 channels`;
      const value = Math.max(...each) / Math.min(...each);
      round.add({ name, unit: "×", budget: { value: WITHIN } }, "own", { value });
    }
  },
};

async function measure(target: Target, commands: Commands, channels: number): Promise<Costs> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  const { init, texts = [], replies } = await target.join("idle");
  const join = { init: init.slice(0, -1), replies: replies - 1 };
  const connections = Math.ceil(channels / PER_CONNECTION_MAX);
  const lines = channels / connections;
  const line = commands.subscribe("c%07d").replace("%i", "1%07d");
  const bulk = { line, lines, linesPerFrame: 500 };
  await using holders = await SubscribersProcess.start(target, {
    ...{ channel: "", connections, texts, bulk, opening: 4, complete: false },
    ...{ init: join.init, replies: join.replies + lines },
  });
  await using changer = new ChildProcess(bun("load/channel-changes.ts"), { on: "load" });
  const spec: ChangesSpec = {
    ...target.sockets,
    ...{ init, replies, text: texts[0] ?? "", connections: CONNECTIONS, perFrame: PER_FRAME },
    subscribe: commands.subscribe("new%d"),
    unsubscribe: commands.unsubscribe("new%d"),
  };
  await changer.ask(spec);
  await changer.ask<ChangesReport>("100");
  const changes = await changer.ask<ChangesReport>("250");

  await using publishers = new PublishersProcess();
  const batch = commands.batch(publishing, "c@cccccc", payload(128));
  const pace = { lanes: CONNECTIONS, channels };
  await publishers.run(batch, batch.body(), { ...pace, seconds: 1 });
  await Bun.sleep(500);
  await holders.measure();
  const published = await publishers.run(batch, batch.body(), { ...pace, seconds: 3 });
  await holders.drained(published.publications);
  const { messages, misordered } = await holders.report();
  return {
    subscribe: (changes.subscribeSeconds * 1e6) / changes.operations,
    unsubscribe: (changes.unsubscribeSeconds * 1e6) / changes.operations,
    publish: (published.seconds * 1e6) / published.publications,
    missing: published.publications - messages,
    misordered,
  };
}

if (import.meta.main) await main([benchChannels]);
