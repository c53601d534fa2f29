/** From the configuration to what the task-token dialect serves. */
import { randomBytes } from "node:crypto";
import { createOriginCheck } from "../../auth/origins.ts";
import { tasksSettings, type TasksConfig } from "./config.ts";
import type { Lent, Served } from "../dialect.ts";
import { createAuthentication } from "./authentication.ts";
import { createClientTokens, TOKEN_PURPOSE } from "./client-token.ts";
import type { TasksContext } from "./context.ts";
import { createRoutes } from "./routes.ts";
import { createTaskSockets } from "./sockets.ts";
import { createTaskIds, idPurpose } from "./task-id.ts";
import { createTaskStore } from "./task-store.ts";

/** Development mode's app, which takes calls without a credential (DESIGN.md §5). */
const DEVELOPMENT_APP = "dev";

export function setUp(lent: Lent<TasksConfig>): Served {
  const { config, callers, runtime, onError, onEvent } = lent;
  const contexts = contextsOf(lent);
  const { clock, random } = runtime;
  return createRoutes({
    ...{ contexts, random, randomBytes, onError, onEvent },
    authenticate: createAuthentication({
      ...{ contexts, callers, clock },
      openTo: config.development ? DEVELOPMENT_APP : undefined,
      secrets: new Map(lent.apps.map(({ config: { id }, keys }) => [id, keys.secrets("tasks")])),
    }),
    path: config.tasks.rpc_path,
    websocketPaths: config.tasks.websocket_paths,
  });
}

/** By app id, which is the app's `public-id`. */
function contextsOf(lent: Lent<TasksConfig>): ReadonlyMap<string, TasksContext> {
  const { config, runtime, schedule, metrics, onError, onEvent } = lent;
  const masterKeys = lent.masterKeys();
  const tokens = createClientTokens({ keys: masterKeys.derive(TOKEN_PURPOSE), randomBytes });
  return new Map(
    lent.apps.map(({ config: { id, allowed_origins: origins }, hub, engine: { records } }) => {
      const settings = tasksSettings(config, id);
      // Ids are for ever (§3.1), so they are made with the oldest key there is.
      const [newest, ...older] = masterKeys.derive(idPurpose(id));
      const context: TasksContext = {
        ...{ publicId: id, hub, settings, records, tokens, runtime, schedule, metrics },
        ...{ onError, onEvent },
        ids: createTaskIds(older.at(-1) ?? newest),
        tasks: createTaskStore({ hub, records, settings, runtime, onError }),
        sockets: createTaskSockets(settings),
        // §5.1: no list means any origin.
        allowsOrigin: origins.length === 0 ? () => true : createOriginCheck(origins),
      };
      return [id, context];
    }),
  );
}
