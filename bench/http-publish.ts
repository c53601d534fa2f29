/**
 * HTTP publish: `npx bun bench/http-publish.ts`, about four minutes.
 * What a publish to a channel that nobody is in costs the server: 1, 8 and 64 calls in flight, and batches of 10 and 100 with
 * 8 in flight, beside a bare `node:http` that reads the same requests and answers them.
 */
import { startCarillon } from "./harness/carillon.ts";
import { compare, peer, type Contender, type Taken } from "./harness/compare.ts";
import { inTurn } from "./harness/fan-out.ts";
import { startHttpAnswer } from "./harness/floors.ts";
import { PublishersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atMost, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Publishing, type Target } from "./harness/targets.ts";

const PAYLOAD_BYTES = 128;
const WARM_UP_SECONDS = 2;
/** The `api` listener is on `node:http` where a dialect reads the body of a GET, and on Bun's own server elsewhere. */
const LISTENERS = { "Bun's server": {}, "node:http": { resource: "bench" } } as const;
const CASES = [
  { what: "64 in flight", lanes: 64, batch: 1, budget: { "Bun's server": 0.75, "node:http": 0.9 } },
  { what: "8 in flight", lanes: 8, batch: 1, budget: { "Bun's server": 1, "node:http": 1 } },
  { what: "1 in flight", lanes: 1, batch: 1, budget: { "Bun's server": 1, "node:http": 1 } },
  { what: "batch of 10", lanes: 8, batch: 10, budget: { "Bun's server": 0.7, "node:http": 0.7 } },
  { what: "batch of 100", lanes: 8, batch: 100, budget: { "Bun's server": 0.7, "node:http": 0.7 } },
] as const;

export async function benchHttpPublish({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const { peers, notes } = peer();
  const contenders: Contender[] = [
    ...Object.entries(LISTENERS).map(([listener, options]) => ({
      name: `Carillon, ${listener}`,
      start: () => startCarillon(options),
    })),
    { name: "bare node:http", start: startHttpAnswer, part: "floor" },
    ...peers,
  ];
  const measurements: Measurement[] = [];
  for (const { what, lanes, batch, budget } of CASES) {
    const pace = { lanes, seconds: quick ? 2 : 5 };
    const results = await inTurn(runs, contenders, (target) => publish(target, pace, batch));
    measurements.push(
      ...compare(what, "publishes/s", contenders, results, ({ what: name, ofPeer }) => {
        const most = name.includes("node:http") ? budget["node:http"] : budget["Bun's server"];
        return ofPeer === undefined ? undefined : atMost(`${most} × Centrifugo`, ofPeer, most);
      }),
    );
  }
  return { title: "HTTP publish to an empty channel, 128 B", measurements, notes };
}

/** Warms up first. `batch`: publishes in one call. */
export async function publish(
  target: Target,
  pace: { readonly lanes: number; readonly seconds: number },
  batch = 1,
): Promise<Taken> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  await using publishers = new PublishersProcess();
  const { body, ...to } = requests(publishing, batch);
  await publishers.run(to, body, { ...pace, seconds: WARM_UP_SECONDS });
  const before = target.process.cpuSeconds();
  const { publications, seconds, cpu } = await publishers.run(to, body, pace);
  const cpuSeconds = target.process.cpuSeconds() - before;
  return {
    cpuUs: (cpuSeconds * 1e6) / publications,
    perSecond: publications / seconds,
    generatorCpu: cpu,
  };
}

function requests(publishing: Publishing, batch: number) {
  const data = payload(PAYLOAD_BYTES);
  if (batch === 1) return { ...publishing, body: publishing.body("bench", data) };
  const command = `{"publish":{"channel":"bench","data":${data}}}`;
  const commands = Array.from({ length: batch }, () => command).join(",");
  return { ...publishing, path: "/api/batch", body: `{"commands":[${commands}]}` };
}

if (import.meta.main) await main(benchHttpPublish);
