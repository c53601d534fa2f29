/** One channel, many subscribers: what they are sent, how late, and what it costs the server. */
import { LANES_MAX } from "../../src/bench/load/tally.ts";
import type { PublishersReport } from "../../src/bench/load/publishers.ts";
import type { SubscribersReport } from "../../src/bench/load/subscribers.ts";
import { PublishersProcess, SubscribersProcess, type Pace } from "./load.ts";
import type { Sample } from "./records.ts";
import { cpuOf, payload, type Target } from "./targets.ts";

export const CHANNEL = "bench";
/** Of many a sample says as much about latency as each. */
const SAMPLE_EVERY = 64;
/** The load process could not keep up with many if it read every message of every subscriber. */
const CHECK_EVERY = 4;

export interface FanOutOptions {
  /** Default: `bench`. */
  readonly channel?: string;
  readonly subscribers: number;
  readonly payloadBytes: number;
  /** Every message is counted, and the order checked at one subscriber in four. */
  readonly many?: boolean;
}

export interface FanOut {
  readonly deliveriesPerSecond: number;
  /** Microseconds of the servers' processor time, their HTTP included. */
  readonly cpuPerDeliveryUs: number;
  readonly missing: number;
  readonly misordered: number;
  readonly generatorCpu: number;
  readonly latencyUs?: SubscribersReport["latencyUs"];
  readonly lateUs?: PublishersReport["lateUs"];
}

type Around = (part: () => Promise<void>) => Promise<void>;

/** Subscribers that are there, and publishers: load, again and again. */
export class FanOutLoad implements AsyncDisposable {
  readonly #options: FanOutOptions;
  readonly #targets: readonly Target[];
  readonly #subscribers: readonly SubscribersProcess[];
  readonly #publishers: readonly PublishersProcess[];

  private constructor(
    targets: readonly Target[],
    options: FanOutOptions,
    subscribers: readonly SubscribersProcess[],
  ) {
    this.#targets = targets;
    this.#options = options;
    this.#subscribers = subscribers;
    this.#publishers = targets.map(() => new PublishersProcess());
  }

  /** Several are nodes of one: each has its share of subscribers and publishers. */
  static async open(options: FanOutOptions, ...targets: readonly Target[]): Promise<FanOutLoad> {
    const { channel = CHANNEL, subscribers, many = false } = options;
    const opened: SubscribersProcess[] = [];
    for (const target of targets) {
      const connections = subscribers / targets.length;
      const checks = many
        ? { sampleEvery: SAMPLE_EVERY, checkEvery: CHECK_EVERY }
        : { sampleEvery: 1 };
      opened.push(await SubscribersProcess.start(target, { channel, connections, ...checks }));
    }
    return new FanOutLoad(targets, options, opened);
  }

  /** Throws when a connection or publish failed; deliveries that are missing are told. */
  async run(pace: Pace, warmUpSeconds: number, around: Around = (part) => part()): Promise<FanOut> {
    await this.#publish({ ...pace, seconds: warmUpSeconds });
    for (const subscribers of this.#subscribers) await subscribers.measure();
    const before = this.#cpuSeconds();
    let published: readonly PublishersReport[] = [];
    await around(async () => {
      published = await this.#publish(pace);
    });
    const cpuSeconds = this.#cpuSeconds() - before;
    const received: SubscribersReport[] = [];
    for (const subscribers of this.#subscribers) received.push(await subscribers.report());
    return this.#told(published, received, cpuSeconds);
  }

  async #publish(pace: Pace): Promise<readonly PublishersReport[]> {
    const { channel = CHANNEL, subscribers, payloadBytes } = this.#options;
    const share = 1 / this.#targets.length;
    const reports = await Promise.all(
      this.#targets.map(async ({ publishing }, index) => {
        // It sends by itself.
        if (publishing === undefined) return Bun.sleep(pace.seconds * 1000);
        const body = publishing.body(channel, payload(payloadBytes));
        const own = { ...shared(pace, share), firstLane: (index * LANES_MAX) / 2 };
        return this.#publishers[index]?.run(publishing, body, own);
      }),
    );
    const found = reports.filter((report) => report !== undefined);
    const publications = found.reduce((sum, report) => sum + report.publications, 0);
    for (const each of this.#subscribers) {
      if (found.length > 0) await each.drained(publications * subscribers * share);
    }
    return found;
  }

  #told(
    published: readonly PublishersReport[],
    received: readonly SubscribersReport[],
    cpuSeconds: number,
  ): FanOut {
    const sum = (
      member: "messages" | "missing" | "misordered" | "otherOrders" | "closed" | "cpu",
    ) => received.reduce((total, report) => total + report[member], 0);
    if (sum("closed") > 0) throw new Error(`The server closed ${sum("closed")} connections`);
    const messages = sum("messages");
    const publications = published.reduce((total, report) => total + report.publications, 0);
    const expected = published.length === 0 ? messages : publications * this.#options.subscribers;
    const seconds = Math.max(...received.map((report) => report.activeSeconds));
    const { latencyUs } = received[0] ?? {};
    const { lateUs } = published[0] ?? {};
    return {
      deliveriesPerSecond: messages / seconds,
      cpuPerDeliveryUs: (cpuSeconds * 1e6) / messages,
      missing: Math.max(sum("missing"), expected - messages),
      misordered: sum("misordered") + sum("otherOrders"),
      generatorCpu: published.reduce((total, report) => total + report.cpu, sum("cpu")),
      ...(latencyUs === undefined ? {} : { latencyUs }),
      ...(lateUs === undefined ? {} : { lateUs }),
    };
  }

  #cpuSeconds(): number {
    return this.#targets.reduce((sum, target) => sum + cpuOf(target), 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const process of [...this.#subscribers, ...this.#publishers]) {
      await process[Symbol.asyncDispose]();
    }
  }
}

function shared({ lanes, perSecond, together, seconds }: Pace, share: number): Pace {
  return {
    ...{ lanes: lanes * share, seconds },
    ...(perSecond === undefined ? {} : { perSecond: perSecond * share }),
    ...(together === undefined ? {} : { together: together * share }),
  };
}

export function sampleOf(found: FanOut): Sample {
  const { cpuPerDeliveryUs: cpuUs, deliveriesPerSecond: value, generatorCpu: generator } = found;
  return { value, cpuUs, generator, missing: found.missing, misordered: found.misordered };
}
