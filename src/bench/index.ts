/**
 * Load on a running server that speaks the streaming protocol and its API (centrifugo-protocol.md §1, §3, §10): how fast it takes
 * connections, delivers to a channel, and answers publishes; and whether each delivery arrives, once and in order.
 */
import { addressOf } from "./load/address.ts";
import type { PublishersReport, PublishersSpec } from "./load/publishers.ts";
import type { Ready, SubscribersSpec } from "./load/subscribers.ts";
import { Publishers, Subscribers } from "./processes.ts";
import {
  bottlenecks,
  effortOf,
  faultsOf,
  latencyOf,
  type BenchReport,
  type Connected,
  type Delivered,
  type Published,
} from "./report.ts";

export type { BenchReport } from "./report.ts";

export interface BenchOptions {
  /** `ws:` or `wss:`, with its path. */
  readonly sockets: URL;
  /** The API's `publish`. */
  readonly publish: URL;
  readonly key: string;
  readonly channel: string;
  /** Tokens, where there are some. */
  readonly tokens: {
    readonly connection: string | undefined;
    readonly subscription: string | undefined;
  };
  readonly connections: number;
  readonly subscribers: number;
  /** Publishes at a time. */
  readonly inFlight: number;
  /** For deliveries, and for publishes once more. */
  readonly seconds: number;
  /** Of this machine. */
  readonly cores: number;
  /** Of a process. */
  readonly openFilesMax: number | undefined;
  readonly onPhase: (what: string) => void;
}

/** The server would not have it. The message is its own. */
export class BenchRefused extends Error {
  override readonly name = "BenchRefused";
}

/** Handshakes at a time, of each process. */
const OPENING = 50;
/** What a runtime compiles while it runs is not measured. */
const WARM_UP_SECONDS_MAX = 1;
const WARM_UP_SHARE = 0.25;
/** Of 128 bytes, as the repository's own benchmarks have it, with the holes that are filled by who publishes. */
const DATA = `{"n":@nnnnnnnnnn,"t":@ttttttttttttttt,"d":"${"x".repeat(84)}"}`;
/** At full rate a sample says as much about latency as every message. */
const SAMPLE_EVERY = 16;
const SUBSCRIBING_PROCESSES_MAX = 8;
/** Files that a process has open besides its connections. */
const OTHER_FILES = 32;

/** Throws BenchRefused when nothing can be measured. */
export async function runBench(options: BenchOptions): Promise<BenchReport> {
  const { notes, ...limited } = withinOpenFiles(options);
  const asked: BenchOptions = { ...options, ...limited };
  asked.onPhase(`Opening ${asked.connections} connections`);
  const { connect, refusal } = await measureConnects(asked);
  await using publishers = new Publishers();
  asked.onPhase(`Publishing to ${asked.subscribers} subscribers, ${asked.seconds} s`);
  const deliver = await measureDeliveries(asked, publishers);
  asked.onPhase(`Publishing to nobody, ${asked.seconds} s`);
  const publish = await measurePublishes(asked, publishers);
  const found = { connect, deliver: deliver.delivered, publish: publish.published };
  return {
    channel: asked.channel,
    ...found,
    faults: [...faultsOf({ ...found, refusal: refusal ?? deliver.refusal ?? publish.refusal })],
    notes: [...notes, ...bottlenecks(found)],
  };
}

/** Each connection is an open file. */
function withinOpenFiles(options: BenchOptions) {
  const { openFilesMax = Infinity } = options;
  const processes = processesOf(options);
  const most = Math.max(1, openFilesMax - OTHER_FILES) * processes;
  const capped = (count: number) => Math.min(count, most);
  const [connections, subscribers] = [capped(options.connections), capped(options.subscribers)];
  const wanted = Math.max(options.connections, options.subscribers);
  const note = `${wanted} connections were asked for, and ${most} were opened: a process may have ${openFilesMax} open files here. Raise it by ulimit -n`;
  return { connections, subscribers, notes: wanted > most ? [note] : [] };
}

/** One core is left to who publishes, and to the server if it is here. */
function processesOf({ cores }: BenchOptions): number {
  return Math.max(1, Math.min(cores - 1, SUBSCRIBING_PROCESSES_MAX));
}

function subscribing(options: BenchOptions, connections: number): Subscribers {
  const { sockets, channel, tokens } = options;
  const hello = [
    { id: 1, connect: { name: "carillon bench", token: tokens.connection } },
    { id: 2, subscribe: { channel, token: tokens.subscription } },
  ];
  const spec: SubscribersSpec = {
    ...addressOf(sockets),
    ...{ connections, opening: OPENING, sampleEvery: SAMPLE_EVERY, complete: true },
    ...{ init: [hello.map((command) => JSON.stringify(command)).join("\n")], replies: 2 },
  };
  return new Subscribers({ ...spec, processes: processesOf(options) });
}

async function measureConnects(options: BenchOptions) {
  await using subscribers = subscribing(options, options.connections);
  const ready = await subscribers.open();
  const opened = sum(ready, "ready");
  const refusal = refusalOf(ready);
  if (opened === 0) throw new BenchRefused(refusal ?? "no connection was opened");
  const connect: Connected = {
    connections: opened,
    failed: sum(ready, "failed"),
    per_second: Math.round(opened / Math.max(...ready.map(({ seconds }) => seconds))),
    latency_ms: latencyOf(ready.map(({ openedUs }) => openedUs)),
    ...effortOf(ready),
  };
  return { connect, refusal };
}

async function measureDeliveries(options: BenchOptions, publishers: Publishers) {
  await using subscribers = subscribing(options, options.subscribers);
  const ready = await subscribers.open();
  const count = sum(ready, "ready");
  const refusal = refusalOf(ready);
  if (count === 0) throw new BenchRefused(refusal ?? "no connection was opened");
  await subscribers.measure();
  const warmUpSeconds = Math.min(WARM_UP_SECONDS_MAX, options.seconds * WARM_UP_SHARE);
  const warmUp = await publishers.run(publishing(options, warmUpSeconds));
  await subscribers.drained(warmUp.publications * count);
  const before = await subscribers.report();
  await subscribers.measure();
  const sent = await publishers.run(publishing(options, options.seconds));
  await subscribers.drained(sent.publications * count);
  const after = await subscribers.report();
  const all = [...before, ...after];
  const outOfOrder = sum(all, "misordered");
  const deliveries = sum(after, "numbered");
  const arrived = deliveries + sum(before, "numbered") - outOfOrder;
  const missing = Math.max(0, (warmUp.publications + sent.publications) * count - arrived);
  const delivered: Delivered = {
    subscribers: count,
    publications: sent.publications,
    deliveries,
    per_second: Math.round(
      deliveries / Math.max(1e-3, ...after.map(({ activeSeconds }) => activeSeconds)),
    ),
    latency_ms: latencyOf(after.map(({ latencyUs }) => latencyUs?.thinned ?? [])),
    missing,
    // With some missing, those who have them saw another order than those who have not.
    out_of_order: outOfOrder + (missing === 0 ? sum(after, "otherOrders") : 0),
    closed: sum(after, "closed"),
    refused: warmUp.errors + sent.errors,
    ...effortOf([...after, sent]),
  };
  return { delivered, refusal: refusal ?? firstError(warmUp) ?? firstError(sent) };
}

async function measurePublishes(options: BenchOptions, publishers: Publishers) {
  const sent = await publishers.run(publishing(options, options.seconds));
  const published: Published = {
    publications: sent.publications,
    refused: sent.errors,
    per_second: Math.round(sent.publications / sent.seconds),
    latency_ms: latencyOf([sent.answersUs]),
    ...effortOf([sent]),
  };
  return { published, refusal: firstError(sent) };
}

function publishing({ publish, key, channel, inFlight }: BenchOptions, seconds: number) {
  const spec: PublishersSpec = {
    ...addressOf(publish),
    headers: { "Content-Type": "application/json", "X-API-Key": key },
    body: `{"channel":${JSON.stringify(channel)},"data":${DATA}}`,
    ...{ lanes: inFlight, seconds },
  };
  return spec;
}

function refusalOf(ready: readonly Ready[]): string | undefined {
  return ready.find(({ refusal }) => refusal !== undefined)?.refusal;
}

/** Its last line, which is the body of an HTTP answer. */
function firstError({ firstError: text }: PublishersReport): string | undefined {
  return text?.trimEnd().split("\n").at(-1);
}

function sum<Name extends string>(
  rows: readonly Readonly<Record<Name, number>>[],
  name: Name,
): number {
  return rows.reduce((total, row) => total + row[name], 0);
}
