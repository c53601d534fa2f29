/** The gusher dialect: gusher.cluster v1's slave and master API (gusher.md). */
import { Hono } from "hono";
import { HubError } from "../../core/errors.ts";
import type { SocketRequest, SocketRoute } from "../../transports/socket.ts";
import type { Dialect } from "../dialect.ts";
import type { GusherClaims, GusherContext } from "./context.ts";
import { createMasterRoutes, type MasterOptions } from "./master-http.ts";
import { gusherOpenApi } from "./openapi.ts";
import { plainError, unauthorized } from "./plain.ts";
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
  /** First segments of the server's own paths, which are no apps. */
  readonly reserved: ReadonlySet<string>;
  readonly authorize: MasterOptions["authorize"];
}

/** §3.2, and its undocumented alias of §3.3. */
const SOCKET_PATHS = ["/ws/:app_key", "/wtf/:app_key"];

/** Its `api` is to be mounted before the API that shares its prefix. */
export function createGusher(options: GusherOptions): Dialect {
  const { contexts, prefix } = options;
  const clients = new Hono();
  const stop = new AbortController();
  clients.route(prefix, createSlaveRoutes({ contexts, socketPaths: SOCKET_PATHS }));
  return {
    name: "gusher",
    clients,
    api: createMasterRoutes({ ...options, stopping: stop.signal }),
    stopping: () => stop.abort(),
    openapi: gusherOpenApi(prefix),
    sockets: SOCKET_PATHS.map((path) => socketRoute(prefix + path, contexts)),
  };
}

function socketRoute(path: string, contexts: ReadonlyMap<string, GusherContext>): SocketRoute {
  return {
    path,
    transports: ["websocket"],
    async accept(request) {
      const admitted = await admit(request, contexts);
      if (admitted instanceof Response) return admitted;
      const { context, claims } = admitted;
      const { messageBytesMax, bufferedBytesMax } = context.settings;
      return {
        open: (socket) => new GusherSession(context, socket, claims),
        messageBytesMax,
        bufferedBytesMax,
      };
    },
    badHandshake: () => plainError(400, "Bad Request\n", { "Sec-Websocket-Version": "13" }),
  };
}

/** The checks of §3.2 in their order. Origins are not looked at: what opens a socket is in its URL, never in a cookie. */
async function admit(
  { url, params }: SocketRequest,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<Response | { readonly context: GusherContext; readonly claims: GusherClaims }> {
  const { app_key: appKey = "" } = params;
  const token = url.searchParams.get("token") ?? "";
  if (token === "") return unauthorized("app_key is nil\n");
  const context = contexts.get(appKey);
  try {
    const claims = context && (await findLoginToken(context.records, token));
    if (context !== undefined && claims?.appKey === appKey) return { context, claims };
    // Tokens are kept by app, so one for another app is found there.
    const known = claims !== undefined || (await isKnown(token, contexts));
    return unauthorized(known ? "appkey error\n" : "token error\n");
  } catch (error) {
    if (!(error instanceof HubError)) throw error;
    context?.onError(error, { connection: "", doing: "reading a login token" });
    return plainError(503, "unavailable\n");
  }
}

async function isKnown(
  token: string,
  contexts: ReadonlyMap<string, GusherContext>,
): Promise<boolean> {
  for (const { records } of contexts.values()) {
    if ((await findLoginToken(records, token)) !== undefined) return true;
  }
  return false;
}
