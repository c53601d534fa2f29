/** A server of the Sora dialect with scripted WebRTC peers, its HTTP API as text, and clients that see every message of the signaling. */
import { deflateSync, inflateSync } from "node:zlib";
import type { Engine } from "../../src/core/engine.ts";
import type { Runtime } from "../../src/core/runtime.ts";
import type { Frame } from "../../src/core/types.ts";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";
import { createTestRuntime } from "./runtime.ts";
import { ANSWER, ScriptedPeers, type ScriptedPeer } from "./scripted-peers.ts";
import { bootServer, type BootedServer } from "./server.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface SoraOptions {
  readonly sora?: Json;
  readonly config?: Json;
  readonly runtime?: Runtime;
  readonly engine?: Engine;
}

export interface SoraServer extends BootedServer {
  readonly peers: ScriptedPeers;
  readonly signalingUrl: string;
  call(target: string | undefined, body?: unknown, options?: CallOptions): Promise<Answer>;
}

export interface CallOptions {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The text as JSON; undefined when it is none. */
  readonly json: Json | undefined;
}

export async function bootSora(options: SoraOptions = {}): Promise<SoraServer> {
  const { sora = {}, config, engine } = options;
  const runtime = options.runtime ?? createTestRuntime();
  const peers = new ScriptedPeers(runtime);
  const server = await bootServer({
    ...{ runtime, createPeers: () => peers },
    ...(engine === undefined ? {} : { engine }),
    config: { sora: { port: 0, ...sora }, ...config },
  });
  return {
    ...server,
    peers,
    signalingUrl: `${server.clientsUrl.replace(/^http/, "ws")}/signaling`,
    call: (target, body, how) => callSora(server.apiUrl, target, body, how),
  };
}

/** `body`: a text as it is, anything else as JSON; undefined: none. */
export async function callSora(
  apiUrl: string,
  target: string | undefined,
  body?: unknown,
  { url = "/", method = "POST", headers = {} }: CallOptions = {},
): Promise<Answer> {
  const response = await fetch(apiUrl + url, {
    method,
    headers: { ...(target === undefined ? {} : { "x-sora-target": target }), ...headers },
    ...(body === undefined ? {} : { body: typeof body === "string" ? body : JSON.stringify(body) }),
  });
  const text = await response.text();
  const json =
    text.startsWith("{") || text.startsWith("[") ? (JSON.parse(text) as Json) : undefined;
  return { status: response.status, headers: response.headers, text, json };
}

export const TARGETS = {
  channel: "Sora_20160711.PushChannel",
  client: "Sora_20160711.PushClient",
  connection: "Sora_20160711.PushConnection",
  role: "Sora_20201120.PushChannelByRole",
} as const;

export interface SoraClient extends Disposable {
  readonly socket: RawWebSocket;
  readonly id: string;
  readonly offer: Json;
  readonly peer: ScriptedPeer;
  /** Of the WebSocket. */
  next(): Promise<Json>;
  /** The next message of this type, those before it dropped. */
  until(type: string): Promise<Json>;
  send(message: unknown): void;
  /** Code and reason of the WebSocket's close, whatever comes before. */
  closed(): Promise<readonly [code: number | undefined, reason: string]>;
  /** Of a label that compresses, parsed. */
  on(label: string): Promise<Json>;
  /** From the client on a label that compresses. */
  sendOn(label: string, message: unknown): void;
}

export const CONNECT = { type: "connect", role: "recvonly", channel_id: "sora" };

/** Up to the offer. */
export async function openSora(server: SoraServer, connect: Json = {}): Promise<SoraClient> {
  const socket = await connectRaw(server.signalingUrl);
  socket.send(JSON.stringify({ ...CONNECT, ...connect }));
  const offer = await nextJson(socket);
  const peer = server.peers.all.at(-1);
  if (peer === undefined) throw new Error(`No peer: ${JSON.stringify(offer)}`);
  return clientOf(socket, offer, peer);
}

/** Up to its own `connection.created`, and with DataChannel signaling `switched`, which are dropped. */
export async function connectSora(server: SoraServer, connect: Json = {}): Promise<SoraClient> {
  const client = await openSora(server, connect);
  client.send({ type: "answer", sdp: ANSWER });
  await client.until("notify");
  if (connect["data_channel_signaling"] === true) await client.until("switched");
  return client;
}

export async function nextJson(socket: RawWebSocket): Promise<Json> {
  const frame = await socket.next();
  if (frame.opcode !== 1)
    throw new Error(`A frame of kind ${frame.opcode}, ${frame.code}: ${frame.text}`);
  return JSON.parse(frame.text) as Json;
}

export async function closeOf(
  socket: RawWebSocket,
): Promise<readonly [code: number | undefined, reason: string]> {
  for (;;) {
    const frame = await socket.next();
    if (frame.opcode === 8) return [frame.code, frame.text];
  }
}

function clientOf(socket: RawWebSocket, offer: Json, peer: ScriptedPeer): SoraClient {
  const next = () => nextJson(socket);
  return {
    ...{ socket, offer, peer, next },
    id: String(offer["connection_id"]),
    async until(type) {
      for (;;) {
        const message = await next();
        if (message["type"] === type) return message;
      }
    },
    send: (message) => socket.send(JSON.stringify(message)),
    closed: () => closeOf(socket),
    on: async (label) => inflatedJson(await peer.channel(label).next()),
    sendOn: (label, message) =>
      peer
        .channel(label)
        .send(deflateSync(typeof message === "string" ? message : JSON.stringify(message))),
    [Symbol.dispose]: () => socket.destroy(),
  };
}

export function inflatedJson(frame: Frame): Json {
  if (typeof frame === "string") throw new Error("A text, where bytes should be");
  return JSON.parse(inflateSync(frame).toString()) as Json;
}

export const push = (data: unknown) => ({ type: "push", data });
