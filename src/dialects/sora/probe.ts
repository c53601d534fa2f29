/** A client of Sora's signaling and WebRTC (sora-push.md §2) for checks of a running server. */
import { z } from "zod";
import {
  callApi,
  probeChannel,
  ProbeSkipped,
  type Heard,
  type Probe,
  type AskedProbe,
  type ProbeClient,
} from "../probe.ts";
import type { SoraConfig } from "./config.ts";

const message = z.object({
  type: z.string(),
  sdp: z.string().optional(),
  event_type: z.string().optional(),
  data: z.unknown().optional(),
});

export const probe: Probe<SoraConfig> = { prepare };

async function prepare(asked: AskedProbe<SoraConfig>): Promise<ProbeClient> {
  const { sora } = asked.config;
  if (sora.auth_url !== undefined) {
    throw new ProbeSkipped(
      "Your hook (sora.auth_url) decides who connects, and does not know this client",
    );
  }
  const channel = probeChannel(asked, "sora");
  return {
    path: sora.signaling_path,
    // A new connection is told nothing of the one before.
    recovers: false,
    hello: () => [JSON.stringify({ type: "connect", role: "recvonly", channel_id: channel })],
    *read(frame): Iterable<Heard> {
      const { type, sdp, event_type: event, data } = message.parse(JSON.parse(frame));
      if (type === "offer" && sdp !== undefined) {
        const answered = asked.answerOffer(sdp);
        const answer = answered.then((text) => JSON.stringify({ type: "answer", sdp: text }));
        yield { kind: "answer", frame: answer };
      }
      if (type === "ping") yield { kind: "answer", frame: JSON.stringify({ type: "pong" }) };
      if (type === "notify" && event === "connection.created") yield { kind: "ready" };
      if (type === "push") yield { kind: "published", text: JSON.stringify(data) };
    },
    async publish(text) {
      const headers = { "x-sora-target": "Sora_20160711.PushChannel" };
      const body = JSON.stringify({ channel_id: channel, data: { text } });
      await callApi(asked, "/", { headers, body });
    },
  };
}
