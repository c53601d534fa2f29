/** Where the gusher dialect is served: the slave's routes and sockets, and the master's (gusher.md §2, §3). */
import { Hono } from "hono";
import { claimsText, shortened } from "../../auth/claims-text.ts";
import { HubError } from "../../core/errors.ts";
import type { Socket, SocketRequest, SocketRoute } from "../../transports/socket.ts";
import { responseOf } from "../../transports/api-call.ts";
import { servedAt } from "../../transports/request.ts";
import { limitHit, type ClientsEnv, type OnEvent, type Served } from "../dialect.ts";
import { besideText, type Explaining } from "../explaining.ts";
import type { SharedWord } from "../words.ts";
import type { GusherClaims, GusherContext } from "./context.ts";
import { createMasterCalls, type MasterOptions } from "./master/http.ts";
import { gusherOpenApi } from "./openapi.ts";
import { plainError } from "./plain.ts";
import { GusherSession } from "./session.ts";
import { createSlaveRoutes } from "./slave-http.ts";
import { findLoginToken } from "./tokens.ts";

export interface GusherOptions {
  /** By app id, which is the `app_key` of §1. */
  readonly contexts: ReadonlyMap<string, GusherContext>;
  /** `{S}` and `{M}` of §2, without a trailing slash. */
  readonly prefix: string;
  /** Where the master's routes lie as well: the streaming API's. */
  readonly sharedPrefix: string;
  /** First segments of the server's own paths, which are not apps. */
  readonly reserved: ReadonlySet<string>;
  readonly bodyBytesMax: MasterOptions["bodyBytesMax"];
  readonly batchBytesMax: MasterOptions["batchBytesMax"];
  readonly runtime: MasterOptions["runtime"];
  readonly authorize: MasterOptions["authorize"];
  readonly onEvent: OnEvent;
  readonly explains: Explaining;
}

/** §3.2, and its undocumented alias of §3.3. */
const SOCKET_PATHS = ["/ws/:app_key", "/wtf/:app_key"];

export function createRoutes(options: GusherOptions): Served {
  const { contexts, prefix, onEvent, explains } = options;
  const clients = new Hono<ClientsEnv>();
  const stop = new AbortController();
  clients.route(
    prefix,
    createSlaveRoutes({ contexts, socketPaths: SOCKET_PATHS, onEvent, explains }),
  );
  return {
    clients,
    socketPath: (app) => `${prefix}/ws/${app}`,
    calls: createMasterCalls({ ...options, stopping: stop.signal }),
    stopping: () => stop.abort(),
    openapi: () => gusherOpenApi(prefix),
    sockets: SOCKET_PATHS.map((path) => socketRoute(prefix + path, options)),
  };
}

function socketRoute(path: string, { contexts, onEvent, explains }: GusherOptions): SocketRoute {
  return {
    path,
    transports: ["websocket"],
    messageBytesMax: Math.max(
      ...[...contexts.values()].map(({ settings }) => settings.message_size_limit),
    ),
    async accept(request) {
      const { address, params } = request;
      const admitted = await admit(request, servedAt(contexts, request.mount));
      if ("status" in admitted) {
        const { word, status, text, detail = text } = admitted;
        const context = contexts.get(params["app_key"] ?? "");
        context?.metrics.count("connections_refused", { dialect: "gusher", word });
        const tell = context?.onEvent ?? onEvent;
        tell("Connect refused", { word, address, status, detail });
        const beside = besideText(explains, { word, detail });
        return responseOf(plainError(status, `${text}\n${beside}`));
      }
      const { context, claims } = admitted;
      const { message_size_limit, queue_max_size } = context.settings;
      return {
        open: (socket) => openSession(context, claims, { socket, address }),
        messageBytesMax: message_size_limit,
        bufferedBytesMax: queue_max_size,
      };
    },
    badHandshake: () =>
      responseOf(plainError(400, "Bad Request\n", { "Sec-Websocket-Version": "13" })),
  };
}

function openSession(
  context: GusherContext,
  claims: GusherClaims,
  { socket, address }: { readonly socket: Socket; readonly address: string },
): GusherSession {
  const { hub, settings, metrics, onEvent } = context;
  const session = new GusherSession(context, socket, claims);
  const { connectionId: connection, userId } = session;
  onEvent("Connection opened", { connection, address });
  const limit = settings.user_connection_limit;
  // Not before the upgrade: several that are under way at the same time would not see each other.
  if (limit > 0 && userId !== "" && hub.connectionsOf(userId) > limit) {
    limitHit(metrics, "user_connection_limit");
    session.disconnect({ disconnect: "connection_limit" });
  }
  return session;
}

interface Refused {
  readonly word: SharedWord;
  readonly status: 401 | 503;
  readonly text: string;
  /** What the text leaves open. */
  readonly detail?: string;
}

/** The checks of §3.2 in their order. Origins are not looked at: what opens a socket is in its URL, never in a cookie. */
async function admit(
  { url, params }: SocketRequest,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<Refused | { readonly context: GusherContext; readonly claims: GusherClaims }> {
  const { app_key: appKey = "" } = params;
  const token = url.searchParams.get("token") ?? "";
  if (token === "") {
    const detail = 'The address has no parameter "token": log in at /auth first';
    return { word: "unauthorized", status: 401, text: "app_key is nil", detail };
  }
  const context = contexts.get(appKey);
  try {
    const claims = context && (await findLoginToken(context.records, token));
    if (context === undefined || claims?.appKey !== appKey) {
      // Tokens are kept by app, so one for another app is found there.
      const known = claims ?? (await findAnywhere(token, contexts));
      const refused = { word: "invalid_token", status: 401 } as const;
      return { ...refused, ...(known === undefined ? UNKNOWN : otherApp(known, appKey)) };
    }
    const { hub, settings, metrics } = context;
    const limit = settings.connection_limit;
    if (limit === 0 || hub.stats().connections < limit) return { context, claims };
    limitHit(metrics, "connection_limit");
    return { word: "connection_limit", status: 503, text: "connection limit" };
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    context?.onError(error, { connection: "", doing: "reading a login token" });
    return { word: "unavailable", status: 503, text: "unavailable" };
  }
}

const UNKNOWN = {
  text: "token error",
  detail: "The login token is not known here, or gusher.token_ttl is over: log in again",
};

/** The JWT's claims as far as the token stands for them. */
function otherApp({ appKey, userId: user_id, channels, remotes }: GusherClaims, asked: string) {
  const claims = { user_id, app_key: appKey, channels, remotes };
  const why = `The claim "gusher.app_key" of the login's JWT is ${shortened(appKey, APP_CHARACTERS_MAX)}, and the address is of the app ${shortened(asked, APP_CHARACTERS_MAX)}`;
  return { text: "appkey error", detail: `${why}; ${claimsText(claims, "user_id")}` };
}

/** Of an app's id, in the log. */
const APP_CHARACTERS_MAX = 64;

async function findAnywhere(
  token: string,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<GusherClaims | undefined> {
  for (const { records } of contexts.values()) {
    const found = await findLoginToken(records, token);
    if (found !== undefined) return found;
  }
  return undefined;
}
