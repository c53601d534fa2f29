/**
 * Tasks: `npx bun bench/tasks.ts`, about four minutes.
 * The processor time of 15,000 sockets that wait for tasks of their own, with a tick every two seconds, beside bare sockets
 * that are sent the same; and the time from an `invoke_envoy` that was due, which is stored before it is sent, to the
 * socket that has it, beside a bare publish to a native topic.
 */
import { inTurn } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { PublishersProcess, SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { median, ratio, type BenchResult, type Measurement } from "./harness/report.ts";
import { payload, type Target } from "./harness/targets.ts";
import { startBareTicks, startTasks } from "./tasks-target.ts";

const WAITING = 15_000;
const TICK_SECONDS = 2;
/** Sockets of one task: its limit. */
const SUBSCRIBERS = 100;
const INVOKES_PER_SECOND = 50;
const LANES = 8;
const PAYLOAD_BYTES = 128;
/** Text within JSON: the holes of `publishers.ts` without quotes. */
const PLAIN_PAYLOAD = `n=@nnnnnnnnnn,t=@ttttttttttttttt,${"x".repeat(PAYLOAD_BYTES - 33)}`;

export async function benchTasks(options: BenchOptions): Promise<BenchResult> {
  return {
    title: "Tasks: waiting sockets, and invoke to receive",
    measurements: [...(await waiting(options)), ...(await latency(options))],
    notes: [
      `${WAITING} sockets with a tick every ${TICK_SECONDS} s are ${WAITING / TICK_SECONDS} frames/s, each a write of its own. Carillon also pings each socket every 25 s.`,
      "An invoke is a signed-in HTTP call that is committed to the store before it is sent; the bare publish is neither.",
    ],
  };
}

interface Idle {
  /** Share of one core. */
  readonly cpu: number;
  readonly usPerTick: number;
  readonly missing: number;
  readonly generatorCpu: number;
  readonly kilobytes: number;
  readonly connectsPerSecond: number;
}

async function waiting({ runs, quick }: BenchOptions): Promise<Measurement[]> {
  const targets = [
    { start: () => startTasks({ connections: WAITING, sameTask: false, ticks: TICK_SECONDS }) },
    { start: startBareTicks },
  ];
  const seconds = quick ? 10 : 30;
  const [own = [], bare = []] = await inTurn(runs, targets, (target) => idle(target, seconds));
  const cpu = (results: readonly Idle[]) => results.map((each) => each.cpu * 100);
  const perTick = (results: readonly Idle[]) => results.map(({ usPerTick }) => usPerTick);
  const checks = (results: readonly Idle[]) => ({
    missing: results.reduce((sum, { missing }) => sum + missing, 0),
    generatorCpu: results.map(({ generatorCpu }) => generatorCpu),
  });
  return [
    {
      ...{ what: `Carillon, ${WAITING} waiting`, unit: "% of a core", runs: cpu(own) },
      ...{ ofFloor: ratio(cpu(own), cpu(bare)), ...checks(own) },
    },
    { what: `bare Bun ticks, ${WAITING}`, unit: "% of a core", runs: cpu(bare), ...checks(bare) },
    {
      ...{ what: "Carillon, per tick", unit: "µs", runs: perTick(own) },
      ofFloor: ratio(perTick(own), perTick(bare)),
    },
    { what: "bare Bun ticks, per tick", unit: "µs", runs: perTick(bare) },
    {
      ...{ what: "Carillon, resident per waiting socket", unit: "KB" },
      runs: own.map(({ kilobytes }) => kilobytes),
    },
    {
      ...{ what: "Carillon, tokens accepted", unit: "sockets/s" },
      runs: own.map(({ connectsPerSecond }) => connectsPerSecond),
    },
  ];
}

async function idle(target: Target, seconds: number): Promise<Idle> {
  const coldBytes = target.process.rssBytes();
  await using sockets = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: WAITING, opening: 50, complete: false },
  });
  await Bun.sleep(5000);
  await sockets.measure();
  const before = target.process.cpuSeconds();
  await Bun.sleep(seconds * 1000);
  const cpuSeconds = target.process.cpuSeconds() - before;
  const { messages, closed, cpu, seconds: took } = await sockets.report();
  if (closed > 0) throw new Error(`${target.name} closed ${closed} sockets`);
  // A period that began before and ends behind it may keep one tick of each socket.
  const due = Math.floor(took / TICK_SECONDS - 1) * WAITING;
  return {
    cpu: cpuSeconds / took,
    usPerTick: (cpuSeconds * 1e6) / messages,
    missing: Math.max(0, due - messages),
    generatorCpu: cpu,
    connectsPerSecond: WAITING / sockets.ready.seconds,
    kilobytes: (target.process.rssBytes() - coldBytes) / 1024 / WAITING,
  };
}

interface Received {
  readonly p50: number;
  readonly p99: number;
  readonly missing: number;
  readonly misordered: number;
  readonly generatorCpu: number;
}

async function latency({ runs, quick }: BenchOptions): Promise<Measurement[]> {
  const seconds = quick ? 5 : 20;
  const own = { start: () => startTasks({ connections: SUBSCRIBERS, sameTask: true, ticks: 0 }) };
  const targets = [own, { start: startTopics }];
  const [carillon = [], floor = []] = await inTurn(runs, targets, (target) =>
    invokes(target, seconds),
  );
  return (["p50", "p99"] as const).flatMap((part): Measurement[] => {
    const [mine, bare] = [carillon, floor].map((results) => results.map((each) => each[part]));
    const row = (name: string, results: readonly Received[], values: readonly number[] = []) => ({
      ...{ what: `${name}, ${part}`, unit: "ms", runs: values },
      missing: results.reduce((sum, { missing }) => sum + missing, 0),
      misordered: results.reduce((sum, { misordered }) => sum + misordered, 0),
      generatorCpu: results.map(({ generatorCpu }) => generatorCpu),
    });
    const ofFloor = median(mine ?? []) / median(bare ?? []);
    return [
      {
        ...row(`invoke to receive, ${INVOKES_PER_SECOND}/s × ${SUBSCRIBERS}`, carillon, mine),
        ofFloor,
      },
      row("bare publish to receive", floor, bare),
    ];
  });
}

async function invokes(target: Target, seconds: number): Promise<Received> {
  await using sockets = await SubscribersProcess.start(target, {
    ...{ channel: "bench", connections: SUBSCRIBERS },
  });
  await using publishers = new PublishersProcess();
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`Nothing can be sent by ${target.name}`);
  const isCarillon = publishing.path === "/rpc";
  const body = publishing.body("bench", isCarillon ? PLAIN_PAYLOAD : payload(PAYLOAD_BYTES));
  const pace = { lanes: LANES, perSecond: INVOKES_PER_SECOND };
  const warmUp = await publishers.run(publishing, body, { ...pace, seconds: 2 });
  await sockets.drained(warmUp.publications * SUBSCRIBERS);
  await sockets.measure();
  const published = await publishers.run(publishing, body, { ...pace, seconds });
  await sockets.drained(published.publications * SUBSCRIBERS);
  const { messages, missing, misordered, otherOrders, latencyUs, cpu } = await sockets.report();
  return {
    p50: (latencyUs?.p50 ?? Number.NaN) / 1000,
    p99: (latencyUs?.p99 ?? Number.NaN) / 1000,
    missing: Math.max(missing, published.publications * SUBSCRIBERS - messages),
    misordered: misordered + otherOrders,
    generatorCpu: cpu + published.cpu,
  };
}

if (import.meta.main) await main(benchTasks);
