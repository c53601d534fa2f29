/**
 * A flood by one app: `npx bun bench/flood.ts`.
 * An app publishes 50 times a second to 200 subscribers, alone and while another app has 64 publishes in flight to 100 of its own: with
 * more of them the load would be busier than the server.
 */
import { CHANNEL, FanOutLoad, type FanOut } from "./harness/fan-out.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { Bench, Round } from "./harness/round.ts";
import { payload, type Target } from "./harness/targets.ts";
import { startTwoApps } from "./harness/two-apps.ts";

const SUBSCRIBERS = 200;
const FLOODED_SUBSCRIBERS = 100;
const PAYLOAD_BYTES = 128;
const PER_SECOND = 50;
const FLOOD_LANES = 64;
/** Longer than what is measured: the opening of its connections, and what is late. */
const FLOOD_MORE_SECONDS = 1;
/** Milliseconds that the other app's flood may add. */
const ADDED_MS_MAX = 10;

export const benchFlood: Bench = {
  name: "flood",
  floor: "the app alone",
  async take(round) {
    await round.attempt("two apps", async () => {
      const { one, other } = await startTwoApps();
      await using _server = one;
      const aloneMs = p99(await measured(round, one));
      await using subscribers = await SubscribersProcess.start(other, {
        ...{
          channel: CHANNEL,
          connections: FLOODED_SUBSCRIBERS,
          sampleEvery: 1000,
          checkEvery: 10,
        },
      });
      await using publishers = new PublishersProcess();
      await subscribers.measure();
      const flooding = flood(round, publishers, other);
      const beside = await measured(round, one);
      const { cpu: flooders, seconds, publications } = await flooding;
      const { cpu } = await subscribers.report();
      const generator = beside.generatorCpu + flooders + cpu;
      const name = `p99 beside another app's flood`;
      const { missing, misordered } = beside;
      const sample = { value: p99(beside), generator, missing, misordered };
      round.add({ name, unit: "ms" }, "own", sample);
      round.add({ name, unit: "ms" }, "floor", { value: aloneMs });
      const added = { name: "what the flood adds to it", unit: "ms" };
      const value = p99(beside) - aloneMs;
      round.add({ ...added, budget: { value: ADDED_MS_MAX } }, "own", { value, generator });
      const rate = { name: "the flood meanwhile", unit: "publishes/s" };
      round.add(rate, "own", { value: publications / seconds });
    });
  },
};

async function measured(round: Round, target: Target): Promise<FanOut> {
  const subscribers = { subscribers: SUBSCRIBERS, payloadBytes: PAYLOAD_BYTES };
  await using load = await FanOutLoad.open(subscribers, target);
  const pace = { lanes: 8, perSecond: PER_SECOND, seconds: round.seconds(4) };
  return await load.run(pace, round.seconds(1));
}

function flood(round: Round, publishers: PublishersProcess, { publishing, name }: Target) {
  if (publishing === undefined) throw new Error(`${name} takes no publishes`);
  const body = publishing.body(CHANNEL, payload(PAYLOAD_BYTES));
  const seconds = round.seconds(4) + round.seconds(1) + FLOOD_MORE_SECONDS;
  return publishers.run(publishing, body, { lanes: FLOOD_LANES, seconds });
}

function p99({ latencyUs }: FanOut): number {
  return (latencyUs?.p99 ?? Number.NaN) / 1000;
}

if (import.meta.main) await main([benchFlood]);
