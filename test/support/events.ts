/** A server of the events dialect for its tests: access tokens, calls to its REST API, and sockets with what it issues. */
import { developmentFile } from "../../src/dialects/configuration.ts";
import { DEVELOPMENT_USER } from "../../src/dialects/events/config.ts";
export { DEVELOPMENT_ORGANISATION as ORG } from "../../src/dialects/events/config.ts";
import { request as httpRequest } from "node:http";

import type { BootOptions } from "./server.ts";
import {
  bootStreaming,
  connectClient,
  openClient,
  type StreamingClient,
  type StreamingServer,
} from "./streaming.ts";
import { hs256 } from "./tokens.ts";

export type Json = Readonly<Record<string, unknown>>;

/** Provisioned at the first start. */

export const USER = DEVELOPMENT_USER;
export const OTHER_ORG = "org_2iFmwXASMpS3l4IZsauPs8I1eOv";
export const OTHER_USER = "usr_2iBgUOHPuWh0Hvjc81euqKXTW5N";
export const API_KEY = { "X-API-Key": "dev-api-key" };
export const ISSUER = "http://127.0.0.1:9000";

export interface EventsOptions extends Pick<BootOptions, "dataDir" | "engine"> {
  /** Over those of development mode, whose namespaces are `shipments`, `orders` and `public`; `status` is public too. */
  readonly events?: Json;
  readonly streaming?: Json;
  readonly config?: Json;
  readonly runtime?: StreamingServer["runtime"];
}

export function bootEvents(options: EventsOptions = {}): Promise<StreamingServer> {
  const { events, config, streaming, ...rest } = options;
  const development = developmentFile().events;
  const namespaces = [...development.namespaces, { name: "status", visibility: "public" }];
  return bootStreaming({
    ...rest,
    streaming: { allow_anonymous_connect_without_token: true, ...streaming },
    config: { events: { ...development, namespaces, ...events }, ...config },
  });
}

export const READ = "shipments:read orders:read";
export const ADMIN = `platform:admin ${READ}`;

/** An access token of the sample user and organisation, valid for an hour, with these claims over it; `undefined` removes one. */
export function access(
  server: StreamingServer,
  claims: Json = {},
  sign: (claims: Json) => string = hs256,
): string {
  const all = {
    ...{ iss: ISSUER, aud: "events", sub: USER, org_id: "org_26ZZVNs2QURl4yY6owPARekUbMa" },
    ...{ scope: ADMIN, iat: server.seconds(), exp: server.seconds(3600) },
    ...claims,
  };
  return sign(Object.fromEntries(Object.entries(all).filter(([, value]) => value !== undefined)));
}

export interface EventsRequest {
  /** Default GET. */
  readonly method?: string;
  /** Default: `access(server)`. `""`: none. */
  readonly token?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON, also with a GET. */
  readonly body?: string | object;
  /** Default `api`. */
  readonly listener?: "api" | "clients";
}

export interface EventsAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Json;
}

/** By `node:http`, since `fetch` sends no body with a GET. */
export function ask(
  server: StreamingServer,
  path: string,
  { method = "GET", token, headers, body, listener = "api" }: EventsRequest = {},
): Promise<EventsAnswer> {
  const bearer = token ?? (headers?.["X-API-Key"] === undefined ? access(server) : "");
  const sent = typeof body === "object" ? JSON.stringify(body) : body;
  const base = listener === "api" ? server.apiUrl : server.clientsUrl;
  const { promise, resolve, reject } = Promise.withResolvers<EventsAnswer>();
  const options = {
    method,
    headers: {
      ...(bearer === "" ? {} : { Authorization: `Bearer ${bearer}` }),
      ...(typeof body === "object" ? { "Content-Type": "application/json" } : {}),
      ...(sent === undefined ? {} : { "Content-Length": `${Buffer.byteLength(sent)}` }),
      ...headers,
    },
  };
  const asking = httpRequest(base + path, options, (response) => {
    const chunks: Buffer[] = [];
    response.on("data", (chunk: Buffer) => chunks.push(chunk));
    response.on("end", () => {
      const text = Buffer.concat(chunks).toString();
      const json = response.headers["content-type"]?.startsWith("application/json") === true;
      resolve({
        ...{ status: response.statusCode ?? 0, headers: response.headers, text },
        body: json && text !== "" ? (JSON.parse(text) as Json) : {},
      });
    });
  });
  asking.on("error", reject);
  asking.end(sent);
  return promise;
}

/** With the development key. */
export function askByKey(
  server: StreamingServer,
  path: string,
  body?: object,
): Promise<EventsAnswer> {
  const method = body === undefined ? "GET" : "POST";
  return ask(server, path, { method, headers: API_KEY, ...(body === undefined ? {} : { body }) });
}

/** The code of an error answer; `ok` for any other. */
export function codeOf({ status, body }: EventsAnswer): string {
  const error = body["error"] as { readonly code?: string } | undefined;
  return status < 400 ? "ok" : (error?.code ?? `status ${status}`);
}

/** The claims of an issued token. */
export function claimsOf({ body }: Pick<EventsAnswer, "body">): Json {
  const [, payload = ""] = String(body["token"]).split(".");
  return JSON.parse(Buffer.from(payload, "base64url").toString()) as Json;
}

/** A connection token for these access claims. */
export async function connectionToken(server: StreamingServer, claims: Json = {}): Promise<string> {
  const answer = await ask(server, "/events/connection_token", { token: access(server, claims) });
  if (answer.status !== 200) throw new Error(`Refused: ${answer.text}`);
  return String(answer.body["token"]);
}

export async function subscriptionToken(
  server: StreamingServer,
  channel: string,
  claims: Json = {},
): Promise<string> {
  const path = `/events/subscription_token?channel=${encodeURIComponent(channel)}`;
  const answer = await ask(server, path, { token: access(server, claims) });
  if (answer.status !== 200) throw new Error(`Refused: ${answer.text}`);
  return String(answer.body["token"]);
}

/** A socket that this token opened, and the connect answer. */
export async function connectWith(
  server: StreamingServer,
  token: string,
): Promise<{ readonly client: StreamingClient; readonly connected: Json }> {
  const client = await openClient(server);
  const reply = await client.ask({ connect: { token } });
  if (reply["connect"] === undefined) throw new Error(`Refused: ${JSON.stringify(reply)}`);
  return { client, connected: reply["connect"] as Json };
}

/** A connected socket of the sample user, with the automatic channels of these access claims. */
export async function connectUser(
  server: StreamingServer,
  claims: Json = {},
): Promise<StreamingClient> {
  return (await connectWith(server, await connectionToken(server, claims))).client;
}

/** Without a token, as development mode lets it. */
export const connectAnonymously = (server: StreamingServer): Promise<StreamingClient> =>
  connectClient(server);

/** Publishes with the development key; throws what is not accepted. */
export async function publish(server: StreamingServer, event: Json): Promise<Json> {
  const answer = await askByKey(server, "/events/publish", {
    ...{ type: "shipment.updated", organisation_id: "org_26ZZVNs2QURl4yY6owPARekUbMa" },
    ...{ resource: "shipments", data: {} },
    ...event,
  });
  if (answer.status !== 202) throw new Error(`Refused: ${answer.text}`);
  return answer.body;
}

/** Publications among messages, as `channel` and the envelope. */
export function publicationsOf(messages: readonly Json[]): { channel: string; data: Json }[] {
  return messages.flatMap((message) => {
    const push = message["push"] as { channel: string; pub?: { data: Json } } | undefined;
    return push?.pub === undefined ? [] : [{ channel: push.channel, data: push.pub.data }];
  });
}
