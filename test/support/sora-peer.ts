/** A server of the Sora dialect with real WebRTC peers, and clients of them that see every message: those that do as they should, and those that do not. */
import { deflateSync } from "node:zlib";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";
import type { TestRuntime } from "./runtime.ts";
import type { BootedServer } from "./server.ts";
import { closeOf, CONNECT, inflatedJson, nextJson, type Json } from "./sora.ts";
import { createTestPeer, type TestPeer } from "./webrtc-peer.ts";

export interface OfferedClient {
  readonly socket: RawWebSocket;
  readonly offer: Json;
  send(message: unknown): void;
  /** Code and reason of the WebSocket's close, whatever comes before. */
  closed(): ReturnType<typeof closeOf>;
}

/** In this process or in one of its own. */
type Server = Pick<BootedServer, "clientsUrl">;

export const signalingUrlOf = ({ clientsUrl }: Server) =>
  `${clientsUrl.replace(/^http/, "ws")}/signaling`;

/** Up to the offer. */
export async function offered(server: Server, connect: Json = {}): Promise<OfferedClient> {
  const socket = await connectRaw(signalingUrlOf(server));
  socket.send(JSON.stringify({ ...CONNECT, ...connect }));
  return {
    socket,
    offer: await nextJson(socket),
    send: (message) => socket.send(JSON.stringify(message)),
    closed: () => closeOf(socket),
  };
}

export interface MovedClient extends OfferedClient, AsyncDisposable {
  readonly id: string;
  readonly peer: TestPeer;
  /** The next message on a label. */
  on(label: string): Promise<Json>;
  sendOn(label: string, frame: string | Uint8Array): Promise<void>;
}

/** With DataChannel signaling, moved to it. */
export async function moved(server: Server, connect: Json = {}): Promise<MovedClient> {
  const client = await offered(server, { data_channel_signaling: true, ...connect });
  const peer = createTestPeer();
  client.send({ type: "answer", sdp: await peer.answer(String(client.offer["sdp"])) });
  while ((await nextJson(client.socket))["type"] !== "switched");
  return {
    ...{ ...client, peer, id: String(client.offer["connection_id"]) },
    on: async (label) => inflatedJson(await (await peer.channel(label)).next()),
    sendOn: async (label, frame) => (await peer.channel(label)).send(frame),
    async [Symbol.asyncDispose]() {
      client.socket.destroy();
      await peer.close();
    },
  };
}

export const deflatedJson = (message: unknown) => deflateSync(JSON.stringify(message));

/** Numbers of `/metrics`, by name and label as they stand there. */
export async function soraMetrics(server: BootedServer): Promise<ReadonlyMap<string, number>> {
  const text = await (await fetch(`${server.apiUrl}/metrics`)).text();
  const lines = text.split("\n").filter((line) => /^carillon_(?:sora|webrtc|sockets)/.test(line));
  return new Map(
    lines.map((line) => {
      const [name = "", value] = line.split(" ");
      return [name, Number(value)];
    }),
  );
}

/** Lets the server's turns pass until it holds no socket, connection or peer any more. */
export async function emptied(server: BootedServer, runtime: TestRuntime): Promise<void> {
  for (;;) {
    const metrics = await soraMetrics(server);
    const open = [...metrics].filter(([name]) => !/failed|refused|oversized/.test(name));
    if (open.every(([, value]) => value === 0)) return;
    await runtime.advance(100);
  }
}
