import { Centrifuge } from "centrifuge";
import { askToken } from "../server.ts";
import { NEWS, socketUrl, type OpenClient } from "../surroundings.ts";

export const open: OpenClient = async (pane, { settings, channel }) => {
  const token = await askToken("streaming", { user: pane.about.user, expires: "0" });
  const client = new Centrifuge(socketUrl(settings, "streaming"), { token });
  client.on("connecting", ({ code, reason }) => {
    pane.became("connecting", `${code} ${reason}`);
    // 0: it was told to connect.
    if (code !== 0) pane.note(`Connection lost: ${code} ${reason}`);
  });
  client.on("connected", ({ client: id }) => {
    pane.connectionId.value = id;
    pane.became("open");
  });
  client.on("disconnected", ({ code, reason }) => pane.became("closed", `${code} ${reason}`));
  // A push to the user or the connection.
  client.on("message", ({ data }) => pane.hear(data));

  const news = client.newSubscription(NEWS);
  news.on("publication", ({ data }) => pane.hear(data));
  news.subscribe();
  client.connect();
  const subscription = client.newSubscription(await channel.name);
  subscription.on("publication", ({ data }) => pane.hear(data));
  subscription.on("subscribed", ({ wasRecovering, recovered }) => {
    if (!wasRecovering) return;
    pane.note(recovered ? "All that was missed follows" : "What was missed is not kept any more");
  });
  subscription.subscribe();
  await subscription.ready();

  return {
    say: (text) => subscription.publish({ from: pane.about.user, text }),
    reconnect() {
      client.disconnect();
      client.connect();
    },
    close: () => client.disconnect(),
  };
};
