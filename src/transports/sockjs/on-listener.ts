/** How SockJS's requests come and go: on the `clients` listener, and between the processes that share its port. */
import type { Server } from "bun";
import type { Runtime } from "../../core/runtime.ts";
import { createSchedule } from "../../core/schedule.ts";
import type { StreamedRequest } from "../answer-stream.ts";
import type { ClientsBodies } from "../clients-bodies.ts";
import { Groups } from "../groups.ts";
import { LocalGroups } from "../local-groups.ts";
import { placeOf, type FindMount } from "../mounts.ts";
import type { SocketContext } from "../outbound.ts";
import { ownerOf, ownSocket, passedAddress, passOn, type Peers } from "../peers.ts";
import type { QueuedContext } from "../queued-socket.ts";
import { BODY_REFUSALS } from "../request.ts";
import type { SocketRequest, SocketRoute } from "../socket.ts";
import type { WebSocketConnection } from "../websocket.ts";
import { encodeMessage, messagesFrame } from "./frames.ts";
import type { Found } from "./service.ts";
import { SockJs, type SockJsRequest } from "./sockjs.ts";

export interface SockJsListening {
  /** Undefined: the path is none of SockJS's. */
  readonly find: (path: string) => Found | undefined;
  /** Undefined: it is a WebSocket from here on. */
  answer(
    found: Found,
    request: Request,
    asked: SocketRequest,
    server: ClientsServer,
  ): Promise<Response | undefined>;
  /** Its sockets. */
  readonly members: readonly (Groups | LocalGroups)[];
  start(server: ClientsServer): void;
  close(): Promise<void>;
}

/** Bytes of a body that is not counted while a peer answers. */
const SMALL_BODY_BYTES = 4_096;

export type ClientsServer = Server<WebSocketConnection>;

/** By which a request came. */
interface Way extends Pick<SockJsRequest, "owns" | "upgrade"> {
  readonly server: Pick<ClientsServer, "timeout">;
}

export interface SockJsListeningOptions {
  readonly routes: readonly SocketRoute[];
  readonly runtime: Runtime;
  /** Of raw WebSockets. */
  readonly context: SocketContext;
  readonly queued: QueuedContext;
  readonly bodies: ClientsBodies;
  readonly bodyBytesMax: number;
  readonly peers: Peers | undefined;
  readonly secure: boolean;
  readonly findMount: FindMount;
  readonly accepting: () => boolean;
  readonly onBug: (error: unknown, context: string) => void;
}

export function listenToSockJs(options: SockJsListeningOptions): SockJsListening {
  const { routes, runtime, context, queued, bodies, bodyBytesMax, peers, onBug } = options;
  const schedule = createSchedule(runtime);
  const framed = new Groups(runtime, {
    topicPrefix: "sockjs ",
    frame: (messages) => messagesFrame(messages.map(encodeMessage)),
  });
  const encoded = new LocalGroups(encodeMessage);
  const sockJs = new SockJs({
    ...{ routes, runtime, schedule, raw: context, accepting: options.accepting },
    framed: { ...context, groups: framed },
    queued: { ...queued, groups: encoded },
  });
  let passed: Server<undefined> | undefined;

  async function answer(
    found: Found,
    request: Request,
    asked: SocketRequest,
    { server, owns, upgrade }: Way,
  ): Promise<Response | undefined> {
    const body = bodies.take(request);
    if (body === undefined) return refused("busy");
    const streamed = streamedRequest(request, server);
    try {
      return await sockJs.answer(found, {
        ...{ request, asked, body, ...streamed, owns, upgrade },
        async passOn(session, bytesMax) {
          if (peers === undefined) return undefined;
          const read = request.method === "POST" ? await body.read(bytesMax) : undefined;
          if (typeof read === "string") return refused(read);
          // The answer to one that brings nothing may take long.
          if (read === undefined || read.length <= SMALL_BODY_BYTES) body.release();
          const given = { request, address: asked.address, body: read, ...streamed };
          return passOn(given, ownerOf(session, peers), peers);
        },
      });
    } finally {
      body.release();
    }
  }

  const owns = (session: string) => peers === undefined || ownerOf(session, peers) === peers.number;

  /** What a peer passed on: requests of sessions that are this process's, whatever their ids say. */
  async function answerPassed(request: Request, server: Server<undefined>): Promise<Response> {
    const place = placeOf(request, options.findMount);
    if (place === undefined) return new Response(null, { status: 400 });
    server.timeout(request, 0);
    const { url, mount, path } = place;
    if (options.secure) url.protocol = "https:";
    const address = passedAddress(request);
    const found = sockJs.find(path);
    const { kind } = found?.place ?? {};
    if (found === undefined || (kind !== "receive" && kind !== "send")) {
      return new Response(null, { status: 404 });
    }
    const asked = { url, headers: request.headers, address, mount, params: {} };
    const way = { server, owns: () => true, upgrade: () => false };
    const response = await answer(found, request, asked, way);
    return response ?? new Response(null, { status: 404 });
  }

  return {
    find: sockJs.find,
    answer: (found, request, asked, server) =>
      answer(found, request, asked, {
        ...{ server, owns },
        upgrade: (data) =>
          server.upgrade(request, { data, headers: { "Sec-WebSocket-Protocol": "" } }),
      }),
    members: [framed, encoded],
    start(server) {
      framed.start(server);
      if (peers === undefined) return;
      passed = Bun.serve({
        ...{ unix: ownSocket(peers), development: false, maxRequestBodySize: bodyBytesMax },
        fetch: answerPassed,
        error(error) {
          onBug(error, "http request of a peer");
          return new Response("internal error", { status: 500 });
        },
      });
    },
    async close() {
      schedule.close();
      await passed?.stop(true);
    },
  };
}

/** What lasts as long as the request's answer. */
export function streamedRequest(
  request: Request,
  server: Pick<ClientsServer, "timeout">,
): StreamedRequest {
  return {
    endWithin: (seconds) => server.timeout(request, seconds),
    onLeave(callback) {
      if (request.signal.aborted) queueMicrotask(callback);
      else request.signal.addEventListener("abort", callback, { once: true });
    },
  };
}

function refused(refusal: keyof typeof BODY_REFUSALS): Response {
  const { status, text } = BODY_REFUSALS[refusal];
  return new Response(text, { status });
}
