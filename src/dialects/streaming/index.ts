/** The streaming dialect: Centrifugo's client protocol v2 and its server API (centrifugo-protocol.md). */
import { Hono } from "hono";
import { createOriginCheck } from "../../auth/origins.ts";
import type { Hub } from "../../core/hub.ts";
import type { Socket, SocketRequest, SocketRoute } from "../../transports/socket.ts";
import type { ApiEnv, Dialect } from "../dialect.ts";
import { createApi, type Authorize } from "./http.ts";
import { jsonCodec } from "./json-codec.ts";
import { streamingOpenApi } from "./openapi.ts";
import { protobufCodec } from "./protobuf-codec.ts";
import type { Codec } from "./protocol.ts";
import { StreamingSession, type SessionRequest } from "./session.ts";
import type { StreamingContext } from "./settings.ts";

export interface StreamingApp extends StreamingContext {
  readonly hub: Hub & { stats(): { readonly connections: number } };
  /** Prepended to the socket path; `""` for the one app without. */
  readonly pathPrefix: string;
  /** Host names whose requests are this app's; empty: any. */
  readonly hosts: readonly string[];
  readonly allowedOrigins: readonly string[];
}

export interface StreamingOptions {
  readonly apps: readonly StreamingApp[];
  readonly websocketPath: string;
  readonly apiPath: string;
  /** The app and scopes of a credential; undefined: not a known one. */
  readonly authorize: Authorize;
}

/** Subprotocols that choose the encoding (§1.2). */
const SUBPROTOCOLS: Readonly<Record<string, Codec>> = {
  "centrifuge-json": jsonCodec,
  "centrifuge-protobuf": protobufCodec,
};

export function createStreaming(options: StreamingOptions): Dialect {
  const paths = new Set(options.apps.map(({ pathPrefix }) => pathPrefix + options.websocketPath));
  const api = new Hono<ApiEnv>();
  api.route(options.apiPath, createApi(options.authorize));
  return {
    name: "streaming",
    api,
    sockets: [...paths].map((path) => socketRoute(path, options)),
    openapi: streamingOpenApi(options.apiPath),
  };
}

function socketRoute(path: string, { apps, websocketPath }: StreamingOptions): SocketRoute {
  const here = apps
    .filter(({ pathPrefix }) => pathPrefix + websocketPath === path)
    .map((app) => ({ ...app, allowsOrigin: createOriginCheck(app.allowedOrigins) }));
  return {
    path,
    transports: ["websocket"],
    accept(request) {
      const app = appOf(here, request.url.hostname);
      if (app === undefined) return refusal(404, "No app answers on this host");
      if (!app.allowsOrigin(request.headers.get("origin"))) {
        app.metrics.count("connections_refused", { dialect: "streaming" });
        return refusal(403, "This origin is not in the app's allowed_origins");
      }
      const { connectionLimit, messageBytesMax, bufferedBytesMax } = app.settings;
      if (connectionLimit > 0 && app.hub.stats().connections >= connectionLimit) {
        app.metrics.count("limits_hit", { limit: "connection_limit" });
        return refusal(503, "The server holds as many connections as it may");
      }
      const { subprotocol, ...session } = sessionRequest(request, app);
      return {
        open(socket: Socket) {
          const opened = new StreamingSession(app, socket, session);
          const { connectionId: connection } = opened;
          app.onEvent("Connection opened", { connection, address: request.address });
          return opened;
        },
        ...(subprotocol === undefined ? {} : { subprotocol }),
        messageBytesMax,
        bufferedBytesMax,
      };
    },
  };
}

function appOf<App extends StreamingApp>(apps: readonly App[], host: string): App | undefined {
  return (
    apps.find(({ hosts }) => hosts.includes(host)) ?? apps.find(({ hosts }) => hosts.length === 0)
  );
}

function refusal(status: number, text: string): Response {
  return new Response(`${text}\n`, { status });
}

/** §1.2: a subprotocol, else the query, else JSON. */
function sessionRequest(
  { url, headers }: SocketRequest,
  { settings }: StreamingApp,
): SessionRequest & { readonly subprotocol: string | undefined } {
  const offered = headers.get("sec-websocket-protocol");
  const subprotocol = offered
    ?.split(",")
    .map((name) => name.trim())
    .find((name) => Object.hasOwn(SUBPROTOCOLS, name));
  // Most clients ask for nothing, and reading a query is a tenth of what an upgrade costs.
  const query = url.search === "" ? undefined : url.searchParams;
  const format = query?.get("format") ?? query?.get("cf_protocol");
  const byQuery = format === "protobuf" ? protobufCodec : jsonCodec;
  const { userIdHttpHeader } = settings;
  return {
    codec: (subprotocol === undefined ? undefined : SUBPROTOCOLS[subprotocol]) ?? byQuery,
    framePings: query?.get("cf_ws_frame_ping_pong") === "true",
    userId: userIdHttpHeader === "" ? "" : (headers.get(userIdHttpHeader) ?? ""),
    subprotocol,
  };
}
