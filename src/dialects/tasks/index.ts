/** The task-token dialect: JSON-RPC for backends, and the sockets of those who wait for a task's results (task-tokens.md). */
import type { SocketRoute } from "../../transports/socket.ts";
import type { Dialect } from "../dialect.ts";
import type { TasksContext } from "./context.ts";
import { createRpcRoutes, type RpcRoutesOptions } from "./http.ts";
import { SOCKET_MESSAGE_BYTES_MAX } from "./session-limits.ts";
import { tasksOpenApi } from "./openapi.ts";
import { TasksSession } from "./session.ts";

/** Where an app's clients connect. */
export interface TasksMount {
  readonly publicId: string;
  /** Prepended to the socket paths; `""` for the one app without. */
  readonly pathPrefix: string;
  /** Host names whose requests are this app's; empty: any. */
  readonly hosts: readonly string[];
}

export interface TasksOptions extends RpcRoutesOptions {
  readonly mounts: readonly TasksMount[];
  readonly websocketPaths: readonly string[];
}

/** Its `api` is to be mounted before the APIs that share `/` and `/api` with it. */
export function createTasks(options: TasksOptions): Dialect {
  const { mounts, websocketPaths, contexts } = options;
  const byPath = new Map<string, TasksMount[]>();
  for (const mount of mounts) {
    for (const path of socketPaths(mount, websocketPaths)) {
      byPath.set(path, [...(byPath.get(path) ?? []), mount]);
    }
  }
  return {
    name: "tasks",
    api: createRpcRoutes(options),
    sockets: [...byPath].map(([path, here]) => socketRoute(path, here, contexts)),
    openapi: tasksOpenApi(options.path),
  };
}

/** `/` of an app with a prefix is that prefix. */
export function socketPaths(
  { pathPrefix }: Pick<TasksMount, "pathPrefix">,
  websocketPaths: readonly string[],
): readonly string[] {
  return websocketPaths.map((path) =>
    path === "/" && pathPrefix !== "" ? pathPrefix : pathPrefix + path,
  );
}

/** Who connects is known with the first frame only (§5.1), so that nothing but the app is looked at here. */
function socketRoute(
  path: string,
  mounts: readonly TasksMount[],
  contexts: ReadonlyMap<string, TasksContext>,
): SocketRoute {
  return {
    path,
    transports: ["websocket"],
    accept({ url, headers, address }) {
      const { hostname } = url;
      const mount =
        mounts.find(({ hosts }) => hosts.includes(hostname)) ??
        mounts.find(({ hosts }) => hosts.length === 0);
      const context = mount && contexts.get(mount.publicId);
      if (context === undefined) {
        return new Response("No app answers on this host\n", { status: 404 });
      }
      return {
        open: (socket) => {
          return new TasksSession(context, socket, { origin: headers.get("origin"), address });
        },
        messageBytesMax: SOCKET_MESSAGE_BYTES_MAX,
        bufferedBytesMax: context.settings.bufferedBytesMax,
      };
    },
  };
}
