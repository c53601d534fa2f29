/** Where the Sora dialect is served: its API on `api` and on a listener of its own, and the signaling socket (§1.1, §2.1). */
import type { SocketRoute } from "../../transports/socket.ts";
import { limitHit, type Served } from "../dialect.ts";
import type { SharedWord } from "../words.ts";
import type { SoraSettings } from "./config.ts";
import { createOwnCalls, respond, type SoraHttpOptions } from "./http.ts";
import { soraOpenApi } from "./openapi.ts";
import { SoraSession } from "./session.ts";

export interface SoraOptions extends Omit<SoraHttpOptions, "authorize"> {
  readonly settings: SoraSettings;
  readonly authorizeOnApi: SoraHttpOptions["authorize"];
  readonly authorizeOnOwn: SoraHttpOptions["authorize"];
}

/** To be mounted behind the APIs that share `/` with it, and look which calls are theirs. */
export function createRoutes(options: SoraOptions): Served {
  const { settings, authorizeOnApi, authorizeOnOwn } = options;
  const { host, port, signaling_path: path } = settings;
  const own = { ...options, authorize: authorizeOnOwn };
  const shared = { ...options, authorize: authorizeOnApi };
  return {
    socketPath: () => path,
    calls: { exact: { "/": (call) => respond(call, shared) } },
    ...(port === 0 ? {} : { listener: { host, port, answer: createOwnCalls(own) } }),
    sockets: [socketRoute(options)],
    openapi: () => soraOpenApi(),
    tryIt: (apiUrl) => [
      `curl ${apiUrl}/ -H 'x-sora-target: Sora_20160711.PushChannel' \\
  -d '{"channel_id":"sora","data":{"spam":"egg"}}'`,
    ],
  };
}

/** §2.1: any query, no subprotocol. The client is known with its first message only, so only its page is checked here. */
function socketRoute({ contexts, settings, onEvent }: SoraOptions): SocketRoute {
  const { message_size_limit: messageBytesMax, queue_max_size: bufferedBytesMax } = settings;
  return {
    path: settings.signaling_path,
    transports: ["websocket"],
    messageBytesMax,
    accept({ mount, headers, address }) {
      const context = contexts.get(mount.app ?? "");
      const refuse = (word: SharedWord, status: number, detail: string): Response => {
        context?.metrics.count("connections_refused", { dialect: "sora", word });
        (context?.onEvent ?? onEvent)("Connect refused", { word, address, status, detail });
        return new Response(`${detail}\n`, { status });
      };
      if (context === undefined) return refuse("no_app", 404, "No app answers on this host");
      const origin = headers.get("origin");
      if (!context.allowsOrigin(origin)) {
        context.onEvent("Origin refused", { origin, address });
        return refuse("origin_refused", 403, "This origin is not in the app's allowed_origins");
      }
      const limit = settings.connection_limit;
      if (limit > 0 && context.sessions.size >= limit) {
        limitHit(context.metrics, "connection_limit");
        return refuse("connection_limit", 503, "The server holds as many connections as it may");
      }
      return {
        open(socket) {
          const session = new SoraSession(context, socket);
          context.onEvent("Connection opened", { connection: session.connectionId, address });
          return session;
        },
        messageBytesMax,
        bufferedBytesMax,
      };
    },
  };
}
