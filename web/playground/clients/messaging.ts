import SockJS from "sockjs-client";
import { MessagingClient, type SocketLike } from "../../../clients/messaging/messaging-client.ts";
import type { Pane } from "../pane.ts";
import { askToken } from "../server.ts";
import { socketUrl, type OpenClient } from "../surroundings.ts";

/** Of the channel that is open to everybody, by which the other pages find it. */
const CHANNEL_NAME = "Playground";

/** Over a WebSocket alone: a pane whose network is cut has no other way. */
const OverWebSocket = function (url: string) {
  return new SockJS(url, null, { transports: "websocket" });
} as unknown as new (url: string) => SocketLike;

export const open: OpenClient = async (pane, { settings, channel }) => {
  const { user } = pane.about;
  const url = socketUrl(settings, "messaging").replace(/^ws/, "http");

  function connect(positions?: MessagingClient["positions"]): MessagingClient {
    pane.became("connecting");
    const client = new MessagingClient({
      ...{ url, socket: OverWebSocket },
      token: () => askToken("messaging", { user }),
      ...(positions === undefined ? {} : { positions }),
    });
    client.on("open", (identity) => {
      pane.connectionId.value = identity["connection-id"];
      pane.became("open");
    });
    client.on("closed", ({ code, reason }) => pane.became("closed", `${code} ${reason}`));
    client.on("channel-message", (message) => pane.hear(message));
    client.on("direct-message", (message) => pane.hear(message));
    return client;
  }

  let client = connect();
  const id = await joinChannel(client);
  channel.found(id);

  return {
    async say(text) {
      await client.request("channel-message", { "channel-id": id, content: text });
      hearOwn(pane, text);
    },
    reconnect() {
      const { positions } = client;
      client.close();
      client = connect(positions);
    },
    close: () => client.close(),
  };
};

/** What a client sent itself does not come to it. */
function hearOwn(pane: Pane, text: string): void {
  pane.hear({ from: pane.about.user, text });
}

/** The one that is there, or a new one. */
async function joinChannel(client: MessagingClient): Promise<string> {
  const { channels } = await client.request("discover-channels", {});
  const [known] = channels
    .filter(({ name }) => name === CHANNEL_NAME)
    .map((found) => found["channel-id"])
    .toSorted();
  if (known !== undefined) {
    await client.request("join-channel", { "channel-id": known });
    return known;
  }
  const made = await client.request("create-channel", { name: CHANNEL_NAME, access: "open" });
  return made["channel-id"];
}
