/** What refused clients of each dialect are answered, as texts: whole wires, without ids that differ. */
import { expect } from "bun:test";
import { developmentFile } from "../../src/dialects/configuration.ts";
import { access, ask, ORG } from "./events.ts";
import { connectRaw } from "./raw-websocket.ts";
import { createTestRuntime } from "./runtime.ts";
import { bootServer } from "./server.ts";
import type { StreamingServer } from "./streaming.ts";
import { hs256 } from "./tokens.ts";

export const SECRET = "s3cret-value";
/** Of no value but the user's may anything be told. */
export const CLAIMS = { sub: "u1", secret: SECRET };
export const KEY_OF_PRESENCE = "evk_presence";

export async function boot(development: boolean): Promise<StreamingServer> {
  const file = developmentFile();
  const enabled = { enabled: true };
  const runtime = createTestRuntime();
  const hash = new Bun.CryptoHasher("sha256").update(KEY_OF_PRESENCE).digest("hex");
  const server = await bootServer({
    runtime,
    config: {
      development,
      channel: {
        without_namespace: { dialects: ["streaming", "gusher", "sora"] },
        namespaces: [{ name: "closed", dialects: ["streaming"] }],
      },
      api_keys: [...file.api_keys, { id: "of-presence", hash, scopes: ["presence"] }],
      ...{ gusher: enabled, tasks: enabled, messaging: enabled },
      sora: { ...enabled, port: 0 },
      events: { ...file.events, ...enabled },
    },
  });
  const seconds = (fromNow = 0) => Math.floor(runtime.clock.epochMs() / 1000) + fromNow;
  return { ...server, runtime, seconds };
}

/** Texts until the close, which is its code and reason. */
export async function framesOf(
  url: string,
  sent: object,
  meanwhile = () => Promise.resolve(),
): Promise<string> {
  const socket = await connectRaw(url);
  socket.send(JSON.stringify(sent));
  await meanwhile();
  const frames: string[] = [];
  for (;;) {
    const { opcode, text, code } = await socket.next();
    if (opcode === 1) frames.push(text);
    else if (opcode === 8) return [...frames, `${code} ${text}`].join("\n");
  }
}

export const wsOf = ({ clientsUrl }: StreamingServer) => clientsUrl.replace("http", "ws");

export async function login(server: StreamingServer, jwt: string): Promise<string> {
  const body = new URLSearchParams({ jwt });
  const response = await fetch(`${server.clientsUrl}/gusher/auth`, { method: "POST", body });
  return `${response.status} ${await response.text()}`;
}

export async function gusherToken(server: StreamingServer): Promise<string> {
  const gusher = { channels: ["AA"], user_id: "u1", app_key: "dev", remotes: {} };
  const answer = await login(server, hs256({ ...CLAIMS, gusher }));
  return String((JSON.parse(answer.slice(4)) as { token: string }).token);
}

/** Without its id. */
export async function gusherAnswer(server: StreamingServer, command: object): Promise<string> {
  const token = await gusherToken(server);
  const socket = await connectRaw(`${wsOf(server)}/gusher/ws/dev?token=${token}`);
  socket.send(JSON.stringify(command));
  const { text } = await socket.next();
  return text.replace(/"socket_id":"[^"]*",/, "");
}

/** Once connected: of a command, or the close that it comes to. */
export async function streamingAnswer(
  { websocketUrl }: StreamingServer,
  command: object,
): Promise<string> {
  const socket = await connectRaw(websocketUrl);
  socket.send(JSON.stringify({ id: 1, connect: { token: hs256(CLAIMS) } }));
  await socket.next();
  socket.send(JSON.stringify({ id: 2, ...command }));
  const { code, text } = await socket.next();
  return code === undefined ? text.trim() : `${code} ${text}`;
}

export async function eventsAnswer(
  server: StreamingServer,
  claims: object,
  channel = `shipments:${ORG}`,
) {
  const token = access(server, { ...claims });
  const path = `/events/subscription_token?channel=${encodeURIComponent(channel)}`;
  const { status, body, headers } = await ask(server, path, { token });
  const { code, details } = body["error"] as { code: string; details: { explanation?: string } };
  const challenge = String(headers["www-authenticate"] ?? "");
  const [, description = "-"] = /error_description="([^"]*)"/.exec(challenge) ?? [];
  const { explanation } = details;
  // The header has neither quotes nor other letters.
  const plain = (explanation ?? "").replaceAll('"', "'").replaceAll("…", "?");
  if (challenge !== "") expect(description).toEndWith(plain);
  const told = explanation === undefined ? description : explanation;
  return `${status} ${code} ${told}`;
}

export async function messagingAnswer(
  { clientsUrl }: StreamingServer,
  token: string,
): Promise<string> {
  const response = await fetch(`${clientsUrl}/messaging/info?access_token=${token}`);
  const challenge = response.headers.get("www-authenticate");
  return `${response.status} ${await response.text()} ${challenge}`;
}
