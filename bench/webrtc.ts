/**
 * WebRTC DataChannels: `npx bun bench/webrtc.ts`, a minute. Sessions of four channels that are opened fifty at a time, and a frame of 200 bytes
 * to each of them, again and again; Carillon's transport beside its library alone, and beside one in TypeScript. The far side of all is
 * node-datachannel in this process.
 */
import { PeerConnection, type DataChannel } from "node-datachannel";
import { main } from "./harness/main.ts";
import type { BenchOptions } from "./harness/options.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import { atMost, median, type BenchResult, type Measurement } from "./harness/report.ts";

const CONTENDERS = ["carillon", "node-datachannel", "werift"] as const;
const SESSIONS = 200;
const AT_A_TIME = 50;
/** The first fifty, in a process that just started. */
const FIFTY_SECONDS_MAX = 5;
const FRAMES = 300;
const FRAMES_QUICK = 100;
const FRAME_BYTES = 200;

interface Taken {
  readonly firstSeconds: number;
  readonly sessionUs: number;
  readonly sessionBytes: number;
  readonly sessionsPerSecond: number;
  readonly deliveryUs: number;
  readonly deliveriesPerSecond: number;
}

export async function benchWebrtc({ runs, quick }: BenchOptions): Promise<BenchResult> {
  const measurements: Measurement[] = [];
  const notes: string[] = [];
  for (const contender of CONTENDERS) {
    const taken: Taken[] = [];
    for (let run = 0; run < runs; run += 1) {
      const frames = quick ? FRAMES_QUICK : FRAMES;
      try {
        taken.push(await take(contender, frames));
      } catch (error) {
        notes.push(`${contender}: ${String(error)}; taken again.`);
        taken.push(await take(contender, frames));
      }
    }
    const each = (key: keyof Taken) => taken.map((one) => one[key]);
    const first = each("firstSeconds");
    const text = `${FIFTY_SECONDS_MAX} s`;
    measurements.push(
      {
        ...{ what: `${contender}, first ${AT_A_TIME} sessions`, unit: "s", runs: first },
        ...(contender === "carillon"
          ? { budget: atMost(text, median(first), FIFTY_SECONDS_MAX) }
          : {}),
      },
      {
        ...{ what: `${contender}, ${SESSIONS} sessions`, unit: "sessions/s" },
        ...{ runs: each("sessionsPerSecond"), cpuUs: each("sessionUs") },
      },
      {
        what: `${contender}, memory of each`,
        unit: "KB",
        runs: each("sessionBytes").map((bytes) => bytes / 1000),
      },
      {
        ...{ what: `${contender}, frames to ${SESSIONS}`, unit: "deliveries/s" },
        ...{ runs: each("deliveriesPerSecond"), cpuUs: each("deliveryUs") },
      },
    );
  }
  return { title: "WebRTC DataChannels", measurements, notes };
}

async function take(contender: string, frames: number): Promise<Taken> {
  await using server = new ChildProcess(bun("floor/webrtc-peers.ts", contender), { on: "server" });
  const far = new FarSide();
  try {
    // What the process compiles and allocates for the first ones is not each one's.
    const firstSeconds = await openSessions(server, far);
    const before = { cpu: server.cpuSeconds(), rss: server.rssBytes() };
    let seconds = 0;
    for (let open = AT_A_TIME; open < SESSIONS; open += AT_A_TIME) {
      seconds += await openSessions(server, far);
    }
    const opened = SESSIONS - AT_A_TIME;
    const after = { cpu: server.cpuSeconds(), rss: server.rssBytes() };
    const started = performance.now();
    const all = far.received(SESSIONS * frames);
    await server.ask({ publish: frames, bytes: FRAME_BYTES });
    await all;
    const publishSeconds = (performance.now() - started) / 1000;
    return {
      firstSeconds,
      sessionUs: ((after.cpu - before.cpu) * 1e6) / opened,
      sessionBytes: (after.rss - before.rss) / opened,
      sessionsPerSecond: opened / seconds,
      deliveryUs: ((server.cpuSeconds() - after.cpu) * 1e6) / (SESSIONS * frames),
      deliveriesPerSecond: (SESSIONS * frames) / publishSeconds,
    };
  } finally {
    far.close();
  }
}

/** Seconds until all channels are open. */
async function openSessions(server: ChildProcess, far: FarSide): Promise<number> {
  const started = performance.now();
  const { offers } = await server.ask<{ offers: string[] }>({ offers: AT_A_TIME });
  const answers = await Promise.all(offers.map((offer) => far.answer(offer)));
  await server.ask({ answers });
  return (performance.now() - started) / 1000;
}

class FarSide {
  /** The library closes what is collected as garbage. */
  readonly #kept: (PeerConnection | DataChannel)[] = [];
  #awaited = Infinity;
  #count = 0;
  #done: () => void = () => {};

  answer(offer: string): Promise<string> {
    return new Promise((resolve) => {
      const peer = new PeerConnection("far", { iceServers: [], bindAddress: "127.0.0.1" });
      this.#kept.push(peer);
      peer.onDataChannel((channel) => {
        this.#kept.push(channel);
        channel.onClosed(() => {});
        channel.onMessage(() => (this.#count += 1) === this.#awaited && this.#done());
      });
      peer.onGatheringStateChange((state) => {
        if (state === "complete") resolve(peer.localDescription()?.sdp ?? "");
      });
      peer.setRemoteDescription(offer, "offer");
    });
  }

  received(count: number): Promise<void> {
    this.#awaited = count;
    return new Promise((resolve) => (this.#done = resolve));
  }

  close(): void {
    for (const one of this.#kept) one.close();
  }
}

if (import.meta.main) await main(benchWebrtc);
