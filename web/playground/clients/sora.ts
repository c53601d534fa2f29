import Sora from "sora-js-sdk";
import { channelCallOf } from "../calls.ts";
import { callApi } from "../server.ts";
import { RETRY_MS, socketUrl, type OpenClient } from "../surroundings.ts";

/** The SDK does not come back by itself: each time it is a new connection. */
export const open: OpenClient = async (pane, { settings, channel }) => {
  const { user } = pane.about;
  const name = await channel.name;
  const sora = Sora.connection(socketUrl(settings, "sora"));
  let leave = async (): Promise<void> => {};
  let leaving = false;
  let timer = 0;

  async function connect(): Promise<void> {
    pane.became("connecting");
    const client = sora.recvonly(name, null, { clientId: user, dataChannelSignaling: true });
    let over = false;
    client.on("push", ({ data }) => pane.hear(data));
    client.on("switched", () => pane.note("Its DataChannels took over"));
    client.on("disconnect", ({ code, reason, title }) => {
      if (!over) lost(`${code ?? ""} ${reason ?? title}`);
      over = true;
    });
    leave = async () => {
      over = true;
      await client.disconnect();
    };
    try {
      await client.connect();
      pane.connectionId.value = client.connectionId ?? "";
      pane.became("open");
    } catch (error) {
      if (!over) lost(error instanceof Error ? error.message : String(error));
      over = true;
    }
  }

  function lost(why: string): void {
    if (leaving) return;
    pane.became("closed", why);
    clearTimeout(timer);
    timer = window.setTimeout(() => void connect(), RETRY_MS);
  }

  await connect();

  return {
    say: (text) =>
      callApi(
        channelCallOf("sora", {
          ...{ app: settings.app, channel: name },
          data: JSON.stringify({ from: user, text }),
        }),
      ),
    reconnect() {
      clearTimeout(timer);
      void leave().then(connect);
    },
    close() {
      leaving = true;
      clearTimeout(timer);
      void leave();
    },
  };
};
