/** The load processes as a benchmark drives them. */
import type { PublishersReport, PublishersSpec } from "../../src/bench/load/publishers.ts";
import type {
  Ready,
  SubscribersReport,
  SubscribersSpec,
} from "../../src/bench/load/subscribers.ts";
import { bun, ChildProcess } from "./processes.ts";
import type { Publishing, Target } from "./targets.ts";

/** How long after the last publication its deliveries may take before they count as missing. */
const DRAIN_SECONDS_MAX = 10;
const DRAIN_LOOK_MS = 50;

export type SubscribersOptions = Pick<SubscribersSpec, "connections"> &
  Partial<SubscribersSpec> & { readonly channel: string };

export class SubscribersProcess implements AsyncDisposable {
  readonly ready: Ready;
  readonly #process: ChildProcess;

  private constructor(process: ChildProcess, ready: Ready) {
    this.#process = process;
    this.ready = ready;
  }

  /** Rejects unless every connection became ready. */
  static async start(target: Target, options: SubscribersOptions): Promise<SubscribersProcess> {
    const { channel, ...rest } = options;
    const process = new ChildProcess(bun("load/subscribers.ts"), { on: "load" });
    const spec: SubscribersSpec = {
      ...target.sockets,
      ...(await target.join(channel)),
      ...{ opening: 100, sampleEvery: 1, complete: true },
      ...rest,
    };
    const ready = await process.ask<Ready>(spec);
    if (ready.failed > 0 || ready.refusal !== undefined) {
      await process[Symbol.asyncDispose]();
      const failures = `${ready.failed} connections to ${target.name} failed: ${ready.refusal}`;
      throw new Error(`${failures}; its process ${target.process.state}`);
    }
    return new SubscribersProcess(process, ready);
  }

  async measure(): Promise<void> {
    await this.#process.ask("measure");
  }

  report(): Promise<SubscribersReport> {
    return this.#process.ask("report");
  }

  /** Resolves when that many messages came, or no more did for a while. */
  async drained(messages: number): Promise<void> {
    for (let waitedMs = 0; waitedMs < DRAIN_SECONDS_MAX * 1000; waitedMs += DRAIN_LOOK_MS) {
      const { messages: count } = await this.#process.ask<{ messages: number }>("count");
      if (count >= messages) return;
      await Bun.sleep(DRAIN_LOOK_MS);
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

export type Pace = Pick<
  PublishersSpec,
  "lanes" | "firstLane" | "seconds" | "perSecond" | "together" | "channels"
>;

export class PublishersProcess implements AsyncDisposable {
  readonly #process = new ChildProcess(bun("load/publishers.ts"), { on: "load" });

  /** Rejects when a publish was not answered with success. */
  async run(
    publishing: Omit<Publishing, "body">,
    body: string,
    pace: Pace,
  ): Promise<PublishersReport> {
    const { host, port, path, headers } = publishing;
    const spec: PublishersSpec = { host, port, path, headers, body, ...pace };
    const report = await this.#process.ask<PublishersReport>(spec);
    if (report.errors > 0) {
      throw new Error(`${report.errors} publishes failed, the first with ${report.firstError}`);
    }
    return report;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#process[Symbol.asyncDispose]();
  }
}

/** Memory counts as settled when it moved by less than this share from look to look, so often in a row. */
const SETTLED_SHARE = 0.002;
/** Garbage goes back some seconds later, once the runtime has found the process at rest. */
const SETTLED_LOOKS = 8;
const SETTLE_SECONDS = 0.6;
const SETTLE_SECONDS_MAX = 20;

export interface Memory {
  /** Of each connection, in kilobytes of 1,024 bytes. */
  readonly fromCold: number;
  readonly further: number;
}

/** What of the server's memory each connection takes: a fifth of them is opened as part `a`, then the others as `b`. */
export async function memoryOf(
  server: ChildProcess,
  connections: number,
  open: (connections: number, part: "a" | "b") => Promise<AsyncDisposable>,
): Promise<Memory> {
  const cold = await settledRss(server);
  const few = connections / 5;
  await using _few = await open(few, "a");
  const some = await settledRss(server);
  await using _others = await open(connections - few, "b");
  const all = await settledRss(server);
  return {
    fromCold: (all - cold) / 1024 / connections,
    further: (all - some) / 1024 / (connections - few),
  };
}

async function settledRss(process: ChildProcess): Promise<number> {
  let rss = process.rssBytes();
  let settled = 0;
  for (let waited = 0; waited < SETTLE_SECONDS_MAX; waited += SETTLE_SECONDS) {
    await Bun.sleep(SETTLE_SECONDS * 1000);
    const next = process.rssBytes();
    settled = Math.abs(next - rss) / rss < SETTLED_SHARE ? settled + 1 : 0;
    rss = next;
    if (settled === SETTLED_LOOKS) break;
  }
  return rss;
}
