/**
 * Messaging: `npx bun bench/messaging.ts`.
 * Messages to the 1,000 members of one channel, published over HTTP with 64 in flight, and how late the last is at 50/s; messages that 64
 * connections send and have stored.
 */
import { FanOutLoad } from "./harness/fan-out.ts";
import { startTopics } from "./harness/floors.ts";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import type { Sample } from "./harness/records.ts";
import { centrifugo, type Bench, type Contender, type Round } from "./harness/round.ts";
import { cpuOf, type Target } from "./harness/targets.ts";
import { deliver } from "./fanout.ts";
import { startMessaging, TRANSPORTS } from "./messaging-target.ts";
import type { SendersReport, SendersSpec } from "./load/senders.ts";

const MEMBERS = 1000;
const PAYLOAD_BYTES = 128;
/** Its frames are three times as long as a payload. */
const PACE = { lanes: 64, timesPerSecond: 15 };
const SENDERS = 64;
/** What is framed once for all is to be as good as half of what is not framed. */
const BUDGETS = {
  raw: { ofFloor: 1 / 0.6, ofPeer: 1 / 5 },
  "SockJS websocket": { ofFloor: 1 / 0.3, ofPeer: 1 },
} as const satisfies Record<keyof typeof TRANSPORTS, object>;
const transports = Object.keys(BUDGETS) as (keyof typeof BUDGETS)[];
/** Messages are stored. */
const STORED = { history_size: 10_000, history_ttl: "720h", allow_publish_for_subscriber: true };

export const benchMessaging: Bench = {
  name: "messaging",
  floor: "bare `Bun.serve` topics",
  async take(round) {
    const contenders: readonly Contender[] = [
      ...transports.map((transport): Contender => ({
        ...{ name: transport, side: "own" },
        start: () => startMessaging({ subscribers: MEMBERS, transport, inChannel: true }),
      })),
      ...centrifugo({ channel: STORED }),
      { name: "topics", side: "floor", start: startTopics },
    ];
    await round.each(contenders, async (target, { name, side }) => {
      const rows = transports
        .filter((transport) => side !== "own" || transport === name)
        .map((what) => ({ what: `, ${what}`, lanes: PACE.lanes, budget: BUDGETS[what] }));
      const to = { cases: [PACE], name: "messaging, fan-out to 1,000" };
      await deliver(round, target, { ...to, side, rows });
      if (name === "raw" || side === "peer") await lateness(round, target, side);
    });
    const senders: readonly Contender[] = [
      { name: "stored", side: "own", start: () => startMessaging({ subscribers: SENDERS }) },
      ...centrifugo({ channel: STORED, users: SENDERS }),
    ];
    await round.each(senders, async (target, { side }) => {
      const row = { name: "messaging, stored, 64 connections wait for acks", unit: "messages/s" };
      const protocol = side === "peer" ? STREAMING : MESSAGING;
      round.add(row, side, await send(round, target, protocol));
    });
  },
};

/** From when a publish was due to when the last of all members has it. */
async function lateness(round: Round, target: Target, side: "own" | "peer" | "floor") {
  const options = { subscribers: MEMBERS, payloadBytes: PAYLOAD_BYTES };
  await using load = await FanOutLoad.open(options, target);
  const pace = { lanes: 8, seconds: round.seconds(2), perSecond: 50 };
  const { latencyUs, generatorCpu: generator } = await load.run(pace, round.seconds(0.6));
  const row = { name: "messaging, all 1,000 members have it, 50/s", unit: "ms" };
  const value = (latencyUs?.max ?? Number.NaN) / 1000;
  round.add({ ...row, budget: { value: 1000 } }, side, { value, generator });
}

type Protocol = Omit<SendersSpec, "host" | "port" | "path" | "texts" | "warmUpSeconds" | "seconds">;

const CONTENT = "x".repeat(PAYLOAD_BYTES);
const MESSAGING: Protocol = {
  init: ['{"type":"create-channel"}'],
  ...{ begin: '"invitation"', channelAfter: '"channel-id":"' },
  message: `{"type":"channel-message","channel-id":"%c","content":"${CONTENT}"}`,
  ...{ ack: '{"type":"ack"', refused: '"status":false' },
};
/** Centrifugo's nearest: a publish by the channel's only subscriber, kept in its history. */
const STREAMING: Protocol = {
  init: ['{"id":1,"connect":{"token":"%s"}}\n{"id":2,"subscribe":{"channel":"c%d"}}'],
  ...{ begin: '"subscribe":', ack: '"publish":{}', refused: '"error":' },
  message: `{"id":3,"publish":{"channel":"c%d","data":{"content":"${CONTENT}"}}}`,
};

async function send(round: Round, target: Target, protocol: Protocol): Promise<Sample> {
  const { texts = [] } = await target.join("");
  await using senders = new ChildProcess(bun("load/senders.ts"), { on: "load" });
  const spec: SendersSpec = {
    ...{ ...target.sockets, ...protocol, texts: texts.slice(0, SENDERS) },
    ...{ warmUpSeconds: round.seconds(1), seconds: round.seconds(2) },
  };
  await senders.ask(spec);
  const before = cpuOf(target);
  const { acknowledged, seconds, cpu } = await senders.line<SendersReport>();
  const cpuUs = ((cpuOf(target) - before) * 1e6) / acknowledged;
  return { cpuUs, value: acknowledged / seconds, generator: cpu };
}

if (import.meta.main) await main([benchMessaging]);
