/** One channel, many subscribers: what fan-out, latency and processor time per delivery have in common. */
import { PublishersProcess, SubscribersProcess, type Pace } from "./load.ts";
import type { PublishersReport } from "../../src/bench/load/publishers.ts";
import type { SubscribersReport } from "../../src/bench/load/subscribers.ts";
import { payload, type Target } from "./targets.ts";

export const CHANNEL = "bench";
/** At saturation a sample says as much about latency as every message. */
const SAMPLE_EVERY = 64;

export interface FanOutOptions {
  readonly subscribers: number;
  readonly payloadBytes: number;
  readonly pace: Pace;
  readonly warmUpSeconds: number;
  /** Called with the part that is measured. */
  readonly around?: (
    part: () => Promise<PublishersReport | undefined>,
  ) => Promise<PublishersReport | undefined>;
}

export interface FanOut {
  readonly deliveriesPerSecond: number;
  readonly publicationsPerSecond: number;
  /** Microseconds of the server's processor time, its HTTP included. */
  readonly cpuPerDeliveryUs: number;
  readonly missing: number;
  readonly misordered: number;
  readonly generatorCpu: number;
  readonly received: SubscribersReport;
  /** Absent where the target sends by itself. */
  readonly published?: PublishersReport;
}

/** Throws when a connection or publish failed; deliveries that are missing are the caller's to report. */
export async function fanOut(target: Target, options: FanOutOptions): Promise<FanOut> {
  const { subscribers: connections, payloadBytes, pace, warmUpSeconds } = options;
  const { around = (part) => part() } = options;
  await using subscribers = await SubscribersProcess.start(target, {
    ...{ channel: CHANNEL, connections },
    sampleEvery: pace.perSecond === undefined ? SAMPLE_EVERY : 1,
  });
  await using publishers = new PublishersProcess();
  const { publishing, process } = target;
  const body = publishing?.body(CHANNEL, payload(payloadBytes)) ?? "";

  async function publish(seconds: number): Promise<PublishersReport | undefined> {
    if (publishing === undefined) {
      await Bun.sleep(seconds * 1000);
      return undefined;
    }
    const report = await publishers.run(publishing, body, { ...pace, seconds });
    await subscribers.drained(report.publications * connections);
    return report;
  }

  await publish(warmUpSeconds);
  await subscribers.measure();
  const cpuBefore = process.cpuSeconds();
  const published = await around(() => publish(pace.seconds));
  const cpuSeconds = process.cpuSeconds() - cpuBefore;
  const received = await subscribers.report();
  const { messages, misordered, otherOrders, closed } = received;
  if (closed > 0) throw new Error(`${target.name} closed ${closed} connections`);
  const expected = published === undefined ? messages : published.publications * connections;
  return {
    deliveriesPerSecond: messages / received.activeSeconds,
    publicationsPerSecond: messages / connections / received.activeSeconds,
    cpuPerDeliveryUs: (cpuSeconds * 1e6) / messages,
    missing: Math.max(received.missing, expected - messages),
    misordered: misordered + otherOrders,
    generatorCpu: received.cpu + (published?.cpu ?? 0),
    received,
    ...(published === undefined ? {} : { published }),
  };
}

/** The same from each target in turn, again and again, so that what disturbs the machine disturbs all of them. */
export async function inTurn<Result>(
  runs: number,
  targets: readonly { readonly start: () => Promise<Target> }[],
  measure: (target: Target) => Promise<Result>,
): Promise<Result[][]> {
  const results: Result[][] = targets.map(() => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, { start }] of targets.entries()) {
      await using target = await start();
      results[index]?.push(await measure(target));
    }
  }
  return results;
}
