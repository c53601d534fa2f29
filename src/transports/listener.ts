/**
 * The `clients` listener: one `Bun.serve` that upgrades the dialects' socket routes and hands every other request on.
 * What a socket does after its upgrade is in `websocket.ts`, how groups reach it in `groups.ts`.
 */
import type { Server } from "bun";
import { shuttingDown, text, upgradeRequired } from "./clients-answers.ts";
import { ClientsBodies } from "./clients-bodies.ts";
import type { ClientsListener, ClientsListenerOptions } from "./clients-listener.ts";
import { createFrameTurns } from "./frame-turns.ts";
import { Groups } from "./groups.ts";
import { Handshakes, protocolHeader, wantsWebSocket } from "./handshakes.ts";
import { streamTo } from "./http-stream.ts";
import { listenFailure } from "./listen-failure.ts";
import { LocalGroups } from "./local-groups.ts";
import { placeOf, type Place } from "./mounts.ts";
import { type QueuedContext, QueuedSocket } from "./queued-socket.ts";
import { BODY_REFUSALS } from "./request.ts";
import { createRoutes } from "./routes.ts";
import { arrayBytesMax } from "./sockjs/messages.ts";
import { listenToSockJs, streamedRequest } from "./sockjs/on-listener.ts";
import type { ClientsRequest, SocketRequest, SocketRoute } from "./socket.ts";
import { createTrustedProxies } from "./trusted-proxies.ts";
import type { SocketContext } from "./outbound.ts";
import { WebSocketConnection } from "./websocket.ts";

/** Bun's own bound on what waits for one socket. Ours is at most half of it and acts first; this one cuts with 1006. */
const BACKPRESSURE_LIMIT_BYTES = 4 * 1024 * 1024;
/** Twice what any route takes, so that a body just over its bound gets the route's own answer. Bun holds that much whether it is read or not. */
const REQUEST_BODY_BYTES_MAX = 131_072;
/** Likewise where API calls come as well: room for their batches, and little enough for anybody to send. */
const CALL_BODY_BYTES_MAX = 1_048_576;
/** Bytes beyond what a SockJS route takes, so that what is just over its bound gets its own answer. */
const SPARE_BYTES = 65_536;
/** Seconds for one request and its answer, and for an idle kept-alive connection; see `ClientsRequest.keepOpen`. */
const REQUEST_SECONDS_MAX = 30;

/** Throws an `Error` with one clear sentence when it cannot listen. */
export function createClientsListener(options: ClientsListenerOptions): ClientsListener {
  const { runtime, onBug } = options;
  const proxies = createTrustedProxies(options.trustedProxies);
  const routes = options.routes.filter(({ transports }) => transports.includes("websocket"));
  const findRoute = createRoutes(routes);
  const sockJsRoutes = options.routes.filter(({ transports }) => transports.includes("sockjs"));
  const arraysBytesMax = Math.max(
    0,
    ...sockJsRoutes.map((route) => arrayBytesMax(route) + SPARE_BYTES),
  );
  const bodyBytesMax =
    options.requestBodyBytesMax ??
    Math.max(
      options.api === undefined ? REQUEST_BODY_BYTES_MAX : CALL_BODY_BYTES_MAX,
      arraysBytesMax,
    );
  const bodies = new ClientsBodies(bodyBytesMax);
  const backpressureLimitBytes = options.backpressureLimitBytes ?? BACKPRESSURE_LIMIT_BYTES;
  const groups = new Groups(runtime);
  const stats = { opened: 0, received: 0, sent: 0, lagging: 0, slow: 0, failed: 0 };
  const shared = { clock: runtime.clock, stats, onBug };
  const bufferedBytesMax = Math.floor(backpressureLimitBytes / 2);
  const framesOf = createFrameTurns(runtime.timers);
  // SockJS' frames hold messages, which are handled as one.
  const context: SocketContext = { ...shared, groups, bufferedBytesMax };
  const contexts = new Map<string | undefined, SocketContext>();
  const carried = new LocalGroups();
  const queued: QueuedContext = { ...shared, groups: carried, timers: runtime.timers };
  const sockJs = listenToSockJs({
    ...{ routes: sockJsRoutes, runtime, context, queued, bodies, bodyBytesMax, onBug },
    ...{ findMount: options.findMount, peers: options.peers, secure: options.tls !== undefined },
    accepting: () => accepting,
  });
  const handshakes = new Handshakes(runtime.timers);
  const members = [groups, carried, ...sockJs.members];
  let accepting = true;
  let ending = false;
  let refused = 0;

  const serve = () =>
    Bun.serve<WebSocketConnection>({
      hostname: options.hostname,
      port: options.port,
      development: false,
      // Outside development mode Bun's default is true, and a second server on the port would start silently.
      reusePort: options.shared ?? false,
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      idleTimeout: REQUEST_SECONDS_MAX,
      maxRequestBodySize: bodyBytesMax,
      fetch: handle,
      error(error) {
        onBug(error, "http request");
        return text(500, "internal error");
      },
      websocket: {
        // Bun's is re-armed by what we send, so it never finds a dead peer: sessions ping and look at lastReceivedMs.
        idleTimeout: 0,
        sendPings: false,
        perMessageDeflate: false,
        // One for all sockets, and all that bounds a message whose end has not come: of it nothing else is told.
        maxPayloadLength: Math.max(
          ...[1, arraysBytesMax],
          ...routes.map(({ messageBytesMax }) => messageBytesMax),
        ),
        backpressureLimit: backpressureLimitBytes,
        closeOnBackpressureLimit: true,
        open: (ws) => ws.data.opened(ws),
        message: (ws, message) => ws.data.received(message),
        drain: (ws) => ws.data.drained(),
        ping: (ws) => ws.data.alive(),
        pong: (ws) => ws.data.alive(),
        close: (ws, code, reason) => ws.data.ended(code, reason),
      },
    });

  /** Little is done for a handshake before its turn: of many, Bun hands over each in the same turn of the event loop. */
  function handle(
    request: Request,
    server: Server<WebSocketConnection>,
  ): Promise<Response | undefined> {
    const place = placeOf(request, options.findMount);
    if (!wantsWebSocket(request)) return answer(request, server, place, false);
    const turn = handshakes.turn(place?.mount.app);
    if (turn === undefined) return answer(request, server, place, true);
    return turn.then(() => answer(request, server, place, true));
  }

  async function answer(
    request: Request,
    server: Server<WebSocketConnection>,
    place: Place | undefined,
    isHandshake: boolean,
  ): Promise<Response | undefined> {
    if (place === undefined) {
      return accepting ? text(400, "bad request target or host") : shuttingDown();
    }
    const { url, mount, path } = place;
    const { headers } = request;
    const peer = server.requestIP(request)?.address ?? "";
    const address = proxies.clientAddress(peer, headers.get("x-forwarded-for"));
    try {
      const carries = sockJs.find(path);
      if (carries !== undefined) {
        const asked = { url, headers, address, mount, params: {} };
        const carried = await sockJs.answer(carries, request, asked, server);
        if (carried !== undefined && carried.status >= 400) refused += 1;
        return carried;
      }
      if (!accepting) return (await answerCall(request, server, "found")) ?? shuttingDown();
      const found = findRoute(path);
      if (found === undefined || !isHandshake) {
        const body = bodies.take(request);
        if (body === undefined) return text(BODY_REFUSALS.busy.status, BODY_REFUSALS.busy.text);
        const given =
          path === url.pathname
            ? request
            : new Request(new URL(path + url.search, url).href, {
                method: request.method,
                headers,
              });
        const response = await Promise.resolve(
          options.fetch(given, { address, mount, readBody: body.read, ...lend(request, server) }),
        ).finally(body.release);
        if (response.status === 404) {
          const called = await answerCall(request, server, found === undefined ? "any" : "found");
          if (called !== undefined) return called;
        }
        // A path can be a page or another transport as well; only where it is neither, the socket answers.
        if (found === undefined || response.status !== 404) {
          // Its caller turns to another connection before this one closes under a request.
          if (ending) response.headers.set("Connection", "close");
          return response;
        }
        if (request.method !== "GET") return upgradeRequired();
      }
      // A handshake that waits for an authorization hook has that hook's deadline.
      server.timeout(request, 0);
      const { route, params } = found;
      const asked = { url, headers, address, mount, params };
      const refusal = await upgrade(route, request, asked, isHandshake, server);
      if (refusal !== undefined) refused += 1;
      return refusal;
    } catch (error) {
      onBug(error, "http request");
      return text(500, "internal error");
    }
  }

  /** Undefined: calls are not answered here, or only the API's `found` is wanted and it knows no such call. */
  async function answerCall(
    request: Request,
    server: Server<WebSocketConnection>,
    wanted: "any" | "found",
  ): Promise<Response | undefined> {
    if (options.api === undefined || request.bodyUsed || wantsWebSocket(request)) return undefined;
    const answer = await options.api.handle(request, server);
    return wanted === "found" && answer.status === 404 ? undefined : answer;
  }

  /** What lasts as long as the request's answer. */
  function lend(request: Request, server: Server<WebSocketConnection>) {
    const { endWithin, onLeave } = streamedRequest(request, server);
    return {
      ...{ keepOpen: () => endWithin(0), onLeave },
      openSocket(transport, opening) {
        const socket = new QueuedSocket({ context: queued, transport, opening });
        socket.open();
        return socket;
      },
      stream: (socket, how) => streamTo(socket, { onLeave, endWithin }, how),
    } satisfies Partial<ClientsRequest>;
  }

  /** One for all sockets of an app. */
  function contextOf(app: string | undefined): SocketContext {
    let own = contexts.get(app);
    if (own === undefined) {
      own = { ...context, frames: framesOf(app ?? "") };
      contexts.set(app, own);
    }
    return own;
  }

  /** Undefined once the socket is open. */
  async function upgrade(
    route: SocketRoute,
    request: Request,
    socketRequest: SocketRequest,
    isHandshake: boolean,
    server: Server<WebSocketConnection>,
  ): Promise<Response | undefined> {
    const accepted = await route.accept(socketRequest);
    if (accepted instanceof Response) return accepted;
    if (!accepting) return shuttingDown();
    if (!isHandshake) return route.badHandshake?.() ?? upgradeRequired();
    // Of a handshake in another version Bun would write an answer of its own.
    if (route.badHandshake !== undefined && request.headers.get("sec-websocket-version") !== "13")
      return route.badHandshake();
    const upgraded = server.upgrade(request, {
      data: new WebSocketConnection(contextOf(socketRequest.mount.app), accepted),
      headers: protocolHeader(accepted),
    });
    if (upgraded) return undefined;
    return route.badHandshake?.() ?? text(400, "bad WebSocket handshake");
  }

  function listen(): Server<WebSocketConnection> {
    try {
      return serve();
    } catch (error) {
      throw listenFailure(error, options);
    }
  }

  const server = listen();
  groups.start(server);
  sockJs.start(server);
  const port = server.port ?? options.port;

  return {
    url: `${options.tls === undefined ? "http" : "https"}://${hostInUrl(options.hostname)}:${port}`,
    port,
    fanout: groups,
    sockets: () => sum(members.map(({ size }) => size)),
    unsentBytes: () => sum(members.map(({ unsentBytes }) => unsentBytes)),
    stats: () => ({ ...stats, published: sum(members.map((each) => each.published)), refused }),
    stopAccepting() {
      accepting = false;
      ending = true;
    },
    stopListening() {
      ending = true;
      // Resolves with the last socket's end, which `close` brings.
      void server.stop();
    },
    shutdown() {
      for (const each of members) each.shutdown();
    },
    async close() {
      accepting = false;
      // Last words of answers that stream are written in a turn of their own.
      await new Promise((resolve) => setImmediate(resolve));
      await sockJs.close();
      // Without `true` it would wait for the last socket's peer.
      await server.stop(true);
    },
  };
}

function hostInUrl(hostname: string): string {
  return hostname.includes(":") ? `[${hostname}]` : hostname;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
