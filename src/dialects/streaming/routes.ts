/** Where the streaming dialect is served: its sockets and its server API (centrifugo-protocol.md §1, §17). */
import { createOriginCheck } from "../../auth/origins.ts";
import type { Hub } from "../../core/hub.ts";
import type { Socket, SocketRequest, SocketRoute } from "../../transports/socket.ts";
import { limitHit, type OnEvent, type Served } from "../dialect.ts";
import type { SharedWord } from "../words.ts";
import { createApi, type Authorize } from "./http.ts";
import { jsonCodec, protobufCodec } from "./codecs.ts";
import { streamingOpenApi } from "./openapi.ts";
import type { Codec } from "./protocol.ts";
import { StreamingSession, type SessionRequest } from "./session.ts";
import type { StreamingContext } from "./context.ts";

export interface StreamingApp extends StreamingContext {
  readonly hub: Hub & { stats(): { readonly connections: number } };
  readonly allowedOrigins: readonly string[];
}

export interface StreamingOptions {
  /** By id. */
  readonly apps: ReadonlyMap<string, StreamingApp>;
  readonly websocketPath: string;
  readonly apiPath: string;
  /** The app and scopes of a credential; undefined: not a known one. */
  readonly authorize: Authorize;
  /** Of what is about no app. */
  readonly onEvent: OnEvent;
}

/** Subprotocols that choose the encoding (§1.2). */
const SUBPROTOCOLS: Readonly<Record<string, Codec>> = {
  "centrifuge-json": jsonCodec,
  "centrifuge-protobuf": protobufCodec,
};

export function createRoutes(options: StreamingOptions): Served {
  return {
    calls: createApi(options.apiPath, options.authorize),
    socketPath: () => options.websocketPath,
    tryIt: (apiUrl) => [
      "npx carillon subscribe public:news",
      `curl ${apiUrl}${options.apiPath}/publish -H 'X-API-Key: dev-api-key' \\
  -d '{"channel":"public:news","data":{"text":"Hello"}}'`,
    ],
    sockets: [socketRoute(options)],
    openapi: () => streamingOpenApi(options.apiPath),
  };
}

function socketRoute({ apps, websocketPath, onEvent }: StreamingOptions): SocketRoute {
  const origins = new Map(
    [...apps].map(([id, { allowedOrigins }]) => [id, createOriginCheck(allowedOrigins)]),
  );
  return {
    path: websocketPath,
    transports: ["websocket"],
    messageBytesMax: Math.max(
      ...[...apps.values()].map(({ settings }) => settings.message_size_limit),
    ),
    accept(request) {
      const id = request.mount.app ?? "";
      const app = apps.get(id);
      const { address } = request;
      const refuse = (word: SharedWord, status: number, text: string): Response => {
        app?.metrics.count("connections_refused", { dialect: "streaming", word });
        (app?.onEvent ?? onEvent)("Connect refused", { word, address, status, detail: text });
        return new Response(`${text}\n`, { status });
      };
      if (app === undefined) return refuse("no_app", 404, "No app answers on this host");
      const origin = request.headers.get("origin");
      if (origins.get(id)?.(origin) !== true) {
        app.onEvent("Origin refused", { origin, address });
        return refuse("origin_refused", 403, "This origin is not in the app's allowed_origins");
      }
      const { connection_limit: limit, message_size_limit, queue_max_size } = app.settings;
      if (limit > 0 && app.hub.stats().connections >= limit) {
        limitHit(app.metrics, "connection_limit");
        return refuse("connection_limit", 503, "The server holds as many connections as it may");
      }
      const session = sessionRequest(request, app);
      return {
        open(socket: Socket) {
          const opened = new StreamingSession(app, socket, session);
          const { connectionId: connection } = opened;
          app.onEvent("Connection opened", { connection, address });
          return opened;
        },
        subprotocol: session.subprotocol,
        messageBytesMax: message_size_limit,
        bufferedBytesMax: queue_max_size,
      };
    },
  };
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
  const { user_id_http_header: header } = settings;
  return {
    codec: (subprotocol === undefined ? undefined : SUBPROTOCOLS[subprotocol]) ?? byQuery,
    framePings: query?.get("cf_ws_frame_ping_pong") === "true",
    userId: header === "" ? "" : (headers.get(header) ?? ""),
    subprotocol,
  };
}
