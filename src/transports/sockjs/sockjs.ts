/** SockJS on the `clients` listener: what each request below a service's base is answered. */
import type { Schedule } from "../../core/schedule.ts";
import type { Runtime } from "../../core/runtime.ts";
import type { StreamedRequest } from "../answer-stream.ts";
import type { SocketContext } from "../outbound.ts";
import type { QueuedContext } from "../queued-socket.ts";
import type { TakenBody } from "../clients-bodies.ts";
import type { OpenSession, SocketRequest, SocketRoute } from "../socket.ts";
import type { WebSocketConnection } from "../websocket.ts";
import {
  corsHeaders,
  noCache,
  preflight,
  refusal,
  sessionHeaders,
  strongCache,
  text,
  wrongMethod,
} from "./answers.ts";
import { bodyBytesMax, Carried } from "./carried.ts";
import { greeting, iframe, info, script } from "./pages.ts";
import { arrayBytesMax } from "./messages.ts";
import { methodsOf } from "./paths.ts";
import { createServices, type Found, type Service } from "./service.ts";
import { RawWebSocket, SockJsWebSocket } from "./websocket.ts";

export interface SockJsOptions {
  readonly routes: readonly SocketRoute[];
  readonly runtime: Runtime;
  readonly schedule: Schedule;
  /** Of raw WebSockets. */
  readonly raw: SocketContext;
  /** Its groups are of SockJS's framing. */
  readonly framed: SocketContext;
  /** Its groups encode messages. */
  readonly queued: QueuedContext;
  readonly accepting: () => boolean;
}

export interface SockJsRequest extends StreamedRequest {
  readonly request: Request;
  readonly asked: SocketRequest;
  readonly body: TakenBody;
  /** Of the processes that share the port, this one has the session, or would. */
  readonly owns: (session: string) => boolean;
  /** To the one that has, with its body; rejects when it is not there. */
  readonly passOn: (session: string, bodyBytesMax: number) => Promise<Response | undefined>;
  /** False: it is not a handshake that can be answered. */
  readonly upgrade: (connection: WebSocketConnection) => boolean;
}

export class SockJs {
  /** Undefined: none of its paths. */
  readonly find: (path: string) => Found | undefined;
  readonly #options: SockJsOptions;
  readonly #carried: Carried;

  constructor(options: SockJsOptions) {
    this.#options = options;
    this.find = createServices(options.routes);
    const { queued: context, schedule, accepting } = options;
    this.#carried = new Carried({ context, schedule, accepting });
  }

  /** Undefined: it is a WebSocket from here on. */
  async answer({ service, place }: Found, lent: SockJsRequest): Promise<Response | undefined> {
    const { request, asked } = lent;
    const { runtime, accepting } = this.#options;
    const nowMs = runtime.clock.epochMs();
    const carried = place.kind === "receive" || place.kind === "send";
    // Sessions that there are live on until they are told.
    if (!carried && !accepting()) return text(503, "shutting down\n", { Connection: "close" });
    if (isDisabled({ service, place })) return text(404, "");
    const methods = methodsOf(place);
    const headers = carried ? sessionHeaders(service, asked) : corsHeaders(service, asked);
    if (!methods.includes(request.method)) return wrongMethod(methods, headers);
    if (request.method === "OPTIONS") {
      return preflight(methods, { ...headers, ...strongCache(nowMs) });
    }
    switch (place.kind) {
      case "greeting":
        return wantsUpgrade(request) && !service.disabled.has("websocket")
          ? this.#open(service, lent, "raw")
          : greeting();
      case "info": {
        const refused = await service.route.sockjs?.admitInfo?.(asked);
        if (refused !== undefined) return refusal(refused, service, asked);
        return info(service, asked, runtime.random);
      }
      case "iframe":
        return iframe(service, asked, nowMs);
      case "script":
        return script(nowMs);
      case "raw":
      case "websocket":
        return this.#open(service, lent, place.kind);
      case "receive":
      case "send": {
        const { onLeave, endWithin, body, owns, passOn } = lent;
        if (!owns(place.session)) {
          const away = () => text(503, "The session's process is away: try again\n", headers);
          return passOn(place.session, bodyBytesMax(service, place)).catch(away);
        }
        const contentType = request.headers.get("content-type") ?? "";
        const given = { service, asked, body, contentType, onLeave, endWithin };
        return place.kind === "send"
          ? this.#carried.send(place, given)
          : this.#carried.receive(place, given);
      }
    }
  }

  async #open(
    service: Found["service"],
    { request, asked, upgrade }: SockJsRequest,
    kind: "raw" | "websocket",
  ): Promise<Response | undefined> {
    const accepted = await service.route.accept(asked);
    if (accepted instanceof Response) return refusal(accepted, service, asked);
    const headers = noCache(service, asked);
    if (!wantsUpgrade(request)) return text(400, 'Can "Upgrade" only to "WebSocket".', headers);
    const tokens = (request.headers.get("connection") ?? "").toLowerCase().split(/\s*,\s*/);
    if (!tokens.includes("upgrade")) return text(400, '"Connection" must be "Upgrade".', headers);
    if (request.headers.get("sec-websocket-version") !== "13") {
      return text(400, 'Send "Sec-WebSocket-Version: 13".', headers);
    }
    const connection = this.#connection(kind, accepted, service);
    return upgrade(connection) ? undefined : text(400, "bad WebSocket handshake", headers);
  }

  #connection(kind: "raw" | "websocket", opening: OpenSession, { route, settings }: Service) {
    const { raw, framed: context, schedule, runtime } = this.#options;
    if (kind === "raw") return new RawWebSocket(raw, opening, runtime.timers);
    const { heartbeatMs } = settings;
    const frameBytesMax = arrayBytesMax(route);
    return new SockJsWebSocket({ context, schedule, opening, frameBytesMax, heartbeatMs });
  }
}

function isDisabled({ service: { disabled }, place }: Found): boolean {
  if (place.kind === "raw" || place.kind === "websocket") return disabled.has("websocket");
  if (place.kind === "receive") return disabled.has(place.transport);
  return place.kind === "send" && place.transport === "jsonp_send" && disabled.has("jsonp");
}

function wantsUpgrade({ headers }: Request): boolean {
  return headers.get("upgrade")?.toLowerCase() === "websocket";
}
