/** A streaming client in JSON (centrifugo-protocol.md §1, §3 to §7) for checks of a running server. */
import { z } from "zod";
import {
  callApi,
  probeChannel,
  ProbeRefused,
  type AskedProbe,
  type Heard,
  type Probe,
  type ProbeClient,
} from "../probe.ts";
import { answerOf } from "../token-command.ts";
import type { StreamingConfig } from "./config.ts";
import { mintedTokens } from "./token-command.ts";

const publication = z.object({ data: z.unknown().optional(), offset: z.number().optional() });
const message = z.object({
  error: z.object({ code: z.number(), message: z.string() }).optional(),
  connect: z.object({ ping: z.number().optional() }).optional(),
  subscribe: z
    .object({
      recoverable: z.boolean().optional(),
      epoch: z.string().optional(),
      offset: z.number().optional(),
      publications: z.array(publication).optional(),
    })
    .optional(),
  push: z.object({ pub: publication.optional() }).optional(),
});
const published = z.object({ error: z.object({ code: z.number(), message: z.string() }) });

interface State {
  epoch: string;
  offset: number;
  recoverable: boolean;
  pingMs: number | undefined;
}

export const probe: Probe<StreamingConfig> = { prepare };

async function prepare(asked: AskedProbe<StreamingConfig>): Promise<ProbeClient> {
  const { streaming } = asked.config;
  const channel = probeChannel(asked, "streaming");
  const user = `carillon-doctor-${asked.mark}`;
  const tokens = await mintedTokens(asked, { user, channel });
  const state: State = { epoch: "", offset: 0, recoverable: false, pingMs: undefined };
  return {
    path: streaming.websocket_path,
    get recovers() {
      return state.recoverable;
    },
    hello(again) {
      const { epoch, offset } = state;
      const position = again ? { recover: true, epoch, offset } : {};
      const subscribe = { channel, token: tokens.subscription, recoverable: true, ...position };
      return [
        { id: 1, connect: { name: "carillon doctor", token: tokens.connection } },
        { id: 2, subscribe },
      ].map((command) => JSON.stringify(command));
    },
    *read(frame): Iterable<Heard> {
      for (const line of frame.split("\n").filter((each) => each !== "")) {
        if (line === "{}") yield { kind: "answer", frame: line };
        else yield* heard(message.parse(JSON.parse(line)), state);
      }
    },
    async publish(text) {
      const body = JSON.stringify({ channel, data: { text } });
      const answer = await callApi(asked, `${streaming.api_path}/publish`, { body });
      const refused = published.safeParse(answerOf(answer));
      if (!refused.success) return;
      const { code, message: why } = refused.data.error;
      throw new ProbeRefused(code === 103 ? 403 : 500, `error ${code}, ${why}`);
    },
  };
}

function* heard(
  { error, connect, subscribe, push }: z.output<typeof message>,
  state: State,
): Iterable<Heard> {
  if (error !== undefined) {
    yield { kind: "refused", reason: `error ${error.code}, ${error.message}` };
    return;
  }
  if (connect?.ping !== undefined) state.pingMs = connect.ping * 1000;
  if (subscribe !== undefined) {
    if (subscribe.epoch !== undefined) state.epoch = subscribe.epoch;
    state.recoverable = subscribe.recoverable ?? false;
    if (subscribe.publications === undefined) state.offset = subscribe.offset ?? 0;
    yield { kind: "ready", ...(state.pingMs === undefined ? {} : { silenceMs: state.pingMs }) };
  }
  const pushed = push?.pub === undefined ? [] : [push.pub];
  for (const { data, offset } of [...(subscribe?.publications ?? []), ...pushed]) {
    if (offset !== undefined) state.offset = offset;
    yield { kind: "published", text: JSON.stringify(data) };
  }
}
