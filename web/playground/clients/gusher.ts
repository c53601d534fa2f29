import { Gusher } from "@xpomelox/gusher";
import { channelCallOf } from "../calls.ts";
import { memberOf } from "../positions.ts";
import { askToken, callApi } from "../server.ts";
import { NEWS, RETRY_MS, socketUrl, type OpenClient } from "../surroundings.ts";

/** gusher-js comes back with the token that it has, which lasts a minute: so it logs in anew each time, as its page says. */
export const open: OpenClient = async (pane, { settings, channel }) => {
  const { user } = pane.about;
  const url = socketUrl(settings, "gusher");
  const name = await channel.name;
  const client = new Gusher(settings.app, { url, token: await logIn(url, user) });
  let leaving = false;
  let timer = 0;

  async function logInAndConnect(): Promise<void> {
    try {
      const token = await logIn(url, user);
      if (leaving) return;
      client.setAuthToken(token);
      client.connect();
    } catch {
      comeBack();
    }
  }

  function comeBack(): void {
    clearTimeout(timer);
    timer = window.setTimeout(() => void logInAndConnect(), RETRY_MS);
  }

  const joined = new Promise<void>((resolve) => {
    client.bind("gusher.multi_subscribe_succeeded", () => {
      pane.became("open");
      // Its answer says by which id the connection can be pushed to.
      client.send("gusher.ping", {});
      resolve();
    });
  });
  client.bind("gusher.multi_subscribe_error", () => pane.note("The channels were refused"));
  // It throws on an error that nobody binds; its close follows.
  client.bind("error", () => {});
  client.bind("closed", ({ code, reason }: CloseEvent) => {
    if (leaving) return;
    pane.became("closed", `${code} ${reason}`);
    comeBack();
  });
  client.bind("*", (frame: unknown) => {
    const id = memberOf(frame, "socket_id");
    if (typeof id === "string") pane.connectionId.value = id;
    const from = memberOf(frame, "channel");
    if (from === name || from === NEWS) pane.hear(memberOf(frame, "data"));
    // A push to the user or the connection is bare.
    else if (memberOf(frame, "event") === undefined) pane.hear(frame);
  });
  client.subscribes([name, NEWS]);
  pane.became("connecting");
  client.connect();
  await joined;

  return {
    say: (text) =>
      callApi(
        channelCallOf("gusher", {
          ...{ app: settings.app, channel: name },
          data: JSON.stringify({ from: user, text }),
        }),
      ),
    reconnect() {
      clearTimeout(timer);
      void logInAndConnect();
    },
    close() {
      leaving = true;
      clearTimeout(timer);
      client.disconnect();
    },
  };
};

async function logIn(socket: string, user: string): Promise<string> {
  const jwt = await askToken("gusher", { user, channel: ["*"] });
  const address = socket.replace(/^ws/, "http").replace(/\/ws\/[^/]*$/, "/auth");
  const response = await fetch(address, { method: "POST", body: new URLSearchParams({ jwt }) });
  if (!response.ok) throw new Error(`The login was refused: ${await response.text()}`);
  return ((await response.json()) as { readonly token: string }).token;
}
