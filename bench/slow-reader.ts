/**
 * Does one reader that stops reading slow down its 1,000 neighbours? `npx bun bench/slow-reader.ts`, one minute.
 * Measures publish → receive of the neighbours, from the scheduled time of each publication, first while that reader
 * reads and then, in the same run, while it does not, fills its buffers, is ended as slow and cut. Both halves publish
 * the same: small ones to all, and as many large ones to that reader alone.
 */
import { spawnServer, type ChildServer } from "../test/support/child-server.ts";
import { openClient } from "../test/support/hostile.ts";
import { startLoadClients, type LoadClients } from "../test/support/load-clients.ts";

const NEIGHBOURS = 1_000;
const RUNS = 3;
const PUBLISHES_PER_SECOND = 50;
const SECONDS = 8;
const SMALL_PADDING = "x".repeat(100);
/** At this rate a reader is over its bound about halfway through. */
const LARGE_PADDING = "x".repeat(32_768);

const CONFIG = {
  streaming: { allow_anonymous_connect_without_token: true },
  channel: {
    without_namespace: { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true },
  },
};

interface Measured {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

await using server = await spawnServer({ config: CONFIG });
await using neighbours = startLoadClients();
await neighbours.open(server.websocketUrl, NEIGHBOURS, ["all"]);
let published = 0;

await measure(server, neighbours); // warms up
const ratios: number[] = [];
for (let run = 1; run <= RUNS; run += 1) {
  const reader = await openClient(server);
  reader.send('{"id":2,"subscribe":{"channel":"all"}}\n{"id":3,"subscribe":{"channel":"large"}}');
  const baseline = await measure(server, neighbours);
  reader.pause();
  const stalled = await measure(server, neighbours);
  const left = (await server.metric("carillon_connections")) - NEIGHBOURS;
  reader.destroy();
  ratios.push(stalled.p99 / baseline.p99);
  print(`run ${run} baseline`, baseline);
  print(`run ${run} stalled `, stalled);
  console.log(
    `       ratio of p99 ${ratios.at(-1)?.toFixed(2)}, reader ${left === 0 ? "ended as slow" : "still there"}`,
  );
}
const sorted = ratios.toSorted((a, b) => a - b);
const [least = 0, middle = 0, most = 0] = [sorted[0], sorted[Math.floor(RUNS / 2)], sorted.at(-1)];
console.log(
  `p99 with a stalled reader / baseline: median ${middle.toFixed(2)} (${least.toFixed(2)} to ${most.toFixed(2)}), budget 2`,
);

/** Publishes on a fixed schedule, each channel in order: what is late makes the next late, and counts. */
async function measure(to: ChildServer, load: LoadClients): Promise<Measured> {
  await load.report();
  const startMs = performance.now() + 100;
  let small: Promise<unknown> = Promise.resolve();
  let large: Promise<unknown> = Promise.resolve();
  for (let index = 0; index < PUBLISHES_PER_SECOND * SECONDS; index += 1) {
    const dueMs = startMs + (index * 1000) / PUBLISHES_PER_SECOND;
    await new Promise<void>((resolve) =>
      setTimeout(resolve, Math.max(0, dueMs - performance.now())),
    );
    const number = (published += 1);
    const atMs = (performance.timeOrigin + dueMs).toFixed(3);
    const data = { number, atMs: Number(atMs), padding: SMALL_PADDING };
    small = small.then(() => to.api("publish", { channel: "all", data }));
    const filling = { number, padding: LARGE_PADDING };
    large = large.then(() => to.api("publish", { channel: "large", data: filling }));
  }
  await Promise.all([small, large]);
  await load.received(published);
  const { latenciesMs, outOfOrder, ended, cpu } = await load.report();
  if (outOfOrder + ended > 0) throw new Error(`${outOfOrder} out of order, ${ended} ended`);
  if (cpu > 0.8)
    console.log(`The load clients used ${(cpu * 100).toFixed(0)} % of a core: too much`);
  const ordered = Float64Array.from(latenciesMs).sort();
  const at = (share: number) => ordered[Math.floor(share * (ordered.length - 1))] ?? 0;
  return { p50: at(0.5), p99: at(0.99), max: at(1) };
}

function print(name: string, { p50, p99, max }: Measured): void {
  const ms = (value: number) => `${value.toFixed(2)} ms`;
  console.log(`${name}: p50 ${ms(p50)}, p99 ${ms(p99)}, max ${ms(max)}`);
}
