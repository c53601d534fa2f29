/**
 * WebRTC DataChannels: `npx bun bench/webrtc.ts`.
 * Sessions of four channels that are opened fifty at a time, and frames of 200 bytes to each of them at a pace that the far side can take;
 * Carillon's transport beside its library alone. The far side of both is node-datachannel in this process.
 */
import { PeerConnection, type DataChannel } from "node-datachannel";
import { main } from "./harness/main.ts";
import { bun, ChildProcess } from "./harness/processes.ts";
import type { Side } from "./harness/records.ts";
import type { Bench, Round } from "./harness/round.ts";

const CONTENDERS = [
  ["carillon", "own"],
  ["node-datachannel", "floor"],
] as const satisfies readonly (readonly [string, Side])[];
const SESSIONS = 100;
const AT_A_TIME = 50;
/** The first fifty, in a process that just started. */
const FIRST = { name: "WebRTC, first 50 sessions open", unit: "s", budget: { value: 5 } };
const NEXT = { name: "WebRTC, session", unit: "sessions/s" };
const FRAME = { name: "WebRTC, frame to 100 sessions", unit: "deliveries/s" };
const MEMORY = { name: "WebRTC, memory of a session", unit: "KB" };
const FRAMES = 100;
const FRAME_BYTES = 200;

export const benchWebrtc: Bench = {
  name: "webrtc",
  floor: "its library, node-datachannel, alone",
  async take(round) {
    for (const [name, side] of CONTENDERS) await round.attempt(name, () => take(round, name, side));
  },
};

async function take(round: Round, contender: string, side: Side): Promise<void> {
  const far = new FarSide();
  try {
    const command = bun("floor/webrtc-peers.ts", contender);
    await using server = new ChildProcess(command, { on: "server" });
    // What the process compiles and allocates for the first ones is not each one's.
    round.add(FIRST, side, { value: await openSessions(server, far) });
    const before = { cpu: server.cpuSeconds(), rss: server.rssBytes() };
    const seconds = await openSessions(server, far);
    const after = { cpu: server.cpuSeconds(), rss: server.rssBytes() };
    round.add(NEXT, side, {
      cpuUs: ((after.cpu - before.cpu) * 1e6) / AT_A_TIME,
      value: AT_A_TIME / seconds,
    });
    round.add(MEMORY, side, { value: (after.rss - before.rss) / 1024 / AT_A_TIME });
    const startMs = performance.now();
    const all = far.received(SESSIONS * FRAMES);
    await server.ask({ publish: FRAMES, bytes: FRAME_BYTES });
    await all;
    const publishSeconds = (performance.now() - startMs) / 1000;
    round.add(FRAME, side, {
      cpuUs: ((server.cpuSeconds() - after.cpu) * 1e6) / (SESSIONS * FRAMES),
      value: (SESSIONS * FRAMES) / publishSeconds,
    });
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

if (import.meta.main) await main([benchWebrtc]);
