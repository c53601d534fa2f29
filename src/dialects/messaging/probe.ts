/** A subscriber (messaging.md) for checks of a running server. It is called `carillon-doctor` and stays; its key ends by itself. */
import { z } from "zod";
import {
  callApi,
  ProbeRefused,
  ProbeSkipped,
  type AskedProbe,
  type Heard,
  type Probe,
  type ProbeClient,
} from "../probe.ts";
import type { MessagingConfig } from "./config.ts";
import { messagingToken } from "./token-command.ts";

const SUBSCRIBER = "carillon-doctor";
const message = z.object({ type: z.string(), content: z.string().optional() });

export const probe: Probe<MessagingConfig> = { prepare };

async function prepare(asked: AskedProbe<MessagingConfig>): Promise<ProbeClient> {
  const { path } = asked.config.messaging;
  const token = asked.token ?? (await mint(asked));
  const query = `?access_token=${encodeURIComponent(token)}`;
  const session = `/000/doctor${asked.mark}`;
  return {
    path: `${path}/websocket${query}`,
    streamPath: `${path}${session}/eventsource${query}`,
    // The API's pushes to a user are kept nowhere.
    recovers: false,
    hello: () => [JSON.stringify({ type: "whoami", id: "1" })],
    *read(frame): Iterable<Heard> {
      const { type, content } = message.parse(JSON.parse(frame));
      if (type === "identity") yield { kind: "ready" };
      if (type === "direct-message") yield { kind: "published", text: content ?? "" };
    },
    async publish(text) {
      const body = JSON.stringify({ user: SUBSCRIBER, data: { text } });
      const headers = { "content-type": "application/json" };
      await callApi(asked, "/admin/api/push", { headers, body }).catch((error: unknown) => {
        if (!(error instanceof ProbeRefused) || error.status >= 404) throw error;
        throw new ProbeSkipped('Pushing to a subscriber needs a key with the scope "admin"');
      });
    },
  };
}

async function mint(asked: AskedProbe<MessagingConfig>): Promise<string> {
  const { app, config, key, apiUrl } = asked;
  if (key === undefined)
    throw new ProbeSkipped("A subscriber's token needs an API key: give --key");
  const subscribers = `${config.messaging.path}/domains/${encodeURIComponent(app.id)}/subscribers`;
  const body = JSON.stringify({ msisdn: SUBSCRIBER });
  const headers = { "content-type": "application/json" };
  await callApi(asked, subscribers, { headers, body }).catch((error: unknown) => {
    // It is there from an earlier check.
    if (!(error instanceof ProbeRefused) || error.status !== 409) throw error;
  });
  const options = { user: SUBSCRIBER, expires: "5m", name: "carillon doctor", url: apiUrl, key };
  return messagingToken.mint({ ...asked, options });
}
