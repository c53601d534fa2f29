/**
 * HTTP publish: `npx bun bench/http-publish.ts`.
 * What a publish to a channel that nobody is in costs the server: 64, 8 and 1 calls in flight, and batches of 10 and 100 with 8 in flight.
 */
import { startCarillon } from "./harness/carillon.ts";
import { startHttpAnswer } from "./harness/floors.ts";
import { PublishersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { RowSpec, Sample } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import { cpuOf, payload, type Publishing, type Target } from "./harness/targets.ts";

const PAYLOAD_BYTES = 128;
export const CALLS = [
  { what: "64 in flight", lanes: 64, batch: 1 },
  { what: "8 in flight", lanes: 8, batch: 1 },
  { what: "1 in flight", lanes: 1, batch: 1 },
  // Due in bursts, which pass 8 at a time: at full rate without a rest the load would take as much of its core as the server.
  { what: "batch of 10", lanes: 8, batch: 10, burst: 400 },
  { what: "batch of 100", lanes: 8, batch: 100, burst: 80 },
] as const;
const WARM_UP_LANES = [64, 1, 1, 1, 1];
type What = (typeof CALLS)[number]["what"];

const BURSTS_PER_SECOND = 25;

/** The `api` listener is on `node:http` where a dialect reads the body of a GET, and on Bun's own server elsewhere. */
const LISTENERS = ["Bun's server", "node:http"] as const;
/** Of Centrifugo's processor time. */
const OF_PEER_MAX = {
  "Bun's server": {
    ...{ "64 in flight": 0.75, "8 in flight": 1, "1 in flight": 1 },
    ...{ "batch of 10": 0.7, "batch of 100": 0.7 },
  },
  "node:http": {
    ...{ "64 in flight": 0.9, "8 in flight": 1, "1 in flight": 1 },
    ...{ "batch of 10": 0.7, "batch of 100": 0.7 },
  },
} as const satisfies Record<(typeof LISTENERS)[number], Record<What, number>>;

export const benchHttpPublish: Bench = {
  name: "publish",
  floor: "`node:http` that reads the same requests and answers them",
  async take(round) {
    const contenders: readonly Contender[] = [
      { name: "Bun's server", side: "own", start: () => startCarillon() },
      { name: "node:http", side: "own", start: () => startCarillon({ resource: "bench" }) },
      ...centrifugo(),
      { name: "bare node:http", side: "floor", start: () => startHttpAnswer() },
    ];
    await round.each(contenders, async (target, { name, side }) => {
      await warmUp(round, target);
      for (const call of CALLS) {
        const sample = await publish(round, [target], call);
        for (const listener of LISTENERS) {
          if (side !== "own" || listener === name) round.add(row(listener, call), side, sample);
        }
      }
    });
  },
};

function row(listener: (typeof LISTENERS)[number], { what }: (typeof CALLS)[number]): RowSpec {
  return {
    ...{ name: `publish, ${what}, ${listener}`, unit: "publishes/s" },
    budget: { ofPeer: OF_PEER_MAX[listener][what] },
  };
}

/** A server that just started compiles its code meanwhile: with few in flight it takes longest. */
export async function warmUp(round: Round, target: Target): Promise<void> {
  if (round.quick) return;
  for (const lanes of WARM_UP_LANES) await publish(round, [target], { lanes, batch: 1 });
}

export interface Call {
  readonly lanes: number;
  /** Publishes in one of them. */
  readonly batch: number;
  /** Calls that are due together, 25 times a second. Default: each next one leaves when one was answered. */
  readonly burst?: number;
  /** Default: `bench`. */
  readonly channel?: string;
}

/** Warms up first, as fast as it goes. Several targets are nodes of one, each of which has its share of the lanes. */
export async function publish(
  round: Round,
  targets: readonly Target[],
  { lanes, batch, burst, channel = "bench" }: Call,
): Promise<Sample> {
  const all = targets.map(({ name, publishing }) => {
    if (publishing === undefined) throw new Error(`${name} takes no publishes`);
    return { process: new PublishersProcess(), request: requests(publishing, channel, batch) };
  });
  const share = 1 / targets.length;
  const pace =
    burst === undefined
      ? {}
      : { perSecond: burst * BURSTS_PER_SECOND * share, together: burst * share };
  const run = (own: { readonly seconds: number } & Partial<typeof pace>) =>
    Promise.all(
      all.map(({ process, request: { body, ...to } }) =>
        process.run(to, body, { lanes: lanes * share, ...own }),
      ),
    );
  try {
    await run({ seconds: round.seconds(burst === undefined ? 0.5 : 1.5) });
    const before = targets.reduce((sum, target) => sum + cpuOf(target), 0);
    const reports = await run({ ...pace, seconds: round.seconds(1.2) });
    const after = targets.reduce((sum, target) => sum + cpuOf(target), 0);
    const publications = reports.reduce((sum, report) => sum + report.publications, 0);
    return {
      cpuUs: ((after - before) * 1e6) / publications,
      value: reports.reduce((sum, report) => sum + report.publications / report.seconds, 0),
      generator: reports.reduce((sum, { cpu }) => sum + cpu, 0),
    };
  } finally {
    for (const { process } of all) await process[Symbol.asyncDispose]();
  }
}

function requests(publishing: Publishing, channel: string, batch: number) {
  const data = payload(PAYLOAD_BYTES);
  if (batch === 1) return { ...publishing, body: publishing.body(channel, data) };
  const command = `{"publish":{"channel":"${channel}","data":${data}}}`;
  const commands = Array.from({ length: batch }, () => command).join(",");
  return { ...publishing, path: "/api/batch", body: `{"commands":[${commands}]}` };
}

if (import.meta.main) await main([benchHttpPublish]);
