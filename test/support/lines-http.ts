/**
 * The lines dialect over HTTP. `GET /lines/stream` answers `SESSION <id>` and streams what the session is sent, line by line, and
 * at its end `END <code> <reason>`; with `?session=<id>`, on the same node, it takes a session up again. `POST
 * /lines/send?session=<id>` brings one line, on whichever node.
 */
import { Hono } from "hono";
import type { Hub } from "../../src/core/hub.ts";
import type { Runtime, Timer } from "../../src/core/runtime.ts";
import type { ClientsEnv } from "../../src/dialects/dialect.ts";
import { BODY_REFUSALS } from "../../src/transports/request.ts";
import type { CarriedSocket, OpenSession, StreamOptions } from "../../src/transports/socket.ts";

/** Milliseconds that a session waits for its client's next stream. */
export const RESUME_MS = 5_000;

export interface LinesApp {
  readonly hub: Hub;
  readonly opening: (user: string, onClosed?: () => void) => OpenSession;
}

export interface LinesHttpOptions {
  readonly path: string;
  /** By app id. */
  readonly apps: ReadonlyMap<string, LinesApp>;
  readonly messageBytesMax: number;
  readonly runtime: Runtime;
}

/** A session of this node. */
interface Carried {
  readonly socket: CarriedSocket;
  /** Runs while it has no stream. */
  ending?: Timer | undefined;
}

interface Sent {
  readonly session: string;
  readonly line: string;
}

const FRAMING = {
  headers: { "Content-Type": "text/plain; charset=utf-8" },
  frame: (frame) => `${String(frame)}\n`,
  ping: "\n",
  close: (code, reason) => `END ${code} ${reason}\n`,
} satisfies Partial<StreamOptions>;

export function createLinesHttp(options: LinesHttpOptions): Hono<ClientsEnv> {
  const { path, apps, messageBytesMax, runtime } = options;
  const routes = new Hono<ClientsEnv>();
  const sessions = new Map<LinesApp, Map<string, Carried>>();
  for (const app of apps.values()) {
    sessions.set(app, new Map());
    app.hub.serve("lines", (sent) => deliver(app, sent as Sent));
  }

  /** Null: it is not here. */
  function deliver(app: LinesApp, { session, line }: Sent): true | null {
    const carried = sessions.get(app)?.get(session);
    carried?.socket.received(line);
    return carried === undefined ? null : true;
  }

  function openSession(app: LinesApp, env: ClientsEnv["Bindings"], user: string): string {
    const id = `${app.hub.nodeId}~${runtime.random.uuid()}`;
    const here = sessions.get(app);
    const socket = env.openSocket(
      "http_stream",
      app.opening(user, () => here?.delete(id)),
    );
    here?.set(id, { socket });
    return id;
  }

  routes.all(`${path}/stream`, ({ req, env }) => {
    if (req.method !== "GET") return new Response("GET alone\n", { status: 405 });
    const app = apps.get(env.mount.app ?? "");
    if (app === undefined) return new Response("No app answers here\n", { status: 404 });
    const id = req.query("session") ?? openSession(app, env, req.query("user") ?? "");
    const carried = sessions.get(app)?.get(id);
    if (carried === undefined) return new Response("No such session\n", { status: 404 });
    const { socket } = carried;
    carried.ending?.cancel();
    carried.ending = undefined;
    const left = () => {
      carried.ending = runtime.timers.after(RESUME_MS, () => socket.ended(1006, ""));
    };
    return env.stream(socket, { ...FRAMING, opening: `SESSION ${id}\n`, left });
  });

  // Of this node alone: whether the session waits for its client's next stream.
  routes.get(`${path}/waits`, ({ req, env }) => {
    const app = apps.get(env.mount.app ?? "");
    const carried = app && sessions.get(app)?.get(req.query("session") ?? "");
    return Response.json(carried?.ending !== undefined);
  });

  routes.post(`${path}/send`, async ({ req, env }) => {
    const app = apps.get(env.mount.app ?? "");
    const session = req.query("session") ?? "";
    const body = await env.readBody(messageBytesMax);
    if (typeof body === "string") return new Response(null, BODY_REFUSALS[body]);
    const sent: Sent = { session, line: Buffer.from(body).toString() };
    const [node = ""] = session.split("~");
    const taken =
      app === undefined || node === app.hub.nodeId
        ? app && deliver(app, sent)
        : (await app.hub.ask("lines", sent, { node }))[0];
    return taken === true
      ? new Response(null, { status: 204 })
      : new Response("No such session\n", { status: 404 });
  });

  return routes;
}
