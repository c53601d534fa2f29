/** A browser of the events dialect (event-streaming.md §4): it asks for its connection token, and connects with it. */
import { z } from "zod";
import {
  ProbeRefused,
  ProbeSkipped,
  shortened,
  type Heard,
  type Probe,
  type AskedProbe,
  type ProbeClient,
} from "../probe.ts";
import { answerOf } from "../token-command.ts";
import type { EventsConfig } from "./config.ts";
import { accessToken } from "./token-command.ts";

/** What the socket's own dialect says of where it is. */
type WithSockets = EventsConfig & { readonly streaming: { readonly websocket_path: string } };

const minted = z.object({ token: z.string() });
const message = z.object({
  error: z.object({ code: z.number(), message: z.string() }).optional(),
  connect: z.object({}).optional(),
});

export const probe: Probe<WithSockets> = { prepare };

async function prepare(asked: AskedProbe<WithSockets>): Promise<ProbeClient> {
  const { config, clientsUrl, post } = asked;
  const options = { scope: ["platform:admin"], expires: "5m" };
  const bearer = await accessToken.mint({ ...asked, options }).catch((error: unknown) => {
    throw new ProbeSkipped(error instanceof Error ? error.message : String(error));
  });
  const answer = await post(new URL(`${clientsUrl}/events/connection_token`), {
    headers: { authorization: `Bearer ${bearer}` },
  });
  const parsed = minted.safeParse(answerOf(answer.body));
  if (!parsed.success) throw new ProbeRefused(answer.status, shortened(answer.body), "login");
  const { token } = parsed.data;
  return {
    path: config.streaming.websocket_path,
    recovers: false,
    hello: () => [JSON.stringify({ id: 1, connect: { token, name: "carillon doctor" } })],
    *read(frame): Iterable<Heard> {
      for (const line of frame.split("\n").filter((each) => each !== "")) {
        if (line === "{}") yield { kind: "answer", frame: line };
        const { error, connect } = message.parse(JSON.parse(line));
        if (connect !== undefined) yield { kind: "ready" };
        if (error === undefined) continue;
        yield { kind: "refused", reason: `error ${error.code}, ${error.message}` };
      }
    },
  };
}
