/**
 * Tasks: `npx bun bench/tasks.ts`.
 * The processor time of 15,000 sockets that wait for tasks of their own, with a tick every two seconds, beside bare sockets
 * that are sent the same; and the time from an `invoke_envoy` that was due, which is stored before it is sent, to the
 * socket that has it, beside a bare publish to a native topic.
 */
import { FanOutLoad } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { SubscribersProcess } from "./harness/load.ts";
import { main } from "./harness/main.ts";
import type { Bench, Contender, Round } from "./harness/round.ts";
import type { Target } from "./harness/targets.ts";
import type { Side } from "./harness/records.ts";
import { startBareTicks, startTasks } from "./tasks-target.ts";

const WAITING = 15_000;
const TICK_SECONDS = 2;
/** Sockets of one task: its limit. */
const SUBSCRIBERS = 100;
const INVOKES_PER_SECOND = 50;
const PACE = { lanes: 8, perSecond: INVOKES_PER_SECOND };
const PAYLOAD_BYTES = 128;
/** Text within JSON: the holes of `publishers.ts` without quotes. */
const PLAIN_PAYLOAD = `n=@nnnnnnnnnn,t=@ttttttttttttttt,${"x".repeat(PAYLOAD_BYTES - 33)}`;

export const benchTasks: Bench = {
  name: "tasks",
  floor:
    "bare `Bun.serve` sockets that are sent the same ticks; bare topics, which keep nothing, for an invoke",
  async take(round) {
    const options = { connections: WAITING, sameTask: false, ticks: TICK_SECONDS };
    const waiting: readonly Contender[] = [
      { name: "tasks", side: "own", start: () => startTasks(options) },
      { name: "ticks", side: "floor", start: startBareTicks },
    ];
    await round.each(waiting, (target, { side }) => idle(round, target, side));
    const one = { connections: SUBSCRIBERS, sameTask: true, ticks: 0 };
    const invoked: readonly Contender[] = [
      { name: "tasks", side: "own", start: () => startTasks(one) },
      { name: "topics", side: "floor", start: startTopics },
    ];
    await round.each(invoked, (target, { side }) => invokes(round, target, side));
  },
};

async function idle(round: Round, target: Target, side: Side): Promise<void> {
  const coldBytes = target.process.rssBytes();
  await using sockets = await SubscribersProcess.start(target, {
    ...{ channel: "", connections: WAITING, opening: 50, complete: false },
  });
  await Bun.sleep(round.quick ? 500 : 3000);
  await sockets.measure();
  const before = target.process.cpuSeconds();
  await Bun.sleep(TICK_SECONDS * 1000 * (round.quick ? 1 : 4));
  const cpuSeconds = target.process.cpuSeconds() - before;
  const { messages, closed, cpu: generator, seconds } = await sockets.report();
  if (closed > 0) throw new Error(`${target.name} closed ${closed} sockets`);
  // A period that began before and ends behind it may keep one tick of each socket.
  const due = Math.floor(seconds / TICK_SECONDS - 1) * WAITING;
  round.add({ name: "tasks, tick to one of 15,000 that wait", unit: "ticks/s" }, side, {
    ...{ cpuUs: (cpuSeconds * 1e6) / messages, value: messages / seconds, generator },
    missing: Math.max(0, due - messages),
  });
  const kilobytes = (target.process.rssBytes() - coldBytes) / 1024 / WAITING;
  round.add({ name: "tasks, waiting socket", unit: "KB" }, side, { value: kilobytes });
}

async function invokes(round: Round, target: Target, side: Side): Promise<void> {
  const { publishing } = target;
  if (publishing === undefined) throw new Error(`Nothing can be sent by ${target.name}`);
  const body = (channel: string, data: string) =>
    publishing.body(channel, side === "own" ? PLAIN_PAYLOAD : data);
  const options = { subscribers: SUBSCRIBERS, payloadBytes: PAYLOAD_BYTES };
  const given = { ...target, publishing: { ...publishing, body } };
  await using load = await FanOutLoad.open(options, given);
  const found = await load.run({ ...PACE, seconds: round.seconds(4) }, round.seconds(1));
  const { latencyUs, missing, misordered, generatorCpu: generator } = found;
  for (const part of ["p50", "p99"] as const) {
    const value = (latencyUs?.[part] ?? Number.NaN) / 1000;
    const name = `tasks, invoke to receive, ${INVOKES_PER_SECOND}/s × ${SUBSCRIBERS}, ${part}`;
    round.add({ name, unit: "ms" }, side, { value, missing, misordered, generator });
  }
}

if (import.meta.main) await main([benchTasks]);
