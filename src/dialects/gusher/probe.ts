/** A client of gusher.cluster (gusher.md §3 to §5) for checks of a running server. */
import { z } from "zod";
import {
  callApi,
  probeChannel,
  ProbeRefused,
  shortened,
  type Heard,
  type Probe,
  type AskedProbe,
  type ProbeClient,
} from "../probe.ts";
import { answerOf } from "../token-command.ts";
import type { GusherConfig } from "./config.ts";
import { gusherToken } from "./token-command.ts";

const FORM = { "content-type": "application/x-www-form-urlencoded" };
const login = z.object({ token: z.string() });
const frame = z.object({
  event: z.string().optional(),
  channel: z.string().optional(),
  data: z.unknown().optional(),
});

export const probe: Probe<GusherConfig> = { prepare };

async function prepare(asked: AskedProbe<GusherConfig>): Promise<ProbeClient> {
  const { config, app, clientsUrl, post } = asked;
  const { prefix } = config.gusher;
  const channel = probeChannel(asked, "gusher");
  const grants = {
    user: `carillon-doctor-${asked.mark}`,
    expires: "5m",
    channel: [channel],
    remote: [],
  };
  const jwt = await gusherToken.mint({ ...asked, options: grants });

  /** A token is good for less time than a run may take, so each connection has one of its own. */
  async function logIn(): Promise<string> {
    const body = new URLSearchParams({ jwt }).toString();
    const answer = await post(new URL(`${clientsUrl}${prefix}/auth`), { headers: FORM, body });
    const parsed = login.safeParse(answerOf(answer.body));
    if (parsed.success) return parsed.data.token;
    throw new ProbeRefused(answer.status, shortened(answer.body), "login");
  }

  return {
    path: `${prefix}/ws/${encodeURIComponent(app.id)}?token=${encodeURIComponent(await logIn())}`,
    // The protocol has no positions.
    recovers: false,
    hello: () => [JSON.stringify({ event: "gusher.subscribe", data: { channel } })],
    *read(text): Iterable<Heard> {
      const { event, channel: name, data } = frame.parse(JSON.parse(text));
      if (event === "gusher.subscribe_succeeded") yield { kind: "ready" };
      if (event === "gusher.subscribe_error") {
        yield { kind: "refused", reason: `channel "${channel}" is not open to it` };
      }
      if (name === channel) yield { kind: "published", text: JSON.stringify(data) };
    },
    async publish(text) {
      const to = [app.id, channel, "doctor"].map(encodeURIComponent).join("/");
      const body = new URLSearchParams({ data: JSON.stringify({ text }) }).toString();
      await callApi(asked, `${prefix}/push/${to}`, { headers: FORM, body });
    },
  };
}
