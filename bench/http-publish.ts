/**
 * HTTP publish: `npx bun bench/http-publish.ts`, about a minute.
 * Publishes a second to a channel that nobody is in, 64 in flight and one, beside a bare `node:http` that reads the
 * same requests and answers them.
 */
import { inTurn } from "./harness/fan-out.ts";
import { findCentrifugo, startHttpAnswer } from "./harness/floors.ts";
import { startCarillon } from "./harness/carillon.ts";
import { PublishersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { atLeast, median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";

const IN_FLIGHT = [64, 1];
const PAYLOAD_BYTES = 128;
const WARM_UP_SECONDS = 2;

export async function benchHttpPublish({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const centrifugo = findCentrifugo();
  const targets = [
    { name: "Carillon", start: () => startCarillon() },
    { name: "bare node:http", start: startHttpAnswer },
    ...(typeof centrifugo === "string" ? [] : [{ name: "Centrifugo", start: centrifugo }]),
  ];
  const measurements: Measurement[] = [];
  for (const lanes of IN_FLIGHT) {
    const pace = { lanes, seconds: quick ? 2 : 5 };
    const results = await inTurn(runs, targets, (target) => publish(target, pace));
    const rates = results.map((found) => found.map(({ perSecond }) => perSecond));
    const [own = [], floor = [], peer] = rates;
    for (const [index, { name }] of targets.entries()) {
      const found = rates[index] ?? [];
      measurements.push({
        ...{ what: `${name}, ${lanes} in flight`, unit: "publishes/s", runs: found },
        generatorCpu: results[index]?.map(({ generatorCpu }) => generatorCpu) ?? [],
        ...(index === 1 ? {} : { ofFloor: ratio(found, floor) }),
        ...(index === 0 && peer !== undefined
          ? { budget: atLeast("Centrifugo", median(own), median(peer)) }
          : {}),
      });
    }
  }
  const absent = "The budget, at least Centrifugo's rate, cannot be judged without it.";
  return {
    title: "HTTP publish to an empty channel, 128 B",
    measurements,
    notes: typeof centrifugo === "string" ? [centrifugo, absent] : [],
  };
}

async function publish(target: Target, pace: { readonly lanes: number; readonly seconds: number }) {
  await using publishers = new PublishersProcess();
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`${target.name} takes no publishes`);
  const body = publishing.body("nobody", payload(PAYLOAD_BYTES));
  await publishers.run(publishing, body, { ...pace, seconds: WARM_UP_SECONDS });
  const { publications, seconds, cpu } = await publishers.run(publishing, body, pace);
  return { perSecond: publications / seconds, generatorCpu: cpu };
}

if (import.meta.main) await main(benchHttpPublish);
