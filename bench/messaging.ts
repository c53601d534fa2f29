/**
 * Messaging: `npx bun bench/messaging.ts`, about twenty minutes.
 * Messages to the 1,000 members of one channel, published over HTTP with 64, 8 and 1 in flight, and how late they are at 50/s; messages
 * that 64 connections send and have stored; memory of idle sessions.
 */
import { compare, peer, type Contender, type Taken } from "./harness/compare.ts";
import { fanOut, inTurn, type FanOut } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { atLeast, atMost, median, type BenchResult, type Measurement } from "./harness/report.ts";
import type { Target } from "./harness/targets.ts";
import type { MessagingSendersReport, MessagingSendersSpec } from "./load/messaging-senders.ts";
import { memoryOf } from "./memory.ts";
import { startMessaging, TRANSPORTS } from "./messaging-target.ts";

const MEMBERS = 1000;
const PAYLOAD_BYTES = 128;
/** Of bare topics, with 64 in flight; what is framed once per group is as good as half of what is not framed. */
const OF_TOPICS_MIN = { raw: 0.6, "SockJS websocket": 0.3 } as const;
const REACH_ALL_MS_MAX = 1000;
/** What a channel message has beside its content. */
const ENVELOPE_BYTES = 243;
const SENDERS = 64;
const IDLE = 10_000;

const transports = Object.keys(TRANSPORTS) as (keyof typeof TRANSPORTS)[];

export async function benchMessaging(options: BenchOptions): Promise<BenchResult> {
  return {
    title: "Messaging",
    measurements: [
      ...(await deliveries(options)),
      ...(await lateness(options)),
      ...(await stored(options)),
      ...(await memory(options)),
    ],
    notes: peer().notes,
  };
}

const members = (transport: keyof typeof TRANSPORTS): Contender => ({
  name: `Carillon, messaging, ${transport}`,
  start: () => startMessaging({ subscribers: MEMBERS, transport, inChannel: true }),
});

async function deliveries({ runs, quick }: BenchOptions): Promise<Measurement[]> {
  const rows: Measurement[] = [];
  for (const lanes of [64, 8, 1]) {
    const contenders: Contender[] = [
      ...transports.map(members),
      { name: "bare Bun topics", start: startTopics, part: "floor" },
      { name: "bare Bun topics, frames as long", start: startLongTopics },
      // Messages are stored.
      ...peer({ channel: { history_size: 10_000, history_ttl: "720h" } }).peers,
    ];
    const results = await inTurn(runs, contenders, async (target): Promise<Taken> => {
      const found = await fanOut(target, {
        ...{ subscribers: MEMBERS, payloadBytes: PAYLOAD_BYTES, warmUpSeconds: quick ? 1 : 2 },
        pace: { lanes, seconds: quick ? 3 : 8 },
      });
      const { cpuPerDeliveryUs: cpuUs, deliveriesPerSecond: perSecond, ...rest } = found;
      return { cpuUs, perSecond, ...rest };
    });
    const topics = median((results[transports.length] ?? []).map(({ perSecond }) => perSecond));
    const what = `${MEMBERS} members, ${lanes} in flight`;
    const found = compare(what, "deliveries/s", contenders, results, ({ what: row, runs: own }) => {
      const transport = transports.find((each) => row.startsWith(members(each).name + ","));
      if (lanes !== 64 || transport === undefined) return undefined;
      const least = OF_TOPICS_MIN[transport];
      const share = median(own) / topics;
      return atLeast(`${least} × topics (is ${share.toFixed(2)})`, share, least);
    });
    rows.push(...found);
  }
  return rows;
}

/** With frames as long as messaging's, whose envelope says more than a payload. */
async function startLongTopics(): Promise<Target> {
  const target = await startTopics();
  const { publishing } = target;
  if (publishing === undefined) throw new Error("Bare topics take no publishes");
  const body = (channel: string, data: string) =>
    publishing.body(channel, data + "x".repeat(ENVELOPE_BYTES));
  return { ...target, publishing: { ...publishing, body } };
}

/** From when a publish was due to when the last of all members has it. */
async function lateness({ runs, quick }: BenchOptions): Promise<Measurement[]> {
  const found = await inTurn(runs, [members("raw")], (target): Promise<FanOut> =>
    fanOut(target, {
      ...{ subscribers: MEMBERS, payloadBytes: PAYLOAD_BYTES, warmUpSeconds: quick ? 1 : 2 },
      pace: { lanes: 64, seconds: quick ? 5 : 20, perSecond: 50 },
    }),
  );
  return (["p50", "p99", "max"] as const).map((part): Measurement => {
    const own = (found[0] ?? []).map(({ received }) => (received.latencyUs?.[part] ?? NaN) / 1000);
    return {
      ...{ what: `Carillon, messaging, raw, ${MEMBERS} members, 50/s, ${part}`, unit: "ms" },
      runs: own,
      ...(part === "p99" ? { budget: atMost("1 s", median(own), REACH_ALL_MS_MAX) } : {}),
    };
  });
}

async function stored({ runs, quick }: BenchOptions): Promise<Measurement[]> {
  const what = `${SENDERS} connections, each waits for its ack`;
  const contenders: Contender[] = [
    { name: "Carillon, messaging, raw", start: () => startMessaging({ subscribers: SENDERS }) },
  ];
  const results = await inTurn(runs, contenders, (target) => send(target, quick));
  return compare(what, "stored/s", contenders, results);
}

async function send(target: Target, quick: boolean): Promise<Taken> {
  const { texts = [] } = await target.join("");
  await using senders = new ChildProcess(bun("load/messaging-senders.ts"), { on: "load" });
  const spec: MessagingSendersSpec = {
    ...{ ...target.sockets, texts, contentBytes: PAYLOAD_BYTES },
    ...{ warmUpSeconds: quick ? 1 : 2, seconds: quick ? 3 : 8 },
  };
  await senders.ask(spec);
  const before = target.process.cpuSeconds();
  const { stored: count, seconds, cpu } = await senders.line<MessagingSendersReport>();
  const cpuSeconds = target.process.cpuSeconds() - before;
  return { cpuUs: (cpuSeconds * 1e6) / count, perSecond: count / seconds, generatorCpu: cpu };
}

async function memory({ runs }: BenchOptions): Promise<Measurement[]> {
  const contenders = [
    ...transports.map((transport) => ({
      name: `Carillon, messaging, ${transport}`,
      start: () => startMessaging({ subscribers: IDLE, transport }),
    })),
    { name: "bare Bun sockets", start: startTopics },
  ];
  const results = await inTurn(runs, contenders, (target) => memoryOf(target, "bench"));
  return contenders.flatMap(({ name }, index) =>
    (["all", "further"] as const).map((part) => ({
      what: `${name}, ${IDLE} idle, ${part === "all" ? "from cold" : "each further"}`,
      ...{ unit: "KB/session", runs: (results[index] ?? []).map((found) => found[part]) },
    })),
  );
}

if (import.meta.main) await main(benchMessaging);
