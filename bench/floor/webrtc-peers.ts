/**
 * Peers with the four channels of a signaling session, by Carillon's transport, or bare by the library under it or by another one that
 * could be. Makes offers, takes answers, and publishes to all as it is told by lines.
 */
import { PeerConnection } from "node-datachannel";
import { RTCPeerConnection } from "werift";
import { webrtc } from "../../src/config/webrtc.ts";
import type { Socket } from "../../src/transports/socket.ts";
import { createPeers } from "../../src/transports/webrtc/index.ts";
import { systemRuntime } from "../../src/system-runtime.ts";
import { fail, readLines, writeLine } from "../../src/bench/load/lines.ts";

const LABELS = ["signaling", "notify", "push", "stats"];
const PUSH = LABELS.indexOf("push");
/** Frames to each peer before the event loop turns. */
const BURST = 5;

interface Made {
  readonly offer: string;
  answer(sdp: string): unknown;
}

interface Contender {
  make(onOpen: () => void): Promise<Made>;
  publish(frame: Uint8Array): void;
}

const contenders: Readonly<Record<string, () => Contender>> = {
  carillon() {
    const peers = createPeers({
      settings: webrtc.parse({}),
      connectTimeoutMs: 60_000,
      runtime: systemRuntime,
      onBug: (error) => fail(String(error)),
    });
    let push: Socket | undefined;
    const quiet = { receive() {}, slow() {}, failed() {}, shutdown() {}, closed() {} };
    return {
      async make(onOpen) {
        const channels = LABELS.map((label, at) => {
          const open = (socket: Socket) => {
            if (at === PUSH) (push = socket).member.join("all");
            return quiet;
          };
          return { label, opening: { messageBytesMax: 65_536, bufferedBytesMax: 1e8, open } };
        });
        const ended = (end: string) => fail(`A peer ended: ${end}`);
        const events = { connected() {}, opened: onOpen, ended };
        const peer = await peers.offer(channels, events);
        return peer ?? fail("no peer");
      },
      publish: (frame) => push?.member.fanout.publish("all", frame),
    };
  },
  "node-datachannel"() {
    const kept: unknown[] = [];
    const pushes: { sendMessageBinary(frame: Uint8Array): boolean }[] = [];
    return {
      make: (onOpen) =>
        new Promise((resolve) => {
          const peer = new PeerConnection("peer", { iceServers: [], bindAddress: "127.0.0.1" });
          let open = 0;
          peer.onGatheringStateChange((state) => {
            if (state !== "complete") return;
            const answer = (sdp: string) => peer.setRemoteDescription(sdp, "answer");
            resolve({ offer: peer.localDescription()?.sdp ?? "", answer });
          });
          for (const label of LABELS) {
            const channel = peer.createDataChannel(label);
            kept.push(channel);
            channel.onOpen(() => (open += 1) === LABELS.length && onOpen());
            if (label === "push") pushes.push(channel);
          }
          kept.push(peer);
        }),
      publish: (frame) => {
        for (const push of pushes) push.sendMessageBinary(frame);
      },
    };
  },
  werift() {
    const pushes: { send(frame: Buffer): void }[] = [];
    return {
      async make(onOpen) {
        const peer = new RTCPeerConnection({
          ...{ iceServers: [], iceUseIpv6: false, iceInterfaceAddresses: { udp4: "127.0.0.1" } },
          iceAdditionalHostAddresses: ["127.0.0.1"],
        });
        let open = 0;
        for (const label of LABELS) {
          const channel = peer.createDataChannel(label);
          channel.stateChange.subscribe((state) => {
            if (state === "open" && (open += 1) === LABELS.length) onOpen();
          });
          if (label === "push") pushes.push(channel);
        }
        await peer.setLocalDescription(await peer.createOffer());
        const answer = (sdp: string) => peer.setRemoteDescription({ type: "answer", sdp });
        return { offer: peer.localDescription?.sdp ?? "", answer };
      },
      publish: (frame) => {
        for (const push of pushes) push.send(Buffer.from(frame));
      },
    };
  },
};

const contender =
  contenders[process.argv[2] ?? ""]?.() ?? fail("carillon, node-datachannel or werift?");
let made: Made[] = [];
let allOpen = Promise.withResolvers<void>();

type Line =
  | { readonly offers: number }
  | { readonly answers: readonly string[] }
  | { readonly publish: number; readonly bytes: number };

await readLines(
  Bun.stdin.stream(),
  (line) => void told(line as Line).catch((error) => fail(String(error))),
);

async function told(line: Line): Promise<void> {
  if ("offers" in line) {
    let open = 0;
    allOpen = Promise.withResolvers();
    const onOpen = () => (open += 1) === line.offers && allOpen.resolve();
    made = await Promise.all(Array.from({ length: line.offers }, () => contender.make(onOpen)));
    writeLine({ offers: made.map(({ offer }) => offer) });
  } else if ("answers" in line) {
    await Promise.all(line.answers.map(async (sdp, at) => made[at]?.answer(sdp)));
    await allOpen.promise;
    writeLine({ open: true });
  } else {
    const frame = crypto.getRandomValues(new Uint8Array(line.bytes));
    for (let at = 0; at < line.publish; at += 1) {
      contender.publish(frame);
      if (at % BURST === BURST - 1) await new Promise((resolve) => setTimeout(resolve));
    }
    writeLine({ published: line.publish });
  }
}
