/** The HTTP API of the messaging dialect, and sockets that are opened with its tokens. */
import { connectRaw, handshake, type RawFrame, type RawWebSocket } from "./raw-websocket.ts";
import type { BootedServer } from "./server.ts";

export type Json = Readonly<Record<string, unknown>>;

export const KEY = { Authorization: "Bearer dev-api-key" };
/** A form that is sent to `/messaging/auth/*`. */
export type Fields = Readonly<Record<string, string>>;

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Parsed; undefined without a body. */
  readonly body: Json | undefined;
}

export async function ask(
  url: string,
  init: { method?: string; headers?: Record<string, string>; body?: string | Uint8Array } = {},
): Promise<Answer> {
  const response = await fetch(url, init as RequestInit);
  const text = await response.text();
  const body = text === "" ? undefined : (JSON.parse(text) as Json);
  return { status: response.status, headers: response.headers, text, body };
}

/** A call below `/messaging/domains/dev` on `api`, with the development key. */
export function manage(
  server: BootedServer,
  method: string,
  path: string,
  body?: unknown,
  { headers = KEY, domain = "domains/dev" }: { headers?: Fields; domain?: string } = {},
): Promise<Answer> {
  return ask(`${server.apiUrl}/messaging/${domain}${path}`, {
    method,
    headers: { "Content-Type": "application/json", ...headers },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
}

/** Throws unless it succeeds. */
export async function managed(...call: Parameters<typeof manage>): Promise<Json> {
  const answer = await manage(...call);
  if (answer.status >= 300) throw new Error(`${call[1]} ${call[2]}: ${answer.text}`);
  return answer.body ?? {};
}

/** A form at `/messaging/auth/…`. */
export function send(
  server: Pick<BootedServer, "clientsUrl" | "apiUrl">,
  call: "token" | "revoke" | "introspect",
  fields: Fields,
  { headers = {}, on = "clients" }: { headers?: Fields; on?: "clients" | "api" } = {},
): Promise<Answer> {
  const base = on === "clients" ? server.clientsUrl : server.apiUrl;
  return ask(`${base}/messaging/auth/${call}`, {
    method: "POST",
    headers: { "Content-Type": "application/x-www-form-urlencoded", ...headers },
    body: new URLSearchParams(fields).toString(),
  });
}

export const introspect = async (server: BootedServer, token: string): Promise<Json> =>
  (await send(server, "introspect", { token }, { headers: KEY, on: "api" })).body ?? {};

/** A subscriber and a token of its. */
export async function subscribe(
  server: BootedServer,
  msisdn: string,
  key: Json = {},
): Promise<{ readonly token: string; readonly keyId: string }> {
  const { status } = await manage(server, "GET", `/subscribers/${msisdn}`);
  if (status === 404) await managed(server, "POST", "/subscribers", { msisdn });
  const minted = await managed(server, "POST", `/subscribers/${msisdn}/keys`, key);
  return { token: String(minted["access_token"]), keyId: String(minted["key-id"]) };
}

export function socketUrl(server: BootedServer, token?: string): string {
  const query = token === undefined ? "" : `?access_token=${token}`;
  return `${server.clientsUrl.replace("http", "ws")}/messaging/websocket${query}`;
}

/** The status that an upgrade is answered with. */
export const statusOf = async (server: BootedServer, token?: string): Promise<number> =>
  (await handshake(socketUrl(server, token))).status;

/** A socket that is open and was told whose it is. */
export async function open(
  server: BootedServer,
  token: string,
  as: "query" | "header" = "query",
): Promise<RawWebSocket> {
  const socket =
    as === "query"
      ? await connectRaw(socketUrl(server, token))
      : await connectRaw(socketUrl(server), { headers: { authorization: `bearer ${token}` } });
  await whoami(socket);
  return socket;
}

/** The subscriber that the socket belongs to. */
export async function whoami(socket: RawWebSocket): Promise<unknown> {
  socket.send('{"type":"whoami"}');
  for (;;) {
    const frame = await textFrame(socket);
    const message = JSON.parse(frame.text) as { type: string; subscriber: { id: string } };
    if (message.type === "identity") return message.subscriber.id;
  }
}

async function textFrame(socket: RawWebSocket): Promise<RawFrame> {
  for (;;) {
    const frame = await socket.next();
    if (frame.opcode === 8) throw new Error(`Closed with ${frame.code}`);
    if (frame.opcode === 1) return frame;
  }
}

/** The code and reason that the server closes with. */
export async function closeOf(
  socket: RawWebSocket,
): Promise<readonly [number | undefined, string]> {
  for (;;) {
    const frame = await socket.next();
    if (frame.opcode === 8) return [frame.code, frame.text];
  }
}
