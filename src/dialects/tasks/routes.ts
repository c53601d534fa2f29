/** Where the task-token dialect is served: JSON-RPC for backends, and sockets for those who wait (task-tokens.md §2). */
import type { SocketRoute } from "../../transports/socket.ts";
import type { Served } from "../dialect.ts";
import { createRpcCalls, type RpcRoutesOptions } from "./http.ts";
import { SOCKET_MESSAGE_BYTES_MAX } from "./limits.ts";
import { tasksOpenApi } from "./openapi.ts";
import { TasksSession } from "./session.ts";

export interface TasksOptions extends RpcRoutesOptions {
  readonly websocketPaths: readonly string[];
}

/** Its `calls` are to be asked before the APIs' that share `/` and `/api` with it. */
export function createRoutes(options: TasksOptions): Served {
  const { websocketPaths } = options;
  return {
    socketPath: () => websocketPaths[0] ?? "/",
    calls: createRpcCalls(options),
    sockets: websocketPaths.map((path) => socketRoute(path, options)),
    openapi: tasksOpenApi(options.path),
  };
}

/** Who connects is known with the first frame only (§5.1), so that nothing but the app is looked at here. */
function socketRoute(path: string, { contexts, onEvent }: TasksOptions): SocketRoute {
  return {
    path,
    transports: ["websocket"],
    messageBytesMax: SOCKET_MESSAGE_BYTES_MAX,
    accept({ mount, headers, address }) {
      const context = contexts.get(mount.app ?? "");
      if (context === undefined) {
        const detail = "No app answers on this host";
        onEvent("Connect refused", { address, status: 404, detail });
        return new Response(`${detail}\n`, { status: 404 });
      }
      return {
        open: (socket) => {
          return new TasksSession(context, socket, { origin: headers.get("origin"), address });
        },
        messageBytesMax: SOCKET_MESSAGE_BYTES_MAX,
        bufferedBytesMax: context.settings.queue_max_size,
      };
    },
  };
}
