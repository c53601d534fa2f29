/** A server of the streaming dialect for its tests, and a client that sends and sees its JSON frames as they are. */
import { expect } from "bun:test";
import { rmSync } from "node:fs";
import type { TestRuntime } from "./runtime.ts";
import { createTestRuntime } from "./runtime.ts";
import { connectRaw, type RawWebSocket } from "./raw-websocket.ts";
import { bootServer, temporaryDir, type BootedServer, type BootOptions } from "./server.ts";
import { hs256 } from "./tokens.ts";

type Settings = Readonly<Record<string, unknown>>;

export interface StreamingOptions extends Pick<BootOptions, "dataDir" | "config" | "engine"> {
  /** Over: no pings, so that time can be moved without answering them. */
  readonly streaming?: Settings;
  readonly namespaces?: readonly Settings[];
  readonly withoutNamespace?: Settings;
  readonly runtime?: TestRuntime;
}

export interface StreamingServer extends BootedServer {
  readonly runtime: TestRuntime;
  /** Unix time, in whole seconds, as a token's claims have it. */
  seconds(fromNow?: number): number;
}

/** Everybody may subscribe. */
export const OPEN = { allow_subscribe_for_client: true, allow_subscribe_for_anonymous: true };
export const HISTORY = { history_size: 10, history_ttl: "300s" };
export const RECOVERY = { ...OPEN, ...HISTORY, force_recovery: true };

/** Tokens are asked for, channels are closed, unless the options say otherwise. */
export async function bootStreaming(options: StreamingOptions = {}): Promise<StreamingServer> {
  const { streaming, namespaces = [], withoutNamespace = {}, dataDir, config, engine } = options;
  const runtime = options.runtime ?? createTestRuntime();
  const server = await bootServer({
    runtime,
    ...(dataDir === undefined ? {} : { dataDir }),
    ...(engine === undefined ? {} : { engine }),
    config: {
      channel: { without_namespace: withoutNamespace, namespaces },
      streaming: { ping_interval: "0s", ...streaming },
      ...config,
    },
  });
  return {
    ...server,
    runtime,
    seconds: (fromNow = 0) => Math.floor(runtime.clock.epochMs() / 1000) + fromNow,
  };
}

/** A data directory that outlives its servers; declare it before them. */
export function keptDataDir(): Disposable & { readonly path: string } {
  const path = temporaryDir();
  return { path, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) };
}

export type Message = Readonly<Record<string, unknown>>;

/** Commands are objects, or text that goes out as it is. */
export interface StreamingClient extends Disposable {
  readonly raw: RawWebSocket;
  /** The client id, once connected. */
  readonly id: string;
  /** One frame. */
  send(...commands: readonly (string | object)[]): void;
  /** The next reply or push; rejects when the connection closes instead. */
  next(): Promise<Message>;
  /** Sends a command under a new id, and gives the next message without that id. */
  ask(command: object): Promise<Message>;
  /** What had come before the server answered one more command. */
  arrived(): Promise<Message[]>;
  /** The close frame, which must be the next thing to come. */
  closed(): Promise<{ readonly code: number | undefined; readonly reason: string }>;
}

export async function openClient(
  server: Pick<StreamingServer, "websocketUrl">,
  options: { readonly query?: string; readonly headers?: Readonly<Record<string, string>> } = {},
): Promise<StreamingClient> {
  const { query = "", headers = {} } = options;
  const raw = await connectRaw(server.websocketUrl + query, { headers });
  const waiting: string[] = [];
  let lastId = 0;

  /** Frames may hold many messages (§1.1). */
  async function next(): Promise<Message> {
    if (waiting.length === 0) {
      const frame = await raw.next();
      if (frame.opcode !== 1) {
        throw new Error(`Frame ${frame.opcode} came: ${frame.code ?? ""} ${frame.text}`);
      }
      waiting.push(...frame.text.split("\n"));
    }
    return JSON.parse(waiting.shift() ?? "") as Message;
  }

  const client = {
    raw,
    id: "",
    send(...commands: readonly (string | object)[]) {
      const lines = commands.map((command) =>
        typeof command === "string" ? command : JSON.stringify(command),
      );
      raw.send(lines.join("\n"));
    },
    next,
    async ask(command: object) {
      const asked = ++lastId;
      client.send({ id: asked, ...command });
      const { id, ...reply } = await next();
      if (id !== asked) throw new Error(`No reply: ${JSON.stringify({ id, ...reply })}`);
      const connected = reply["connect"] as { client?: string } | undefined;
      client.id = connected?.client ?? client.id;
      return reply;
    },
    async arrived() {
      const asked = ++lastId;
      client.send({ id: asked, rpc: { method: "settled" } });
      const messages: Message[] = [];
      for (;;) {
        const message = await next();
        if (message["id"] === asked) return messages;
        messages.push(message);
      }
    },
    async closed() {
      const { opcode, code, text } = await raw.next();
      if (waiting.length > 0 || opcode !== 8) throw new Error(`Not closed, but: ${text}`);
      return { code, reason: text };
    },
    [Symbol.dispose]: () => raw.destroy(),
  };
  return client;
}

/** Connected with a token of these claims; without claims, with none. */
export async function connectClient(
  server: Pick<StreamingServer, "websocketUrl">,
  claims?: Readonly<Record<string, unknown>>,
): Promise<StreamingClient> {
  const client = await openClient(server);
  const reply = await client.ask({
    connect: claims === undefined ? {} : { token: hs256(claims) },
  });
  if (reply["connect"] === undefined) throw new Error(`Refused: ${JSON.stringify(reply)}`);
  return client;
}

/** The reply to a subscribe under these options. */
export async function subscribed(
  client: StreamingClient,
  channel: string,
  options: object = {},
): Promise<Message> {
  const reply = await client.ask({ subscribe: { channel, ...options } });
  if (reply["subscribe"] === undefined) throw new Error(`Refused: ${JSON.stringify(reply)}`);
  return reply["subscribe"] as Message;
}

/** What a server API call must answer with. */
export async function apiResult(
  server: StreamingServer,
  method: string,
  body: object,
): Promise<Message> {
  const { result, error } = await server.api(method, body);
  if (result === undefined) throw new Error(`${method} failed: ${JSON.stringify(error)}`);
  return result;
}

/** The header of the development key. */
export const API_KEY = { "X-API-Key": "dev-api-key" };

export interface ApiCall {
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Default: POST. */
  readonly method?: string;
}

/** A request to the `api` listener as it is; the body of a JSON answer is parsed. */
export async function callApi(server: StreamingServer, { path, ...init }: ApiCall) {
  const response = await fetch(server.apiUrl + path, { method: "POST", ...init });
  const text = await response.text();
  const json = response.headers.get("content-type")?.startsWith("application/json") === true;
  return { status: response.status, body: json ? (JSON.parse(text) as unknown) : text };
}

/** In development mode messages go on to say what is bad, or which claim is missing. */
const explained = (text: string): string =>
  expect.stringMatching(new RegExp(`^${text}(?:: \\S.+)?$`));
export const BAD_REQUEST = explained("bad request");
export const PERMISSION_DENIED = explained("permission denied");

/** As replies have them (§8.1). */
export const ERRORS = {
  100: { code: 100, message: "internal server error", temporary: true },
  102: { code: 102, message: "unknown channel" },
  103: { code: 103, message: PERMISSION_DENIED },
  104: { code: 104, message: "method not found" },
  105: { code: 105, message: "already subscribed" },
  106: { code: 106, message: "limit exceeded" },
  107: { code: 107, message: BAD_REQUEST },
  108: { code: 108, message: "not available" },
  109: { code: 109, message: explained("token expired") },
  110: { code: 110, message: explained("expired") },
  111: { code: 111, message: "too many requests", temporary: true },
  112: { code: 112, message: "unrecoverable position" },
} as const;

/** As close frames have them (§8.2). */
export const CLOSES = {
  3000: { code: 3000, reason: "connection closed" },
  3001: { code: 3001, reason: "shutdown" },
  3005: { code: 3005, reason: "connection expired" },
  3006: { code: 3006, reason: "subscription expired" },
  3010: { code: 3010, reason: "insufficient state" },
  3012: { code: 3012, reason: "no pong" },
  3013: { code: 3013, reason: "too many requests" },
  3500: { code: 3500, reason: "invalid token" },
  3501: { code: 3501, reason: "bad request" },
  3502: { code: 3502, reason: "stale" },
  3503: { code: 3503, reason: "force disconnect" },
  3504: { code: 3504, reason: "connection limit" },
  3505: { code: 3505, reason: "channel limit" },
  3506: { code: 3506, reason: "inappropriate protocol" },
  3507: { code: 3507, reason: "permission denied" },
  3508: { code: 3508, reason: "not available" },
} as const;
