/** One dialect's client: connects, is published to, is cut off and comes back; what is lost, late, doubled or out of order. */
import type { AskedProbe, Probe, ProbeClient } from "../dialects/probe.ts";
import { ProbeRefused, ProbeSkipped } from "../dialects/probe.ts";
import { ClientFailure, connectClient, type OpenClient } from "./client.ts";
import type { Checking } from "./context.ts";
import { whyNoUpgrade } from "./upgrade.ts";
import { refusedCall, refusedClient } from "./refusals.ts";
import type { Finding, Measured } from "./report.ts";

/** Few enough for the smallest of the dialects' rates. */
const PUBLISHED = 10;
const PUBLISHED_AWAY = 3;
/** For what was published to arrive, once the server has taken it. */
const ARRIVAL_MS = 3_000;
const LATENCY_WARNING_MS = 1_000;

export interface Tried {
  readonly dialect: string;
  readonly client: ProbeClient;
  readonly open: OpenClient;
}

/** Undefined: it did not come to a client that receives, and a finding says why. */
export async function tryDialect(
  checking: Checking,
  dialect: string,
  { probe, asked }: { readonly probe: Probe; readonly asked: AskedProbe },
): Promise<Tried | undefined> {
  const { findings } = checking;
  const add = (finding: Omit<Finding, "about">) => findings.add({ ...finding, about: [dialect] });
  let client: ProbeClient;
  try {
    client = await probe.prepare(asked);
  } catch (error) {
    add(notPrepared(error));
    return undefined;
  }
  const trial = new Trial(checking, client);
  try {
    const open = await trial.run((measured) => findings.measure({ dialect, ...measured }));
    if (trial.unpublished !== undefined) add({ ...SKIPPED, message: trial.unpublished });
    for (const finding of trial.faults()) add(finding);
    return { dialect, client, open };
  } catch (error) {
    if (error instanceof ProbeRefused) add(refusedCall(error));
    else if (!(error instanceof ClientFailure)) throw error;
    else if (error.kind === "handshake") add(await whyNoUpgrade(checking, client.path));
    else add(refusedClient(error));
    return undefined;
  }
}

const SKIPPED = { severity: "note", id: "not-tried" } as const;

function notPrepared(error: unknown): Omit<Finding, "about"> {
  if (error instanceof ProbeRefused) return refusedCall(error);
  return { ...SKIPPED, message: error instanceof Error ? error.message : String(error) };
}

/** Publications by number: each text names the run. */
class Trial {
  readonly #checking: Checking;
  readonly #client: ProbeClient;
  readonly #url: URL;
  readonly #sentMs: number[] = [];
  readonly #latencies: number[] = [];
  /** In the order in which they came. */
  readonly #received: number[] = [];
  /** Why nothing was published. */
  unpublished: string | undefined;
  #arrived = (): void => {};
  #run: string;

  constructor(checking: Checking, client: ProbeClient) {
    this.#checking = checking;
    this.#client = client;
    this.#url = new URL(checking.clientsUrl.replace(/^http/, "ws") + client.path);
    this.#run = checking.runtime.random.uuid().slice(0, 8);
  }

  async run(onMeasured: (measured: Omit<Measured, "dialect">) => void): Promise<OpenClient> {
    const { clock } = this.#checking.runtime;
    const startMs = clock.monotonicMs();
    const first = await this.#connect(false);
    const connectMs = clock.monotonicMs() - startMs;
    await this.#publish(PUBLISHED);
    await this.#arrival();
    const cutMs = clock.monotonicMs();
    first.cut();
    await first.ended;
    if (this.#client.recovers) await this.#publish(PUBLISHED_AWAY);
    const again = await this.#connect(true);
    if (!this.#client.recovers) await this.#publish(PUBLISHED_AWAY);
    await this.#arrival();
    onMeasured({
      ...{
        connectMs: Math.round(connectMs),
        published: this.#sentMs.length,
        lost: this.#lost.length,
      },
      ...this.#latency(),
      recoveryMs: Math.round(clock.monotonicMs() - cutMs),
    });
    return again;
  }

  *faults(): Iterable<Omit<Finding, "about">> {
    const sent = this.#sentMs.length;
    const lost = this.#lost;
    const away = lost.filter((number) => number >= PUBLISHED).length;
    if (lost.length > away)
      yield fault(
        "lost",
        `${lost.length - away} of ${PUBLISHED} publications were lost`,
        REMEDIES.lost,
      );
    if (away > 0) {
      const what = this.#client.recovers
        ? "published while it was cut off"
        : "published after it came back";
      yield fault(
        "recovery",
        `${away} of ${sent - PUBLISHED} publications were missed, ${what}`,
        REMEDIES.recovery,
      );
    }
    if (new Set(this.#received).size < this.#received.length) {
      yield fault("doubled", "Publications arrived twice", REMEDIES.order);
    }
    if (this.#received.some((number, at) => number < (this.#received[at - 1] ?? 0))) {
      yield fault("order", "Publications arrived out of order", REMEDIES.order);
    }
    const { median = 0 } = this.#latency().latencyMs ?? {};
    if (median <= LATENCY_WARNING_MS) return;
    const late = `A publication takes ${Math.round(median)} ms to arrive`;
    yield { severity: "warning", id: "latency", message: late, remedy: REMEDIES.latency };
  }

  get #lost(): readonly number[] {
    return [...this.#sentMs.keys()].filter((number) => !this.#received.includes(number));
  }

  #connect(again: boolean): Promise<OpenClient> {
    const { timers } = this.#checking.runtime;
    const onPublished = (text: string) => this.#hear(text);
    return connectClient(this.#client, { url: this.#url, again, timers, onPublished });
  }

  /** One after the other, so that each one's time is its own. */
  async #publish(count: number): Promise<void> {
    const { clock } = this.#checking.runtime;
    for (let left = count; left > 0 && this.unpublished === undefined; left -= 1) {
      if (this.#client.publish === undefined) return;
      const number = this.#sentMs.push(clock.monotonicMs()) - 1;
      try {
        await this.#client.publish(`doctor-${this.#run}-${number}.`);
      } catch (error) {
        if (!(error instanceof ProbeSkipped)) throw error;
        this.unpublished = error.message;
        this.#sentMs.pop();
      }
    }
  }

  #hear(text: string): void {
    const number = Number(new RegExp(`doctor-${this.#run}-(\\d+)\\.`).exec(text)?.[1]);
    const sentMs = this.#sentMs[number];
    if (sentMs === undefined) return;
    this.#received.push(number);
    // What was published while nobody was there says nothing of the way.
    if (number < PUBLISHED)
      this.#latencies.push(this.#checking.runtime.clock.monotonicMs() - sentMs);
    this.#arrived();
  }

  /** Of all that was published, or until there is no more hope. */
  #arrival(): Promise<void> {
    const isWhole = () => this.#lost.length === 0;
    if (isWhole()) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = this.#checking.runtime.timers.after(ARRIVAL_MS, resolve);
      this.#arrived = () => {
        if (!isWhole()) return;
        timer.cancel();
        resolve();
      };
    });
  }

  #latency(): Pick<Measured, "latencyMs"> {
    const sorted = this.#latencies.toSorted((a, b) => a - b);
    const [median, max] = [sorted[Math.floor(sorted.length / 2)], sorted.at(-1)];
    if (median === undefined || max === undefined) return {};
    return { latencyMs: { median: tenths(median), max: tenths(max) } };
  }
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function fault(id: string, message: string, remedy: string): Omit<Finding, "about"> {
  return { severity: "error", id, message, remedy };
}

const REMEDIES = {
  lost: "Check that --api and the address of clients are of one server or one cluster, on one Redis",
  recovery: "Check that all servers behind the balancer are one cluster, on one Redis",
  order: "This is a bug: please report it with the server's version and log",
  latency:
    "Run this nearer to the server; when it is the same there, look at the server's load: GET /admin/api/nodes",
};
