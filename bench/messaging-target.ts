/** The server by its messaging dialect: subscribers with a signed token each, alone or in one channel. */
import { portOf, sign, startServer } from "./harness/carillon.ts";
import { LOOPBACK, type Target } from "./harness/targets.ts";

/** What clients connect by, and what they wrap each message in. */
export const TRANSPORTS = {
  raw: { path: "/messaging/websocket", wrap: (text: string) => text, greetings: 0 },
  "SockJS websocket": {
    path: "/messaging/000/bench/websocket",
    wrap: (text: string) => JSON.stringify([text]),
    greetings: 1,
  },
} as const;

export interface MessagingTargetOptions {
  readonly subscribers: number;
  readonly transport?: keyof typeof TRANSPORTS;
  /** Whether they are members of one channel, which others publish to. Default: they are in none. */
  readonly inChannel?: boolean;
}

const INVITE_TOKEN = "bench";
const FAR_BEYOND = 1_000_000;

export async function startMessaging(options: MessagingTargetOptions): Promise<Target> {
  const { subscribers, transport = "raw", inChannel = false } = options;
  const { path, wrap, greetings } = TRANSPORTS[transport];
  const messaging = { enabled: true, member_limit: FAR_BEYOND, messages_per_second_max: 0 };
  const server = await startServer({ config: { messaging } });
  const { apiKey, tokenSecret } = server.credentials;
  const texts = Array.from({ length: subscribers }, (_, at) => sign({ sub: `${at}` }, tokenSecret));
  const sockets = { host: LOOPBACK, port: portOf(server.clients) };
  const channelId = inChannel ? await createChannel(sockets.port, texts[0] ?? "") : "";
  const first = inChannel
    ? { type: "join-channel", "invite-token": INVITE_TOKEN }
    : { type: "ping" };
  return {
    name: `Carillon, messaging, ${transport}`,
    process: server.process,
    sockets: { ...sockets, path: `${path}?access_token=%s` },
    join: () => ({ init: [wrap(JSON.stringify(first))], texts, replies: greetings + 2 }),
    publishing: {
      ...{ host: LOOPBACK, port: portOf(server.api), path: "/api/publish" },
      headers: { "X-API-Key": apiKey, "Content-Type": "application/json" },
      body: (_, data) => `{"channel":"${channelId}","data":"${plain(data)}"}`,
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

/** As text without quotes, as long as it was, with the numbers where the tally finds them. */
function plain(data: string): string {
  const text = data.replaceAll('"', "").replaceAll(":", "=");
  return text.padEnd(data.length, "x");
}

/** By its first member, who is to be there before the others join. */
async function createChannel(port: number, token: string): Promise<string> {
  const socket = new WebSocket(
    `ws://${LOOPBACK}:${port}/messaging/websocket?access_token=${token}`,
  );
  const created = Promise.withResolvers<string>();
  socket.onopen = () =>
    socket.send(JSON.stringify({ type: "create-channel", "invite-token": INVITE_TOKEN }));
  socket.onclose = () => created.reject(new Error("No channel was created"));
  socket.onmessage = ({ data }) => {
    const { type, ...answer } = JSON.parse(String(data)) as Record<string, string>;
    if (type === "invitation") created.resolve(answer["channel-id"] ?? "");
  };
  const channelId = await created.promise;
  socket.close();
  return channelId;
}
