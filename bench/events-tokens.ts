/**
 * The events API: `npx bun bench/events-tokens.ts`, about a minute.
 * Tokens a second, each for a verified bearer of a provisioned organisation, and events a second to their 202: one by one with and
 * without an id of their own, and in batches of 100. 64 in flight and one, beside a bare `node:http` that reads and answers.
 */
import { startCarillonEvents } from "./harness/carillon.ts";
import { startHttpAnswer } from "./harness/floors.ts";
import { PublishersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Publishing } from "./harness/targets.ts";

const IN_FLIGHT = [64, 1];
const PAYLOAD_BYTES = 128;
const BATCH_EVENTS = 100;
const WARM_UP_SECONDS = 2;

type Events = Awaited<ReturnType<typeof startCarillonEvents>>;

interface Row {
  readonly what: string;
  readonly unit: string;
  readonly request: (events: Events) => { readonly to: Publishing; readonly body: string };
  /** Of one request. Default 1. */
  readonly each?: number;
}

const DATA = payload(PAYLOAD_BYTES);
/** Ten digits that no two requests share. */
const OWN_ID = ',"id":"@nnnnnnnnnn"';

const ROWS: readonly Row[] = [
  {
    ...{ what: "connection token", unit: "tokens/s" },
    request: ({ connectionToken }) => ({ to: connectionToken, body: "{}" }),
  },
  {
    ...{ what: "subscription token", unit: "tokens/s" },
    request: ({ subscriptionToken, channel }) => ({
      ...{ to: subscriptionToken, body: `{"channel":"${channel}"}` },
    }),
  },
  {
    ...{ what: "event", unit: "events/s" },
    request: ({ publish, event }) => ({ to: publish, body: event(DATA) }),
  },
  {
    ...{ what: "event with its producer's id", unit: "events/s" },
    request: ({ publish, event }) => ({ to: publish, body: event('{"d":1}', OWN_ID) }),
  },
  {
    ...{ what: `batch of ${BATCH_EVENTS} events`, unit: "events/s", each: BATCH_EVENTS },
    request: ({ publishBatch, event }) => ({
      to: publishBatch,
      body: `[${Array.from({ length: BATCH_EVENTS }, () => event(DATA)).join(",")}]`,
    }),
  },
];

export async function benchEventsTokens({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const measurements: Measurement[] = [];
  for (const lanes of IN_FLIGHT) {
    const pace = { lanes, seconds: quick ? 2 : 5 };
    const rates = ROWS.map((): number[] => []);
    const floor: number[] = [];
    for (let run = 0; run < runs; run++) {
      await using events = await startCarillonEvents();
      for (const [index, { request, each = 1 }] of ROWS.entries()) {
        const { to, body } = request(events);
        rates[index]?.push((await perSecond(to, body, pace)) * each);
      }
      await using bare = await startHttpAnswer();
      if (bare.publishing === undefined) throw new Error("The floor takes no requests");
      floor.push(await perSecond(bare.publishing, DATA, pace));
    }
    const how = `${lanes} in flight`;
    for (const [index, { what, unit }] of ROWS.entries()) {
      const found = rates[index] ?? [];
      measurements.push({
        what: `${what}, ${how}`,
        unit,
        runs: found,
        ofFloor: ratio(found, floor),
      });
    }
    measurements.push({ what: `bare node:http, ${how}`, unit: "requests/s", runs: floor });
  }
  return {
    title: "Events API: tokens and events to 202, 128 B",
    measurements,
    notes: ["A batch counts its events against the floor's requests."],
  };
}

async function perSecond(
  to: Publishing,
  body: string,
  pace: { readonly lanes: number; readonly seconds: number },
): Promise<number> {
  await using publishers = new PublishersProcess();
  await publishers.run(to, body, { ...pace, seconds: WARM_UP_SECONDS });
  const { requests, seconds } = await publishers.run(to, body, pace);
  return requests / seconds;
}

if (import.meta.main) await main(benchEventsTokens);
