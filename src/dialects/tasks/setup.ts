/** From the configuration to what the task-token dialect serves: JSON-RPC for backends, and sockets for those who wait (task-tokens.md §2). */
import { randomBytes } from "node:crypto";
import { createOriginCheck } from "../../auth/origins.ts";
import type { SocketRoute } from "../../transports/socket.ts";
import type { Lent, Served } from "../dialect.ts";
import { tasksAdmin } from "./admin-operations.ts";
import { createAuthentication } from "./authentication.ts";
import { TOKEN_PURPOSE, createClientTokens } from "./client-token.ts";
import { tasksSettings, type TasksConfig } from "./config.ts";
import type { TasksContext } from "./context.ts";
import { createRpcCalls, type RpcRoutesOptions } from "./http.ts";
import { SOCKET_MESSAGE_BYTES_MAX } from "./limits.ts";
import { tasksOpenApi } from "./openapi.ts";
import { TasksSession } from "./session.ts";
import { createTaskSockets } from "./sockets.ts";
import { createTaskIds, idPurpose } from "./task-id.ts";
import { createTaskStore } from "./task-store.ts";

/** Development mode's app, which takes calls without a credential (DESIGN.md §5). */
const DEVELOPMENT_APP = "dev";

export function setUp(lent: Lent<TasksConfig>): Served {
  const { config, callers, runtime, onError, onEvent, explainsRefusals } = lent;
  const contexts = contextsOf(lent);
  const { clock, random } = runtime;
  return createRoutes({
    ...{ contexts, random, randomBytes, onError, onEvent, explainsRefusals },
    authenticate: createAuthentication({
      ...{ contexts, callers, clock },
      openTo: config.development && lent.onLoopback ? DEVELOPMENT_APP : undefined,
      secrets: new Map(lent.apps.map(({ config: { id }, keys }) => [id, keys.secrets("tasks")])),
    }),
    path: config.tasks.rpc_path,
    websocketPaths: config.tasks.websocket_paths,
  });
}

/** By app id, which is the app's `public-id`. */
function contextsOf(lent: Lent<TasksConfig>): ReadonlyMap<string, TasksContext> {
  const { config, runtime, schedule, metrics, onError, explainsRefusals } = lent;
  const masterKeys = lent.masterKeys();
  const tokens = createClientTokens({ keys: masterKeys.derive(TOKEN_PURPOSE), randomBytes });
  return new Map(
    lent.apps.map(
      ({ config: { id, allowed_origins: origins }, hub, engine, publishLimit, onEvent }) => {
        const { records } = engine;
        const settings = tasksSettings(config, id);
        // Ids are for ever (§3.1), so they are made with the oldest key there is.
        const [newest, ...older] = masterKeys.derive(idPurpose(id));
        const context: TasksContext = {
          ...{ publicId: id, hub, settings, records, tokens, runtime, schedule, metrics },
          ...{ onError, onEvent, publishLimit, explainsRefusals },
          ids: createTaskIds(older.at(-1) ?? newest),
          tasks: createTaskStore({ hub, records, settings, runtime, onError }),
          sockets: createTaskSockets(settings),
          // §5.1: no list means any origin.
          allowsOrigin: origins.length === 0 ? () => true : createOriginCheck(origins),
        };
        return [id, context];
      },
    ),
  );
}

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
    openapi: () => tasksOpenApi(options.path),
    admin: tasksAdmin(options.contexts),
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
        onEvent("Connect refused", { word: "no_app", address, status: 404, detail });
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
