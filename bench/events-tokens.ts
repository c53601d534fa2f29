/**
 * The events API: `npx bun bench/events-tokens.ts`.
 * Tokens a second, each for a verified bearer of a provisioned organisation, and events a second to their 202: one by one with and
 * without an id of their own, and in batches of 100. 64 in flight and one, beside a bare `node:http` that reads and answers.
 */
import { startCarillonEvents } from "./harness/carillon.ts";
import { startHttpAnswer } from "./harness/floors.ts";
import { PublishersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { ChildProcess } from "./harness/processes.ts";
import type { Sample } from "./harness/records.ts";
import type { Bench } from "./harness/round.ts";
import { payload, type Publishing } from "./harness/targets.ts";

const IN_FLIGHT = [64, 1];
const PAYLOAD_BYTES = 128;
const BATCH_EVENTS = 100;

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

export const benchEventsTokens: Bench = {
  name: "events",
  floor: "`node:http` that reads a body of 128 B and answers",
  async take(round) {
    for (const lanes of IN_FLIGHT) {
      const pace = { lanes, seconds: round.seconds(1.5) };
      const rows = ROWS.map(({ what, ...row }) => ({
        ...row,
        name: `${what}, ${lanes} in flight`,
      }));
      await round.attempt("Carillon", async () => {
        await using events = await startCarillonEvents();
        for (const { name, unit, request, each = 1 } of rows) {
          const { to, body } = request(events);
          round.add({ name, unit }, "own", await taken(events.process, to, body, pace, each));
        }
      });
      await round.each(
        [{ name: "bare", side: "floor", start: () => startHttpAnswer() }],
        async (target) => {
          if (target.publishing === undefined) throw new Error("The floor takes no requests");
          const sample = await taken(target.process, target.publishing, DATA, pace, 1);
          for (const { name, unit } of rows) round.add({ name, unit }, "floor", sample);
        },
      );
    }
  },
};

async function taken(
  server: ChildProcess,
  to: Publishing,
  body: string,
  pace: { readonly lanes: number; readonly seconds: number },
  each: number,
): Promise<Sample> {
  await using publishers = new PublishersProcess();
  await publishers.run(to, body, { ...pace, seconds: pace.seconds / 2 });
  const before = server.cpuSeconds();
  const { requests, seconds, cpu } = await publishers.run(to, body, pace);
  const done = requests * each;
  const cpuUs = ((server.cpuSeconds() - before) * 1e6) / done;
  return { cpuUs, value: done / seconds, generator: cpu };
}

if (import.meta.main) await main([benchEventsTokens]);
